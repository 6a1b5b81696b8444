"""Traces by OpenTelemetry, where TUTORQ_OTLP_ENDPOINT is set; else nothing of the extra `otel` is imported.

Only names, times and outcomes leave: a message of an error may quote data.
"""

from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from core.errors import TutorqError
from core.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

TIMEOUT_SECONDS = 10
# Attributes that could quote what a statement was given, or name somebody.
LEFT_OUT = ("db.statement.parameters", "db.user", "exception.message")
PACKAGES = ("sdk", "exporter.otlp.proto.http", "instrumentation.asyncpg")


def check(settings: Settings) -> None:
    """
    Raises:
        TutorqError: traces are wanted, and the packages that make them are not installed.
    """
    if settings.otlp_endpoint is None:
        return
    try:
        missing = any(find_spec(f"opentelemetry.{name}") is None for name in PACKAGES)
    except ModuleNotFoundError:
        missing = True
    if missing:
        raise TutorqError("TUTORQ_OTLP_ENDPOINT needs the extra `otel`: install tutorq[otel]")


def resource(service: str) -> "Resource":
    """What every span says of the process it is from."""
    from opentelemetry.sdk.resources import Resource

    return Resource.create({"service.name": service, "service.version": version("tutorq")})


def exporter(settings: Settings) -> "SpanExporter":
    """Sends spans to the endpoint of the settings, without messages of errors.

    Raises:
        TutorqError: the packages are not installed.
    """
    check(settings)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Reticent(SpanExporter):
        def __init__(self, sender: SpanExporter) -> None:
            self._sender = sender

        def export(self, spans: Sequence["ReadableSpan"]) -> SpanExportResult:
            return self._sender.export([_reticent(span) for span in spans])

        def shutdown(self) -> None:
            self._sender.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return self._sender.force_flush(timeout_millis)

    endpoint = f"{settings.otlp_endpoint}/v1/traces"
    return Reticent(OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT_SECONDS))


def _reticent(span: "ReadableSpan") -> "ReadableSpan":
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Status

    attributes = {name: value for name, value in (span.attributes or {}).items() if name not in LEFT_OUT}
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
