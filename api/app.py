"""The application: `uvicorn --factory api.app:create_app`, or `python -m api`."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems, reference
from api.appeals import endpoints as appeals
from api.attrition import endpoints as attrition
from api.audit import endpoints as audit
from api.auth_sessions import endpoints as auth_sessions
from api.caching import GZIP_FROM_BYTES, GZIP_LEVEL
from api.calibration import endpoints as calibration
from api.cases import endpoints as cases
from api.comparison import endpoints as comparison
from api.connectors import endpoints as connectors
from api.dashboard import PAGE, Dashboard
from api.description import describe
from api.events import endpoints as events
from api.every_request import EveryRequest
from api.excuses import endpoints as excuses
from api.fairness import endpoints as fairness
from api.funnel import endpoints as funnel
from api.health import endpoints as health
from api.lifespan import lifespan
from api.matching import endpoints as matching
from api.metrics import endpoints as metrics
from api.metrics.instruments import Instruments
from api.my import endpoints as my
from api.notifications import endpoints as notifications
from api.offers import endpoints as offers
from api.overview import endpoints as overview
from api.page_links import endpoints as page_links
from api.paths import EscapedPaths
from api.people import endpoints as people
from api.persons import endpoints as persons
from api.platform import endpoints as platform
from api.problems import UnexpectedErrors
from api.proxies import Proxies, UndeclaredProxies
from api.quarantine import endpoints as quarantine
from api.report_kinds import endpoints as report_kinds
from api.reports import endpoints as reports
from api.revalidation import Revalidation
from api.scoring_settings import endpoints as scoring_settings
from api.session_records import endpoints as session_records
from api.sessions import endpoints as sessions
from api.stand_ins import endpoints as stand_ins
from api.todays_sessions import endpoints as todays_sessions
from api.tutors import endpoints as tutors
from api.upcoming import endpoints as upcoming
from api.webhook_endpoints import endpoints as webhook_endpoints
from api.webhook_endpoints.messages import describe_webhooks
from api.webhooks import endpoints as webhooks
from api.weekly_report import endpoints as weekly_report
from api.what_if import endpoints as what_if
from core import tracing
from core.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    from api.tracing import Traces

DASHBOARD = PROJECT_ROOT / "dashboards" / "dist"
DOCS_PATH = "/api/docs"


class Api(FastAPI):
    """FastAPI, with an OpenAPI description that tells of our errors."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = describe_webhooks(describe(super().openapi()))
        return self.openapi_schema

    @cached_property
    def reference(self) -> str:
        """The same as a page to read."""
        return reference.render(self.openapi())


class Compression(GZipMiddleware):
    """Compresses what is read; receipts of what was written are short, and there are many."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_read = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        await (super().__call__ if is_read else self.app)(scope, receive, send)


class FrontRouter:
    """Middleware: a plain Starlette router whose routes are tried before FastAPI.

    FastAPI takes 115 µs to find such a route and to solve its dependencies, and this 10 µs, which is less than the
    endpoint needs itself. The endpoints get nothing but the request.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self.app = app
        self._router = Router(routes, redirect_slashes=False, default=app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._router if scope["type"] == "http" else self.app)(scope, receive, send)


def create_app(settings: Settings | None = None, dashboard: Path = DASHBOARD) -> FastAPI:
    """The API on these settings, or on those of the environment. Connects to nothing until it is started."""
    settings = settings or Settings()
    instruments = Instruments()
    undeclared_proxies = UndeclaredProxies()
    resources = (
        # Before session_records, or `upcoming` and `today` would be ids.
        *(sessions, health, people, tutors, overview, calibration, fairness, funnel, matching, offers, upcoming),
        *(todays_sessions, session_records, comparison, attrition, platform),
        *(stand_ins, quarantine, excuses, cases, appeals, page_links, audit, auth_sessions, webhook_endpoints),
        # Kinds before mail, or `kinds` would be the id of one.
        *(report_kinds, reports, weekly_report, notifications, webhooks, connectors, events, my),
        *(scoring_settings, what_if, persons),
    )
    handlers = problems.handlers([route for resource in resources for route in resource.router.routes])
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
        allow_headers=(
            "X-API-Key",
            "X-Request-ID",
            "If-None-Match",
            "Content-Type",
            "Content-Encoding",
            "Idempotency-Key",
            "Last-Event-ID",
        ),
        expose_headers=("ETag", "X-Request-ID", "Retry-After", "Deprecation", "Sunset", "Link"),
    )
    traces = _traces(settings)
    app = Api(
        title="tutorq",
        version="1",
        description="Tutor quality: which tutors are becoming unreliable, how certain that is, and when each flag "
        "ends.",
        lifespan=lifespan(settings, instruments, undeclared_proxies, traces),
        # A request passes them in this order, and then comes to FastAPI's own routes.
        middleware=[
            Middleware(Proxies, trusted=settings.trusted_proxies, undeclared=undeclared_proxies),
            Middleware(EveryRequest, instruments=instruments),
            *_request_traces(traces),
            *([cors] if settings.cors_origins else []),
            Middleware(EscapedPaths),
            Middleware(UnexpectedErrors),
            Middleware(Revalidation),
            Middleware(Compression, minimum_size=GZIP_FROM_BYTES, compresslevel=GZIP_LEVEL),
            # Errors of what answers before FastAPI, which has one more of these for its own.
            Middleware(ExceptionMiddleware, handlers=handlers),
            Middleware(FrontRouter, routes=sessions.FRONT_ROUTES),
        ],
        exception_handlers=handlers,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # It would look for exporters with every request, and log the messages of errors, which may carry personal data.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for resource in resources:
        # `include_router` would have the first request make all routes once more, and each pass as many routers.
        app.router.routes.extend(resource.router.routes)
    if settings.metrics != "off":
        app.router.routes.extend(metrics.router.routes)
    app.add_api_route(DOCS_PATH, _docs, include_in_schema=False)
    if (dashboard / PAGE).is_file():
        Dashboard(dashboard).serve_from(app)
    else:
        app.add_api_route("/", _to_docs, include_in_schema=False)
    return app


def _traces(settings: Settings) -> "Traces | None":
    """None where no traces are wanted: then nothing of OpenTelemetry's SDK is imported."""
    if settings.otlp_endpoint is None:
        return None
    tracing.check(settings)
    from api.tracing import Traces

    return Traces(settings)


def _request_traces(traces: "Traces | None") -> list[Middleware]:
    if traces is None:
        return []
    from api.tracing import RequestTraces

    return [Middleware(RequestTraces, traces=traces)]


async def _docs(request: Request) -> Response:
    assert isinstance(request.app, Api)
    return HTMLResponse(request.app.reference, headers=reference.HEADERS)


async def _to_docs() -> RedirectResponse:
    return RedirectResponse(DOCS_PATH)
