"""A trace of each request, with the statements that it runs: where TUTORQ_OTLP_ENDPOINT is set alone.

Spans have route templates and SQL without its parameters, never paths or values, which may name somebody.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, StatusCode, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Receive, Scope, Send

from api.metrics.instruments import METHODS, OTHER
from api.state import record_of, route_of
from core import tracing
from core.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.util.types import Attributes

# Of a statement; the longest have some 20,000 characters.
LONGEST_TEXT = 4096
SERVER_ERROR = 500


class RequestsOnly(Sampler):
    """Begins traces with requests, for a share of them; not with statements of what runs beside them."""

    def __init__(self, share: float) -> None:
        self._of_requests = TraceIdRatioBased(share)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: "Attributes" = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if kind is not SpanKind.SERVER:
            return SamplingResult(Decision.DROP)
        return self._of_requests.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"requests only, {self._of_requests.get_description()}"


class Traces:
    """The spans of one API process."""

    def __init__(self, settings: Settings) -> None:
        self._exporter = tracing.exporter(settings)
        self._provider = TracerProvider(
            sampler=ParentBased(RequestsOnly(settings.traced_share)),
            resource=tracing.resource("tutorq-api"),
            span_limits=SpanLimits(max_span_attribute_length=LONGEST_TEXT),
            shutdown_on_exit=False,
        )
        self.tracer = self._provider.get_tracer("tutorq")

    @contextmanager
    def exported(self) -> Iterator[None]:
        """Send spans meanwhile, in a thread; what is left at the end is sent then."""
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        instrumentor = AsyncPGInstrumentor()  # type: ignore[no-untyped-call]
        instrumentor.instrument(tracer_provider=self._provider)
        try:
            yield
        finally:
            instrumentor.uninstrument()
            self._provider.shutdown()


class RequestTraces:
    """Middleware: a span of each request, below that of the caller if it sent a `traceparent`."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self.app = app
        self._tracer = traces.tracer
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else OTHER
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        caller = self._propagator.extract(headers)
        with self._tracer.start_as_current_span(method, caller, SpanKind.SERVER) as span:
            try:
                await self.app(scope, receive, send)
            finally:
                record, route = record_of(scope), route_of(scope) or OTHER
                span.update_name(f"{method} {route}")
                span.set_attributes({"http.request.method": method, "http.route": route})
                span.set_attribute("tutorq.request_id", record.request_id)
                if record.status is not None:
                    span.set_attribute("http.response.status_code", record.status)
                    if record.status >= SERVER_ERROR:
                        span.set_status(StatusCode.ERROR)
