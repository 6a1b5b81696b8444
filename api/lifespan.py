"""What the application makes once, at its start, and ends with it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypedDict

from fastapi import FastAPI

from api import idempotency as idempotent
from api import limits, logs
from api.audit.queries import AuditLog
from api.audit_writer import AuditWriter
from api.auth_sessions.commands import LinkRequests
from api.auth_sessions.identities import Identities
from api.auth_sessions.queries import Sessions
from api.auth_sessions.schemas import LogInMethods
from api.browser_sessions import BrowserSessions
from api.cases.commands import Cases
from api.cases.queries import CaseQueries
from api.database import Marts, open_pool, stay_connected
from api.excuses.commands import Excuses
from api.health.queries import HealthProbe
from api.idempotency import Idempotency
from api.key_ring import KeyRing
from api.limits import ActionLimit, FailureLimit, RateLimit
from api.matching.assignments import Assignments
from api.matching.explanations import open_explainer
from api.matching.generation import Generation, open_dagster
from api.matching.pairs import Pairs
from api.matching.scoring import Scorer
from api.metrics.figures import PlatformFigures
from api.metrics.instruments import CountedLedger, Instruments
from api.oidc import Provider
from api.people.batches import AT_A_TIME as BATCHES_OF_PEOPLE_AT_A_TIME
from api.people.batches import PeopleBatches
from api.people.commands import People
from api.people.queries import PeopleRecords
from api.proxies import UndeclaredProxies
from api.quarantine.commands import Dismissals
from api.quarantine.queries import Quarantine
from api.refusals import Refusals
from api.reports.commands import MailPreferences
from api.reports.queries import AuditTrail
from api.session_records.commands import Deletions
from api.session_records.queries import SessionRecords
from api.sessions.batches import AT_A_TIME, BatchWriter
from api.sessions.ledger import Ledger
from api.sessions.writer import SessionWriter
from api.settings_watch import watch_settings
from api.teams import Teams
from api.webhooks.commands import MailEvents
from api.webhooks.signatures import SendGridSignatures
from core.database import Database, DatabaseRole
from core.postgres_urls import for_asyncpg
from core.settings import Settings

HEALTH_POOL_SIZE = 1
# One for single posts, one for each batch under way, one for what may come to wait, and one for scores.
INGEST_POOL_SIZE = 1 + AT_A_TIME + 1 + 1
# Of people: one for each batch under way, and two for who is added or changed by hand, so that neither waits for the
# other, nor sessions for either.
PEOPLE_POOL_SIZE = BATCHES_OF_PEOPLE_AT_A_TIME + 2


class LifespanState(TypedDict):
    """What is made once, by its name in `request.state`."""

    marts: Marts
    key_ring: KeyRing
    browser_sessions: BrowserSessions
    sessions: Sessions
    # None without TUTORQ_OIDC_ISSUER.
    oidc: Provider | None
    identities: Identities
    log_in_methods: LogInMethods
    link_requests: LinkRequests
    link_limit: ActionLimit
    log_in_limit: ActionLimit
    failed_log_in_limit: FailureLimit
    failed_key_limit: FailureLimit
    export_limit: ActionLimit
    refusals: Refusals
    audit_log: AuditLog
    audit_writer: AuditWriter
    health_probe: HealthProbe
    instruments: Instruments
    platform_figures: PlatformFigures
    metrics_need_key: bool
    rate_limit: RateLimit
    teams: Teams
    idempotency: Idempotency
    session_writer: SessionWriter
    batch_writer: BatchWriter
    session_records: SessionRecords
    deletions: Deletions
    quarantine: Quarantine
    dismissals: Dismissals
    excuses: Excuses
    cases: Cases
    case_queries: CaseQueries
    mail_preferences: MailPreferences
    audit_trail: AuditTrail
    mail_events: MailEvents
    # None without TUTORQ_SENDGRID_WEBHOOK_KEY.
    sendgrid_signatures: SendGridSignatures | None
    people: People
    people_records: PeopleRecords
    people_batches: PeopleBatches
    generation: Generation
    scorer: Scorer
    assignments: Assignments
    pairs: Pairs


def lifespan(
    settings: Settings, instruments: Instruments, undeclared_proxies: UndeclaredProxies
) -> Callable[[FastAPI], AbstractAsyncContextManager[LifespanState]]:
    """`lifespan=` of the application: connects to the database, and starts what runs beside the requests."""
    signatures = SendGridSignatures(settings.sendgrid_webhook_key) if settings.sendgrid_webhook_key else None

    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncIterator[LifespanState]:
        logs.configure(settings.log_level)
        database = Database(settings, DatabaseRole.API)
        # Reading the URL starts the embedded server if there is one, which may take seconds.
        url = await asyncio.to_thread(lambda: database.url)
        if without := for_asyncpg(url)[1]:
            logs.log.warning("the API's driver has no such parameters, and connects without them", parameters=without)
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
                people_pool = await stack.enter_async_context(
                    open_pool(
                        url,
                        size=PEOPLE_POOL_SIZE,
                        settings=Ledger.server_settings(settings.ingest_commit_seconds),
                    )
                )
                idempotency_pool = await stack.enter_async_context(
                    open_pool(url, size=idempotent.IN_ALL, settings=Idempotency.server_settings())
                )
                idempotency = Idempotency(idempotency_pool)
                await stack.enter_async_context(_running(idempotency.run()))
                await stack.enter_async_context(_running(stay_connected(url)))
                ledger = CountedLedger(ingest_pool, settings.ingest_commit_seconds, instruments)
                session_writer = SessionWriter(ledger, settings.timezone, settings.ingest_queue_rows)
                await stack.enter_async_context(_running(session_writer.run()))
                await stack.enter_async_context(_running(ledger.live.run()))
                dagster = await stack.enter_async_context(open_dagster(settings.dagster, settings.dagster_headers))
                marts = Marts(pool)
                low, high = settings.match_medium_risk, settings.match_high_risk
                explainer = await stack.enter_async_context(open_explainer(pool, settings))
                scorer = Scorer(pool, settings, database)
                key_ring = KeyRing(pool)
                stack.push_async_callback(key_ring.close)
                has_people = settings.oidc_issuer is not None and settings.oidc_client_id is not None
                claim_decides = has_people and settings.oidc_role_claim is not None
                identities = Identities(pool, claim_decides=claim_decides, lets_in=settings.oidc_unknown == "read")
                provider = Provider(settings, identities.is_known) if settings.oidc_issuer else None
                if provider:
                    stack.push_async_callback(provider.close)
                link_requests = LinkRequests(pool, claim_decides=claim_decides)
                await stack.enter_async_context(_running(link_requests.run()))
                audit_writer = AuditWriter(pool)
                refusals = Refusals(audit_writer)
                stack.push_async_callback(refusals.write)
                await stack.enter_async_context(_running(refusals.run()))
                await stack.enter_async_context(_running(undeclared_proxies.run(pool)))
                await stack.enter_async_context(_running(watch_settings(settings, database)))
                probe = HealthProbe(
                    health_pool,
                    dagster_pool,
                    daemon_silent_seconds=settings.daemon_silent_seconds,
                    unprocessed_minutes=settings.unprocessed_minutes,
                )
                people = People(people_pool, ledger.live, scorer.follow)
                yield {
                    "marts": marts,
                    "key_ring": key_ring,
                    "browser_sessions": BrowserSessions(pool),
                    "sessions": Sessions(pool),
                    "oidc": provider,
                    "identities": identities,
                    "log_in_methods": LogInMethods(
                        mail=settings.mail_provider != "file",
                        oidc=has_people,
                    ),
                    "link_requests": link_requests,
                    "link_limit": limits.link_limit(),
                    "log_in_limit": limits.log_in_limit(),
                    "failed_log_in_limit": limits.failed_log_in_limit(),
                    "failed_key_limit": limits.failed_key_limit(),
                    "export_limit": limits.export_limit(),
                    "refusals": refusals,
                    "audit_log": AuditLog(pool),
                    "audit_writer": audit_writer,
                    "health_probe": probe,
                    "instruments": instruments,
                    "platform_figures": PlatformFigures(pool, probe, session_writer, ledger.live, instruments.registry),
                    "metrics_need_key": settings.metrics == "key",
                    "rate_limit": RateLimit(settings.ingest_rate_per_second),
                    "teams": Teams(pool),
                    "idempotency": idempotency,
                    "session_writer": session_writer,
                    "batch_writer": BatchWriter(ledger, settings.timezone),
                    "session_records": SessionRecords(pool),
                    "deletions": Deletions(ingest_pool, ledger.live),
                    "quarantine": Quarantine(pool),
                    "dismissals": Dismissals(pool),
                    "excuses": Excuses(ingest_pool, ledger.live),
                    "cases": Cases(pool, settings.timezone),
                    "case_queries": CaseQueries(pool, marts, settings.timezone),
                    "mail_preferences": MailPreferences(pool),
                    "audit_trail": AuditTrail(pool),
                    "mail_events": MailEvents(pool),
                    "sendgrid_signatures": signatures,
                    "people": people,
                    "people_records": PeopleRecords(pool),
                    "people_batches": PeopleBatches(people),
                    "generation": Generation(dagster),
                    "scorer": scorer,
                    "assignments": Assignments(marts, scorer),
                    "pairs": Pairs(marts, scorer, explainer, low=low, high=high, seconds=settings.explanation_seconds),
                }
        finally:
            await asyncio.to_thread(database.release)

    return run


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` beside the block, and end it with the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
