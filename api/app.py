"""The application: `uvicorn --factory api.app:create_app`, or `python -m api`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from api import logs, openapi, problems, reference
from api.auth import KeyRing
from api.auth_sessions import endpoints as auth_sessions
from api.browser_sessions import BrowserSessions
from api.dashboard import PAGE, Dashboard
from api.database import Marts, open_pool
from api.direct import DirectRoutes
from api.funnel import endpoints as funnel
from api.headers import SecurityHeaders
from api.health import endpoints as health
from api.health.queries import HealthProbe
from api.limits import LogInLimit, RateLimit
from api.logs import RequestLog
from api.matching import endpoints as matching
from api.matching.assignments import Assignments
from api.matching.commands import People
from api.matching.explanations import open_explainer
from api.matching.generation import Generation, open_dagster
from api.matching.pairs import Pairs
from api.matching.scoring import Scorer
from api.metrics import endpoints as metrics
from api.metrics.figures import PlatformFigures
from api.metrics.instruments import CountedLedger, Instruments, RequestMetrics
from api.overview import endpoints as overview
from api.parts import parts
from api.problems import UnexpectedErrors
from api.reports import endpoints as reports
from api.reports.commands import MailPreferences
from api.reports.queries import AuditTrail
from api.reschedules import endpoints as reschedules
from api.reschedules.commands import Excuses
from api.revalidation import Revalidation
from api.sessions import endpoints as sessions
from api.sessions.batches import AT_A_TIME, BatchWriter
from api.sessions.ledger import Ledger
from api.sessions.writer import SessionWriter
from api.tutors import endpoints as tutors
from api.upcoming import endpoints as upcoming
from api.webhooks import endpoints as webhooks
from api.webhooks.commands import MailEvents
from api.webhooks.signatures import SendGridSignatures
from core.database import Database, DatabaseRole
from core.settings import PROJECT_ROOT, Settings

DASHBOARD = PROJECT_ROOT / "dashboards" / "dist"
DOCS_PATH = "/api/docs"
GZIP_FROM_BYTES = 1024
# On bodies of 75 kB: level 9 takes several times as long, and saves a few per cent.
GZIP_LEVEL = 2
HEALTH_POOL_SIZE = 1
# One for single posts, one for each batch under way, one for what may come to wait, and one for scores.
INGEST_POOL_SIZE = 1 + AT_A_TIME + 1 + 1


class Api(FastAPI):
    """FastAPI, with an OpenAPI description that tells of our errors."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = openapi.describe(super().openapi())
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


def create_app(settings: Settings | None = None, dashboard: Path = DASHBOARD) -> FastAPI:
    """The API on these settings, or on those of the environment. Connects to nothing until it is started."""
    settings = settings or Settings()
    instruments = Instruments()
    app = Api(
        title="tutorq",
        version="1",
        description="Tutor quality: who is becoming unreliable, how sure that is, and what ends a flag.",
        lifespan=_lifespan(settings, instruments),
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # It would look for exporters with every request, and log the messages of errors, which may carry personal data.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        generate_unique_id_function=_operation_id,
    )
    # Each one wraps those before it, so the last is the outermost.
    app.add_middleware(Revalidation)
    app.add_middleware(DirectRoutes, endpoints=sessions.DIRECT)
    app.add_middleware(UnexpectedErrors)
    app.add_middleware(Compression, minimum_size=GZIP_FROM_BYTES, compresslevel=GZIP_LEVEL)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "PATCH", "DELETE"),
            allow_headers=("X-API-Key", "X-Request-ID", "If-None-Match", "Content-Type", "Idempotency-Key"),
            expose_headers=("ETag", "X-Request-ID", "Retry-After"),
        )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestMetrics, instruments=instruments)
    app.add_middleware(RequestLog)
    # The first is found soonest: it is asked most often.
    resources = (
        *(sessions, health, tutors, overview, funnel, matching, upcoming),
        *(reschedules, reports, auth_sessions, webhooks),
    )
    for resource in resources:
        app.include_router(resource.router)
    problems.install(app, [route for resource in resources for route in resource.router.routes])
    if settings.metrics != "off":
        app.include_router(metrics.router)
    app.add_api_route(DOCS_PATH, _docs, include_in_schema=False)
    if (dashboard / PAGE).is_file():
        Dashboard(dashboard).serve_from(app)
    else:
        app.add_api_route("/", _to_docs, include_in_schema=False)
    return app


