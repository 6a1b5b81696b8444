"""What the application makes once, at its start, and ends with it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

from fastapi import FastAPI

from api import idempotency as idempotent
from api import limits, logs
from api.answer_memory import AnswerMemory
from api.appeals.commands import Appeals
from api.appeals.queries import AppealQueries
from api.audit.queries import AuditLog
from api.audit_writer import AuditWriter
from api.auth_sessions.commands import LinkRequests
from api.auth_sessions.identities import Identities
from api.auth_sessions.queries import Sessions
from api.auth_sessions.schemas import LogInMethods
from api.browser_sessions import BrowserSessions
from api.cases.commands import Cases
from api.cases.contact_commands import CaseContacts
from api.cases.queries import CaseQueries
from api.connectors.commands import Connectors
from api.database import Marts, open_pool, stay_connected
from api.drain import Drain
from api.events import hub as event_hub
from api.events.hub import Hub
from api.excuses.commands import Excuses
from api.health.queries import HealthProbe
from api.idempotency import Idempotency
from api.key_ring import KeyRing
from api.limits import ActionLimit, FailureLimit, RateLimit
from api.matching.assignments import Assignments
from api.matching.generation import Generation, open_dagster
from api.matching.pairs import Pairs
from api.matching.scoring import Scorer
from api.metrics.figures import PlatformFigures
from api.metrics.instruments import CountedLedger, Instruments
from api.my.pages import Pages
from api.my.queries import OwnPages
from api.notifications.commands import Preferences
from api.notifications.queries import PreferenceQueries
from api.offers.commands import Offers
from api.oidc import Provider
from api.page_links.commands import PageLinks
from api.people.batches import AT_A_TIME as BATCHES_OF_PEOPLE_AT_A_TIME
from api.people.batches import PeopleBatches
from api.people.commands import People
from api.people.queries import PeopleRecords
from api.persons.commands import Persons
from api.proxies import UndeclaredProxies
from api.quarantine.commands import Dismissals
from api.quarantine.queries import Quarantine
from api.quarantine.sealing import seal_refused_rows
from api.refusals import Refusals
from api.replica import ReplicatedMarts
from api.report_kinds.commands import MailTests
from api.report_kinds.queries import Kinds
from api.reports.commands import MailPreferences
from api.reports.queries import AuditTrail
from api.scoring_settings.commands import ScoringCommands
from api.scoring_settings.queries import ScoringQueries
from api.session_records.commands import Deletions
from api.session_records.queries import SessionRecords
from api.sessions.batches import AT_A_TIME, BatchWriter
from api.sessions.ledger import Ledger
from api.sessions.writer import SessionWriter
from api.settings_watch import watch_settings
from api.shared_limits import SharedBuckets, open_buckets
from api.teams import Teams
from api.text_writing import open_text_desk
from api.webhook_endpoints.commands import Webhooks
from api.webhook_endpoints.queries import WebhookQueries
from api.webhooks.commands import MailEvents
from api.webhooks.signatures import SendGridSignatures
from api.weekly_report.queries import WeeklyReports
from api.what_if.commands import WhatIfs
from api.what_if.queries import WhatIfQueries
from core.database import Database, DatabaseRole
from core.erased import erased_ids
from core.postgres_urls import for_asyncpg
from core.settings import Settings

if TYPE_CHECKING:
    from api.tracing import Traces

HEALTH_POOL_SIZE = 1
# One for single posts, one for each batch under way, one for what may come to wait, and one for scores.
INGEST_POOL_SIZE = 1 + AT_A_TIME + 1 + 1
# Of people: one for each batch under way, and two for who is added or changed by hand, so that neither waits for the
# other, nor sessions for either.
PEOPLE_POOL_SIZE = BATCHES_OF_PEOPLE_AT_A_TIME + 2


class LifespanState(TypedDict):
    """What is made once, by its name in `request.state`."""

    marts: Marts
    answer_memory: AnswerMemory
    drain: Drain
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
    events: Hub
    health_probe: HealthProbe
    instruments: Instruments
    platform_figures: PlatformFigures
    metrics_need_key: bool
    rate_limit: RateLimit
    teams: Teams
    idempotency: Idempotency
    session_writer: SessionWriter
    batch_writer: BatchWriter
    connectors: Connectors
    session_records: SessionRecords
    deletions: Deletions
    quarantine: Quarantine
    dismissals: Dismissals
    excuses: Excuses
    cases: Cases
    case_contacts: CaseContacts
    case_queries: CaseQueries
    appeals: Appeals
    appeal_queries: AppealQueries
    appeal_limit: ActionLimit
    page_links: PageLinks
    failed_page_limit: FailureLimit
    own_pages: OwnPages
    pages: Pages
    mail_preferences: MailPreferences
    preferences: Preferences
    test_limit: ActionLimit
    preference_queries: PreferenceQueries
    webhooks: Webhooks
    webhook_queries: WebhookQueries
    scoring_commands: ScoringCommands
    scoring_queries: ScoringQueries
    what_ifs: WhatIfs
    what_if_queries: WhatIfQueries
    audit_trail: AuditTrail
    report_kinds: Kinds
    mail_tests: MailTests
    weekly_reports: WeeklyReports
    mail_events: MailEvents
    # None without TUTORQ_SENDGRID_WEBHOOK_KEY.
    sendgrid_signatures: SendGridSignatures | None
    people: People
    people_records: PeopleRecords
    people_batches: PeopleBatches
    persons: Persons
    generation: Generation
    scorer: Scorer
    assignments: Assignments
    offers: Offers
    pairs: Pairs


def lifespan(
    settings: Settings,
    instruments: Instruments,
    undeclared_proxies: UndeclaredProxies,
    traces: "Traces | None" = None,
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
                if traces is not None:
                    stack.enter_context(traces.exported())
                open_one = partial(open_pool, statement_cache_size=settings.statement_cache_size)
                pool = await stack.enter_async_context(open_one(url, size=settings.api_pool_size))
                replica_health_pool = None
                if settings.read_database_url is None:
                    marts = Marts(pool)
                else:
                    read_url = database.read_url
                    replica = await stack.enter_async_context(open_one(read_url, size=settings.api_pool_size))
                    replica_health_pool = await stack.enter_async_context(open_one(read_url, size=HEALTH_POOL_SIZE))
                    marts = ReplicatedMarts(pool, replica, instruments.registry)
                health_pool = await stack.enter_async_context(open_one(url, size=HEALTH_POOL_SIZE))
                dagster_pool = await stack.enter_async_context(open_one(database.dagster_url, size=HEALTH_POOL_SIZE))
                ingest_pool = await stack.enter_async_context(
                    open_one(
                        url,
                        size=INGEST_POOL_SIZE,
                        settings=Ledger.server_settings(settings.ingest_commit_seconds),
                    )
                )
                people_pool = await stack.enter_async_context(
                    open_one(
                        url,
                        size=PEOPLE_POOL_SIZE,
                        settings=Ledger.server_settings(settings.ingest_commit_seconds),
                    )
                )
                idempotency_pool = await stack.enter_async_context(
                    open_one(url, size=idempotent.IN_ALL, settings=Idempotency.server_settings())
                )
                idempotency = Idempotency(idempotency_pool)
                await stack.enter_async_context(_running(idempotency.run()))
                await stack.enter_async_context(_running(stay_connected(url)))
                event_pool = await stack.enter_async_context(open_one(url, size=event_hub.POOL_SIZE))
                answer_memory = AnswerMemory(settings.answer_memory_mib << 20)
                forget_outdated = partial(_forget_outdated, answer_memory, marts)
                events = Hub(event_pool, url, settings.event_streams, instruments.event_streams, forget_outdated)
                await stack.enter_async_context(_running(events.run()))
                erased = await asyncio.to_thread(erased_ids, settings, make=database.is_embedded)
                ledger = CountedLedger(ingest_pool, settings.ingest_commit_seconds, instruments, erased)
                session_writer = SessionWriter(
                    ledger, settings.timezone, settings.ingest_queue_rows, is_traced=traces is not None
                )
                await stack.enter_async_context(_running(session_writer.run()))
                await stack.enter_async_context(_running(ledger.live.run()))
                dagster = await stack.enter_async_context(open_dagster(settings.dagster, settings.dagster_headers))
                low, high = settings.match_medium_risk, settings.match_high_risk
                texts = await stack.enter_async_context(open_text_desk(pool, settings))
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
                await stack.enter_async_context(_running(seal_refused_rows(pool, settings)))
                buckets = await stack.enter_async_context(open_buckets(settings, url, instruments.registry))
                probe = HealthProbe(
                    health_pool,
                    dagster_pool,
                    replica_pool=replica_health_pool,
                    are_limits_shared=(lambda: buckets.is_shared) if isinstance(buckets, SharedBuckets) else None,
                    daemon_silent_seconds=settings.daemon_silent_seconds,
                    unprocessed_minutes=settings.unprocessed_minutes,
                )
                report_kinds = Kinds(pool, settings, database)
                test_limit = limits.mail_test_limit(buckets)
                batch_writer = BatchWriter(ledger, settings.timezone)
                people = People(people_pool, ledger.live, scorer.follow, erased)
                yield {
                    "marts": marts,
                    "answer_memory": answer_memory,
                    "drain": Drain(),
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
                    "link_limit": limits.link_limit(buckets),
                    "log_in_limit": limits.log_in_limit(buckets),
                    "failed_log_in_limit": limits.failed_log_in_limit(buckets),
                    "failed_key_limit": limits.failed_key_limit(buckets),
                    "export_limit": limits.export_limit(buckets),
                    "refusals": refusals,
                    "audit_log": AuditLog(pool),
                    "audit_writer": audit_writer,
                    "events": events,
                    "health_probe": probe,
                    "instruments": instruments,
                    "platform_figures": PlatformFigures(pool, probe, session_writer, ledger.live, instruments.registry),
                    "metrics_need_key": settings.metrics == "key",
                    "rate_limit": RateLimit(buckets, settings.ingest_rate_per_second),
                    "teams": Teams(pool),
                    "idempotency": idempotency,
                    "session_writer": session_writer,
                    "batch_writer": batch_writer,
                    "connectors": Connectors(settings, pool, batch_writer, erased),
                    "session_records": SessionRecords(pool, settings),
                    "deletions": Deletions(ingest_pool, ledger.live),
                    "quarantine": Quarantine(pool, settings),
                    "dismissals": Dismissals(pool, settings),
                    "excuses": Excuses(ingest_pool, ledger.live),
                    "cases": Cases(pool, settings.timezone),
                    "case_contacts": CaseContacts(pool, settings.timezone),
                    "case_queries": CaseQueries(pool, marts, settings.timezone),
                    "appeals": Appeals(ingest_pool, ledger, settings),
                    "appeal_queries": AppealQueries(pool, marts, settings.timezone),
                    "appeal_limit": limits.appeal_limit(buckets),
                    "page_links": PageLinks(pool, settings),
                    "failed_page_limit": limits.failed_page_limit(buckets),
                    "own_pages": OwnPages(marts, settings),
                    "pages": Pages(settings),
                    "mail_preferences": MailPreferences(pool),
                    "preferences": Preferences(pool, settings),
                    "test_limit": test_limit,
                    "preference_queries": PreferenceQueries(pool, settings.timezone),
                    "webhooks": Webhooks(pool, settings),
                    "webhook_queries": WebhookQueries(pool, settings),
                    "scoring_commands": ScoringCommands(pool, settings),
                    "scoring_queries": ScoringQueries(pool, settings),
                    "what_ifs": WhatIfs(pool, settings),
                    "what_if_queries": WhatIfQueries(pool),
                    "audit_trail": AuditTrail(pool, settings),
                    "report_kinds": report_kinds,
                    "mail_tests": MailTests(pool, settings, report_kinds, test_limit),
                    "weekly_reports": WeeklyReports(marts, texts, settings.timezone),
                    "mail_events": MailEvents(pool),
                    "sendgrid_signatures": signatures,
                    "people": people,
                    "people_records": PeopleRecords(pool),
                    "people_batches": PeopleBatches(people),
                    "persons": Persons(pool, settings, database, erased),
                    "generation": Generation(dagster),
                    "scorer": scorer,
                    "assignments": Assignments(marts, scorer, settings.offer_days),
                    "offers": Offers(pool, marts, scorer, settings),
                    "pairs": Pairs(marts, scorer, texts, low=low, high=high, seconds=settings.explanation_seconds),
                }
        finally:
            await asyncio.to_thread(database.release)

    return run


async def _forget_outdated(memory: AnswerMemory, marts: Marts) -> None:
    if memory:
        memory.note(await marts.version())


@asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` beside the block, and end it with the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
