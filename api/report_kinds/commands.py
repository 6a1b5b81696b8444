"""A test of one kind of mail, to the person who asks for it and to nobody else."""

import json
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from api.audit_writer import record
from api.browser_sessions import BrowserCaller
from api.callers import AnyCaller
from api.database import with_app_tables
from api.limits import ActionLimit
from api.problems import ConflictError
from api.report_kinds.queries import Kinds
from api.report_kinds.schemas import QueuedTest, QueuedTestResponse
from core.audit import Action, Entry
from core.settings import Settings
from reports.kinds import ReportKind
from reports.preview import Mark, NothingToShowError, marked

NO_PERSON = "A test goes to the address of a person, and a key has none. Log in as a person: `tutorq login-link EMAIL`."
NO_MAILBOX = "Your address ends in @localhost, which no mail reaches. `tutorq people change` gives you another one."

ADDRESS = "select email from app.people where person_id = $1 and is_active"
QUEUE = """
insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload)
values ($1, $2, $2 || ':' || $3::text, $3::text, $4, $5::text::jsonb)
returning report_id
"""


class MailTests:
    """Queues tests in the outbox; the job that sends mail sends them, too."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings, kinds: Kinds, limit: ActionLimit) -> None:
        self._pool = pool
        self._settings = settings
        self._kinds = kinds
        self._limit = limit

    async def send(self, kind: ReportKind, caller: AnyCaller) -> bytes:
        """Queue a test, made of the newest figures. Returns a `QueuedTestResponse`.

        Raises:
            ConflictError: the caller is no person, has no mailbox, or there is nothing to make such a mail of.
            TooManyRequestsError: the person has just had some.
            DatabaseUnavailableError: the server cannot be reached, or not in time.
        """
        if not isinstance(caller, BrowserCaller) or caller.person_id is None:
            raise ConflictError(NO_PERSON)
        person_id = caller.person_id
        email = await with_app_tables(self._pool, lambda connection: connection.fetchval(ADDRESS, person_id))
        if email is None:
            raise ConflictError(NO_PERSON)
        if email.lower().endswith("@localhost") and self._settings.mail_provider != "file":
            raise ConflictError(NO_MAILBOX)
        await self._limit.spend(caller.counted_as)
        try:
            draft = await self._kinds.draft(kind, caller)
        except NothingToShowError as nothing:
            raise ConflictError(f"There is nothing to send yet: {nothing}.") from None
        test = marked(draft, Mark.TEST, topic=f"test:{kind.value}:{uuid4()}", to=[email])
        payload = json.dumps(test.payload, default=str)

        async def work(connection: Any) -> UUID:
            async with connection.transaction():
                report_id: UUID = await connection.fetchval(QUEUE, kind.value, test.topic, email, test.subject, payload)
                entry = Entry(caller.actor, Action.MAIL_TEST, "report", str(report_id), {"kind": kind.value})
                await record(connection, entry)
            return report_id

        report_id = await with_app_tables(self._pool, work)
        return QueuedTestResponse(data=QueuedTest(report_id=report_id, recipient=email)).model_dump_json().encode()