def _lifespan(
    settings: Settings, instruments: Instruments
) -> Callable[[FastAPI], AbstractAsyncContextManager[dict[str, object]]]:
    signatures = SendGridSignatures(settings.sendgrid_webhook_key) if settings.sendgrid_webhook_key else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, object]]:
        logs.configure(settings.log_level)
        database = Database(settings, DatabaseRole.API)
        # Reading the URL starts the embedded server if there is one, which may take seconds.
        url = await asyncio.to_thread(lambda: database.url)
        try:
            async with AsyncExitStack() as stack:
                pool = await stack.enter_async_context(open_pool(url))
                health_pool = await stack.enter_async_context(open_pool(url, size=HEALTH_POOL_SIZE))
                dagster_pool = await stack.enter_async_context(open_pool(database.dagster_url, size=HEALTH_POOL_SIZE))
                ingest_pool = await stack.enter_async_context(
                    open_pool(
                        url,
                        size=INGEST_POOL_SIZE,
                        settings=Ledger.server_settings(settings.ingest_commit_seconds),
                    )
                )
                ledger = CountedLedger(ingest_pool, settings.ingest_commit_seconds, instruments)
                session_writer = SessionWriter(ledger, settings.timezone, settings.ingest_queue_rows)
                await stack.enter_async_context(_running(session_writer.run()))
                await stack.enter_async_context(_running(ledger.live.run()))
                dagster = await stack.enter_async_context(open_dagster(settings.dagster))
                marts = Marts(pool)
                low, high = settings.match_medium_risk, settings.match_high_risk
                explainer = await stack.enter_async_context(open_explainer(pool, settings))
                scorer = Scorer(pool, settings, database)
                key_ring = KeyRing(pool)
                stack.push_async_callback(key_ring.close)
                probe = HealthProbe(
                    health_pool,
                    dagster_pool,
                    daemon_silent_seconds=settings.daemon_silent_seconds,
                    unprocessed_minutes=settings.unprocessed_minutes,
                )
                yield {
                    "metrics_need_key": settings.metrics == "key",
                    **parts(
                        marts,
                        key_ring,
                        BrowserSessions(pool),
                        LogInLimit(),
                        probe,
                        instruments,
                        PlatformFigures(pool, probe, session_writer, ledger.live, instruments.registry),
                        RateLimit(settings.ingest_rate_per_second),
                        session_writer,
                        BatchWriter(ledger, settings.timezone),
                        Excuses(ingest_pool, ledger.live),
                        MailPreferences(pool),
                        AuditTrail(pool),
                        MailEvents(pool),
                        *([signatures] if signatures else []),
                        People(ingest_pool),
                        Generation(dagster),
                        scorer,
                        Assignments(marts, scorer),
                        Pairs(marts, scorer, explainer, low=low, high=high, seconds=settings.explanation_seconds),
                    ),
                }
        finally:
            await asyncio.to_thread(database.release)

    return lifespan


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` beside the block, and end it with the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _operation_id(route: APIRoute) -> str:
    """The function's name: what the generated TypeScript client calls it."""
    return route.name


async def _docs(request: Request) -> Response:
    assert isinstance(request.app, Api)
    return HTMLResponse(request.app.reference, headers=reference.HEADERS)


async def _to_docs() -> RedirectResponse:
    return RedirectResponse(DOCS_PATH)
