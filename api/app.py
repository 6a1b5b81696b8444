"""The application: `uvicorn --factory api.app:create_app`, or `python -m api`."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems, reference
from api.audit import endpoints as audit
from api.auth_sessions import endpoints as auth_sessions
from api.cases import endpoints as cases
from api.dashboard import PAGE, Dashboard
from api.description import describe
from api.excuses import endpoints as excuses
from api.funnel import endpoints as funnel
from api.headers import SecurityHeaders
from api.health import endpoints as health
from api.lifespan import lifespan
from api.logs import RequestLog
from api.matching import endpoints as matching
from api.metrics import endpoints as metrics
from api.metrics.instruments import Instruments, RequestMetrics
from api.overview import endpoints as overview
from api.problems import UnexpectedErrors
from api.proxies import Proxies, UndeclaredProxies
from api.reports import endpoints as reports
from api.revalidation import Revalidation
from api.sessions import endpoints as sessions
from api.stand_ins import endpoints as stand_ins
from api.tutors import endpoints as tutors
from api.upcoming import endpoints as upcoming
from api.webhooks import endpoints as webhooks
from core.settings import PROJECT_ROOT, Settings

DASHBOARD = PROJECT_ROOT / "dashboards" / "dist"
DOCS_PATH = "/api/docs"
GZIP_FROM_BYTES = 1024
# On bodies of 75 kB: level 9 takes several times as long, and saves a few per cent.
GZIP_LEVEL = 2


class Api(FastAPI):
    """FastAPI, with an OpenAPI description that tells of our errors."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = describe(super().openapi())
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
        *(sessions, health, tutors, overview, funnel, matching, upcoming, stand_ins),
        *(excuses, cases, reports, audit, auth_sessions, webhooks),
    )
    handlers = problems.handlers([route for resource in resources for route in resource.router.routes])
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=("GET", "POST", "PATCH", "DELETE"),
        allow_headers=("X-API-Key", "X-Request-ID", "If-None-Match", "Content-Type", "Idempotency-Key"),
        expose_headers=("ETag", "Link", "X-Request-ID", "Retry-After"),
    )
    app = Api(
        title="tutorq",
        version="1",
        description="Tutor quality: who is becoming unreliable, how sure that is, and what ends a flag.",
        lifespan=lifespan(settings, instruments, undeclared_proxies),
        # A request passes them in this order, and then comes to FastAPI's own routes.
        middleware=[
            Middleware(Proxies, trusted=settings.trusted_proxies, undeclared=undeclared_proxies),
            Middleware(RequestLog),
            Middleware(RequestMetrics, instruments=instruments),
            Middleware(SecurityHeaders),
            *([cors] if settings.cors_origins else []),
            Middleware(Compression, minimum_size=GZIP_FROM_BYTES, compresslevel=GZIP_LEVEL),
            Middleware(UnexpectedErrors),
            # Errors of what answers before FastAPI, which has one more of these for its own.
            Middleware(ExceptionMiddleware, handlers=handlers),
            Middleware(Revalidation),
            Middleware(FrontRouter, routes=sessions.FRONT_ROUTES),
        ],
        exception_handlers=handlers,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # It would look for exporters with every request, and log the messages of errors, which may carry personal data.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        generate_unique_id_function=_operation_id,
    )
    for resource in resources:
        app.include_router(resource.router)
    if settings.metrics != "off":
        app.include_router(metrics.router)
    app.add_api_route(DOCS_PATH, _docs, include_in_schema=False)
    if (dashboard / PAGE).is_file():
        Dashboard(dashboard).serve_from(app)
    else:
        app.add_api_route("/", _to_docs, include_in_schema=False)
    return app


def _operation_id(route: APIRoute) -> str:
    """The function's name: what the generated TypeScript client calls it."""
    return route.name


async def _docs(request: Request) -> Response:
    assert isinstance(request.app, Api)
    return HTMLResponse(request.app.reference, headers=reference.HEADERS)


async def _to_docs() -> RedirectResponse:
    return RedirectResponse(DOCS_PATH)
