"""Writes what a person wants to be told, and a test of it, together with entries in the audit log."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from api import bodies
from api.audit_writer import record
from api.database import with_app_tables
from api.limits import ActionLimit
from api.notifications.schemas import NotificationPreferencesPut
from api.problems import ConflictError, FieldError, NotConfiguredError
from api.report_kinds.schemas import QueuedTest, QueuedTestResponse
from core.audit import Action, Entry
from core.errors import TutorqError
from core.sealing import sealer
from core.settings import Settings
from reports.chat import own_recipient, own_target
from reports.examples import made_up
from reports.kinds import ReportKind
from reports.preview import Mark, marked
from reports.providers.chat import ChatUrlError, check_own_url

SUBJECT = "person"
FIELDS = (
    "kinds", "told_by", "is_daily", "only_own_tutors", "quiet_from", "quiet_to", "time_zone", "chat_service",
)  # fmt: skip

IS_ZONE = "select now() at time zone $1::text"
FIND = f"select {', '.join(FIELDS)} from app.notification_preferences where person_id = $1 for update"
# $11: the chat URL stays as it is. What is told of anew is told from now on: what happened before is no news.
SAVE = """
insert into app.notification_preferences as known (
    person_id, kinds, told_by, is_daily, only_own_tutors, quiet_from, quiet_to, time_zone, chat_service,
    sealed_chat_url
)
select
    person.person_id, $2::text[], $3::text, $4::boolean, $5::boolean, $6::time, $7::time, $8::text,
    case when $11::boolean then kept.chat_service else $9::text end,
    case when $11 then kept.sealed_chat_url else $10::text end
from (select $1::bigint as person_id) as person
left join app.notification_preferences as kept on kept.person_id = person.person_id
on conflict (person_id) do update set
    kinds = excluded.kinds,
    told_by = excluded.told_by,
    is_daily = excluded.is_daily,
    only_own_tutors = excluded.only_own_tutors,
    quiet_from = excluded.quiet_from,
    quiet_to = excluded.quiet_to,
    time_zone = excluded.time_zone,
    chat_service = excluded.chat_service,
    sealed_chat_url = excluded.sealed_chat_url,
    changed_at = now(),
    since = case
        when
            known.told_by <> 'nothing' and excluded.kinds <@ known.kinds
            and (excluded.only_own_tutors or not known.only_own_tutors)
            then known.since
        else now()
    end
"""
# They say themselves that they want it: an older opt-out does not hold any more.
FORGET_OPT_OUT = """
delete from app.mail_opt_outs as opt_out
using app.people
where
    people.person_id = $1 and opt_out.address = lower(people.email)
    and (opt_out.kind = 'notification' or (opt_out.kind = 'daily_digest' and 'daily_digest' = any($2::text[])))
"""
FIND_CHAT = "select chat_service from app.notification_preferences where person_id = $1 and told_by = 'chat'"
QUEUE_TEST = """
insert into app.email_reports (channel, kind, topic, unique_key, recipient, subject, payload)
values ('chat', $1, $2, $2, $3::text, $4, $5::text::jsonb)
returning report_id
"""
NO_CHAT = "You are not told by chat. Choose a chat of yours and save, then send the test."


class Preferences:
    """Writes `app.notification_preferences`."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self._pool = pool
        self._settings = settings

    async def save(self, person_id: int, wanted: NotificationPreferencesPut, actor: str) -> None:
        """Have the person told so from now on.

        Raises:
            InvalidRequestError: the database does not know the zone, the chat URL is none, or there is none to tell by.
            NotConfiguredError: there is no key to encrypt the chat URL with.
            DatabaseUnavailableError: the server cannot be reached, or not in time.
        """
        stays = "chat_url" not in wanted.model_fields_set
        service, sealed = await self._chat(wanted.chat_url)
        kinds = [kind.value for kind in wanted.kinds]
        own = (kinds, wanted.told_by, wanted.is_daily, wanted.only_own_tutors, *wanted.quiet_hours, wanted.time_zone)

        async def work(connection: Any) -> None:
            async with connection.transaction():
                known = await connection.fetchrow(FIND, person_id)
                has_chat = (known is not None and known["chat_service"]) if stays else service
                if wanted.told_by == "chat" and not has_chat:
                    raise _invalid("chat_url", "is needed to be told by chat")
                await connection.execute(SAVE, person_id, *own, service, sealed, stays)
                if wanted.told_by == "mail":
                    await connection.execute(FORGET_OPT_OUT, person_id, kinds)
                before = dict(known) if known else {}
                after = dict(zip(FIELDS, (*own, before.get("chat_service") if stays else service), strict=True))
                differs = {
                    name: {"from": _shown(before.get(name)), "to": _shown(after[name])}
                    for name in FIELDS
                    if before.get(name) != after[name]
                }
                if sealed:
                    differs["chat_url"] = {"to": "another one"}
                if differs:
                    await record(
                        connection, Entry(actor, Action.NOTIFICATIONS_CHANGE, SUBJECT, str(person_id), differs)
                    )

        async def checked(connection: Any) -> None:
            try:
                await connection.fetchval(IS_ZONE, wanted.time_zone)
            except asyncpg.InvalidParameterValueError as error:
                raise _invalid("time_zone", "is not known to the database") from error
            await work(connection)

        await with_app_tables(self._pool, checked)

    async def test_chat(self, person_id: int, actor: str, limit: ActionLimit) -> bytes:
        """Queue a test with made-up facts for the person's own chat, which is tried once. A `QueuedTestResponse`.

        Raises:
            ConflictError: the person is not told by chat.
            TooManyRequestsError: the person has just had some.
            DatabaseUnavailableError: the server cannot be reached, or not in time.
        """
        await limit.spend(("person", person_id))
        kind = ReportKind.NOTIFICATION
        example = made_up(self._settings, kind, datetime.now(UTC))
        assert example is not None
        test = marked(example, Mark.TEST, topic=f"test:{kind}:{uuid4()}", to=[])
        payload = json.dumps({**test.payload, "target": own_target(person_id)}, default=str)

        async def work(connection: Any) -> tuple[UUID, str]:
            async with connection.transaction():
                service = await connection.fetchval(FIND_CHAT, person_id)
                if service is None:
                    raise ConflictError(NO_CHAT)
                recipient = own_recipient(service, person_id)
                report_id: UUID = await connection.fetchval(
                    QUEUE_TEST, kind.value, test.topic, recipient, test.subject, payload
                )
                details = {"kind": kind.value, "channel": "chat"}
                await record(connection, Entry(actor, Action.MAIL_TEST, "report", str(report_id), details))
                return report_id, recipient

        report_id, recipient = await with_app_tables(self._pool, work)
        return QueuedTestResponse(data=QueuedTest(report_id=report_id, recipient=recipient)).model_dump_json().encode()

    async def _chat(self, url: str | None) -> tuple[str | None, str | None]:
        """The service of a URL, and the URL encrypted."""
        if url is None:
            return None, None
        try:
            # In a thread: the first time Apprise loads all its plug-ins.
            service = await asyncio.to_thread(check_own_url, url)
        except ChatUrlError as error:
            raise _invalid("chat_url", str(error)) from error
        try:
            # Read anew: the key may have been rotated since.
            box = await asyncio.to_thread(sealer, self._settings)
        except TutorqError as error:
            raise NotConfiguredError(f"{error}.") from error
        return service, box.seal(url)


def _invalid(field: str, message: str) -> Exception:
    return bodies.invalid([FieldError(field=field, message=message)])


def _shown(value: object) -> object:
    return value if value is None or isinstance(value, (list, bool)) else str(value)
