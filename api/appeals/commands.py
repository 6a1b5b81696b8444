"""What happens to appeals: sent, withdrawn, decided. Each with its entry in the audit log and its mail, in one
transaction; a granted one also with its excuses and corrections, so that scores follow at once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from api.appeals import mail
from api.appeals.corrections import STILL_COUNTS, StillCountsError, corrected, still_counts
from api.appeals.deciders import sent_by, why_not
from api.appeals.queries import HAPPENED, MISSING
from api.appeals.schemas import AnswerPreview, DecisionPost, Objection
from api.audit_writer import record
from api.bodies import invalid
from api.callers import AnyCaller
from api.database import with_app_tables
from api.excuses.commands import excuse_all
from api.paths import NO_SESSION, NO_TUTOR, names_of
from api.problems import BusyError, ConflictError, FieldError, ForbiddenError, NotFoundError
from api.sessions.ledger import Ledger
from core import locks
from core.appeals import AppealState, Happened, Remedy
from core.audit import Action, Entry
from core.settings import Settings
from ingest.rows import Row

# A tutor who has more than these open gets answers first.
MOST_OPEN = 20
SUBJECT = "appeal"
EXCUSE_REASON = "Appeal {appeal_id} granted"

LOCK_TUTOR = f"select pg_advisory_xact_lock({locks.APPEAL}, hashtext($1::text))"
TUTOR = "select tutor_id from marts.dim_tutors where tutor_id = $1::text::uuid or external_id = $2"
SESSIONS = f"""
select sessions.session_id, {HAPPENED} as happened
from marts.fct_sessions as sessions
where sessions.tutor_id = $1 and sessions.session_id = any($2)
"""
# By UUID, or by the external id where it was no UUID.
NAMED = """
select session_id from marts.fct_sessions
where tutor_id = $1 and (session_id = $2::text::uuid or external_id = $3)
"""
OPEN = "select concern from app.appeals where tutor_id = $1 and state = 'open'"
OPEN_SESSIONS = """
select about.session_id
from app.appeal_sessions as about
inner join app.appeals as appeals on about.appeal_id = appeals.appeal_id
where appeals.tutor_id = $1 and appeals.state = 'open' and about.session_id = any($2)
"""
IS_RAISED = """
select exists (
    select from marts.tutor_concerns
    where tutor_id = $1 and concern = $2 and status = 'raised' and not superseded
)
"""
ADD = """
insert into app.appeals (tutor_id, concern, reason, text, created_by, due_on, link_made_by)
values ($1, $2, $3, $4, $5, (now() at time zone $6)::date + $7::int, $8)
returning *
"""
ADD_SESSIONS = """
insert into app.appeal_sessions (appeal_id, session_id, happened)
select $1, session_id, happened from unnest($2::uuid[], $3::text[]) as about (session_id, happened)
"""
FIND = "select * from app.appeals where appeal_id = $1 for update"
ABOUT = "select session_id, happened from app.appeal_sessions where appeal_id = $1"
WITHDRAW = "update app.appeals set state = 'withdrawn', settled_at = now() where appeal_id = $1"
DECIDE = """
update app.appeals
set state = $2, settled_at = now(), decided_by = $3, decider_id = $4, answer = $5
where appeal_id = $1
returning *
"""
# Of an appeal about a concern, the sessions come with the decision.
NOTE_REMEDY = """
insert into app.appeal_sessions as about (appeal_id, session_id, happened, remedy)
select $1, session_id, happened, remedy
from unnest($2::uuid[], $3::text[], $4::text[]) as done (session_id, happened, remedy)
on conflict (appeal_id, session_id) do update set remedy = excluded.remedy
"""

NOT_OF_TUTOR = "is no session that counts against this tutor"
IS_OPEN_ALREADY = "Somebody is looking at this already: an appeal about it is open."
NOT_SENT_BY_YOU = "Only who sent this appeal takes it back. A tutor does so on their own page."
IS_SETTLED = "The appeal is settled already."
TOO_MANY = f"{MOST_OPEN} appeals of this tutor are open. Wait for their answers."

Result = TypeVar("Result")
About = Mapping[UUID, Happened]


class Appeals:
    """Writes `app.appeals` and what follows from a decision.

    Raises (every method):
        BusyError: somebody else has been writing the same session for too long.
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, ledger: Ledger, settings: Settings) -> None:
        self._pool = pool
        self._ledger = ledger
        self._settings = settings

    async def open_for(self, delivered_id: str, wanted: Objection, actor: str) -> int:
        """An appeal that somebody sends for a tutor; its number.

        Raises:
            NotFoundError: there is no such tutor.
            InvalidRequestError, ConflictError: as `open`.
        """

        async def find(connection: Any) -> UUID:
            tutor_id: UUID | None = await connection.fetchval(TUTOR, *names_of(delivered_id, NO_TUTOR))
            if tutor_id is None:
                raise NotFoundError(NO_TUTOR)
            return tutor_id

        return await self.open(await self._run(find), wanted, actor)

    async def open(self, tutor_id: UUID, wanted: Objection, actor: str, *, link_made_by: str | None = None) -> int:
        """A new appeal; its number. The tutor gets a mail that says until when there will be an answer.

        Args:
            link_made_by: who made the link of the page from which it is sent.

        Raises:
            InvalidRequestError: a session does not count against the tutor, or the concern is not raised.
            ConflictError: an appeal about the same is open, or too many are.
        """

        async def work(connection: Any) -> int:
            async with connection.transaction():
                await connection.execute(LOCK_TUTOR, str(tutor_id))
                about = await self._about(connection, tutor_id, wanted)
                await self._check_open(connection, tutor_id, wanted, about)
                row = await connection.fetchrow(
                    ADD, tutor_id, wanted.concern, wanted.reason, wanted.text, actor,
                    self._settings.timezone, self._settings.appeal_days, link_made_by,
                )  # fmt: skip
                appeal_id = int(row["appeal_id"])
                if about:
                    await connection.execute(ADD_SESSIONS, appeal_id, list(about), list(about.values()))
                details = {
                    "tutor_id": tutor_id,
                    "concern": wanted.concern,
                    "reason": wanted.reason,
                    "sessions": list(about),
                    **_by_link(link_made_by),
                }
                # Not the text: the log is kept for longer, and health is nobody's business there.
                await record(connection, Entry(actor, Action.APPEAL_OPEN, SUBJECT, str(appeal_id), details))
                await mail.queue_received(connection, row)
                return appeal_id

        return await self._run(work)

    async def withdraw_for(self, appeal_id: int, caller: AnyCaller) -> None:
        """Take back an open appeal that the caller sent for a tutor. Nobody else may, and least of all who would have
        to decide it: it would be gone without an answer.

        Raises:
            NotFoundError: there is no such appeal.
            ForbiddenError: somebody else sent it.
            ConflictError: it is settled.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                appeal = await connection.fetchrow(FIND, appeal_id)
                if appeal is not None and not sent_by(appeal["created_by"], caller):
                    raise ForbiddenError(NOT_SENT_BY_YOU)
                await self._withdraw(connection, await _open_one(connection, appeal_id), caller.actor, {})

        await self._run(work)

    async def withdraw(self, appeal_id: int, actor: str, *, tutor_id: UUID, link_made_by: str) -> None:
        """Take back an open appeal of this tutor, on their own page.

        Raises:
            NotFoundError: this tutor has no such appeal.
            ConflictError: it is settled.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                appeal = await _open_one(connection, appeal_id, tutor_id)
                await self._withdraw(connection, appeal, actor, _by_link(link_made_by))

        await self._run(work)

    async def _withdraw(self, connection: Any, appeal: Mapping[str, Any], actor: str, details: dict[str, Any]) -> None:
        await connection.execute(WITHDRAW, appeal["appeal_id"])
        await record(connection, Entry(actor, Action.APPEAL_WITHDRAW, SUBJECT, str(appeal["appeal_id"]), details))

    async def decide(self, appeal_id: int, wanted: DecisionPost, caller: AnyCaller) -> None:
        """Grant or decline an open appeal: excuses and corrections, the tutor's mail, and the scores follow.

        Raises:
            NotFoundError: there is no such appeal.
            ForbiddenError: the caller had a part in what it is about, or is no lead.
            ConflictError: it is settled; or a session has changed just now.
            InvalidRequestError: the sessions do not fit the appeal.
        """

        async def work(connection: Any) -> None:
            async with connection.transaction():
                appeal, about = await self._judged(connection, appeal_id, wanted, caller)
                changed = await self._remedy(connection, appeal_id, about, wanted, caller.actor)
                row = await connection.fetchrow(
                    DECIDE, appeal_id, wanted.decision, caller.actor, getattr(caller, "person_id", None), wanted.answer
                )
                details = {
                    "tutor_id": appeal["tutor_id"],
                    "decision": wanted.decision,
                    "sessions": {str(each.session_id): each.remedy for each in wanted.sessions},
                }
                await record(connection, Entry(caller.actor, Action.APPEAL_DECIDE, SUBJECT, str(appeal_id), details))
                await mail.queue_answer(connection, row)
                left = await self._ledger.live.refresh(connection, changed)
            self._ledger.live.follow_up(left)

        await self._run(work)

    async def preview(self, appeal_id: int, wanted: DecisionPost, caller: AnyCaller) -> AnswerPreview:
        """The mail that this decision would send. Nothing is stored.

        Raises:
            NotFoundError, ForbiddenError, ConflictError, InvalidRequestError: as `decide`.
        """

        async def work(connection: Any) -> tuple[str | None, dict[str, Any]]:
            async with connection.transaction():
                appeal, about = await self._judged(connection, appeal_id, wanted, caller)
                decided = {**appeal, "state": wanted.decision, "answer": wanted.answer}
                remedies = {each.session_id: each.remedy for each in wanted.sessions}
                return await mail.answer(connection, decided, about, remedies)

        recipient, payload = await self._run(work)
        return mail.rendered(self._settings, recipient, payload)

    async def _about(self, connection: Any, tutor_id: UUID, wanted: Objection) -> dict[UUID, Happened]:
        """The sessions that it is about, and what happened to each."""
        if wanted.concern is not None:
            if not await connection.fetchval(IS_RAISED, tutor_id, wanted.concern):
                raise invalid([FieldError(field="concern", message="is not raised for this tutor")])
            return {}
        found: list[UUID] = []
        errors = []
        for place, delivered in enumerate(wanted.session_ids):
            session_id = await connection.fetchval(NAMED, tutor_id, *names_of(delivered, NO_SESSION))
            if session_id is None:
                errors.append(FieldError(field=f"session_ids.{place}", message=NOT_OF_TUTOR))
            else:
                found.append(session_id)
        about = await _counted(connection, tutor_id, found)
        for place, session_id in enumerate(found):
            if not errors and session_id not in about:
                errors.append(FieldError(field=f"session_ids.{place}", message=NOT_OF_TUTOR))
        if errors:
            raise invalid(errors)
        return about

    async def _check_open(self, connection: Any, tutor_id: UUID, wanted: Objection, about: About) -> None:
        concerns = [row["concern"] for row in await connection.fetch(OPEN, tutor_id)]
        if len(concerns) >= MOST_OPEN:
            raise ConflictError(TOO_MANY)
        is_asked = wanted.concern is not None and wanted.concern in concerns
        if is_asked or await connection.fetch(OPEN_SESSIONS, tutor_id, list(about)):
            raise ConflictError(IS_OPEN_ALREADY)

    async def _judged(
        self, connection: Any, appeal_id: int, wanted: DecisionPost, caller: AnyCaller
    ) -> tuple[Mapping[str, Any], dict[UUID, Happened]]:
        """An open appeal that the caller may decide in this way, and the sessions that can be changed."""
        appeal = await _open_one(connection, appeal_id)
        about = {row["session_id"]: Happened(row["happened"]) for row in await connection.fetch(ABOUT, appeal_id)}
        chosen = [each.session_id for each in wanted.sessions]
        if appeal["concern"] is not None:
            about = await _counted(connection, appeal["tutor_id"], chosen)
        if refusal := await why_not(connection, appeal, [*about, *chosen], caller):
            raise ForbiddenError(refusal)
        if wanted.decision == "granted" and appeal["concern"] is None and not chosen:
            raise invalid([FieldError(field="sessions", message="say what is excused or corrected")])
        errors = []
        for place, each in enumerate(wanted.sessions):
            happened = about.get(each.session_id)
            if happened is None:
                errors.append(FieldError(field=f"sessions.{place}.session_id", message="is no part of this appeal"))
            elif each.remedy is Remedy.EXCUSED and happened is Happened.LATE:
                message = "a late start cannot be excused; correct the record with began_on_time"
                errors.append(FieldError(field=f"sessions.{place}.remedy", message=message))
            elif each.remedy is Remedy.CORRECTED and (problem := still_counts(happened, each)):
                errors.append(FieldError(field=f"sessions.{place}", message=problem))
        if errors:
            raise invalid(errors)
        return appeal, about

    async def _remedy(
        self, connection: Any, appeal_id: int, about: About, wanted: DecisionPost, actor: str
    ) -> list[UUID]:
        """Excuse and correct as is wanted; the sessions whose scores have to follow."""
        rows: list[Row] = []
        entries = []
        now = datetime.now(UTC)
        for each in sorted(wanted.sessions, key=lambda one: one.session_id):
            if each.remedy is not Remedy.CORRECTED:
                continue
            try:
                newer, changes = await corrected(connection, each, now)
            except LookupError as error:
                raise ConflictError("A session of the appeal was deleted meanwhile.") from error
            except StillCountsError as error:
                field = f"sessions.{wanted.sessions.index(each)}"
                raise invalid([FieldError(field=field, message=STILL_COUNTS[Happened.MOVED])]) from error
            rows += newer
            details = {"appeal_id": appeal_id, **changes}
            entries.append(Entry(actor, Action.SESSION_CORRECT, "session", str(each.session_id), details))
        changed = await self._ledger.write_within(connection, rows) if rows else []
        await record(connection, *entries)
        excused = [each.session_id for each in wanted.sessions if each.remedy is Remedy.EXCUSED]
        reason = EXCUSE_REASON.format(appeal_id=appeal_id)
        changed += await excuse_all(connection, excused, reason, actor, appeal_id=appeal_id)
        if wanted.sessions:
            done = [(each.session_id, about[each.session_id], each.remedy) for each in wanted.sessions]
            await connection.execute(NOTE_REMEDY, appeal_id, *map(list, zip(*done, strict=True)))
        return changed

    async def _run(self, work: Callable[[Any], Awaitable[Result]]) -> Result:
        try:
            return await with_app_tables(self._pool, work)
        except asyncpg.LockNotAvailableError as error:
            raise BusyError("Somebody else is writing this just now.", headers={"Retry-After": "1"}) from error


def _by_link(made_by: str | None) -> dict[str, Any]:
    """For the audit log: the tutor is who has the link, and so is who made it."""
    return {"link_made_by": made_by} if made_by is not None else {}


async def _open_one(connection: Any, appeal_id: int, tutor_id: UUID | None = None) -> Mapping[str, Any]:
    """An open appeal, locked."""
    appeal = await connection.fetchrow(FIND, appeal_id)
    if appeal is None or (tutor_id is not None and appeal["tutor_id"] != tutor_id):
        raise NotFoundError(MISSING)
    if appeal["state"] != AppealState.OPEN:
        raise ConflictError(IS_SETTLED)
    found: Mapping[str, Any] = dict(appeal)
    return found


async def _counted(connection: Any, tutor_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, Happened]:
    """Those of the sessions that count against the tutor, and what happened to each."""
    rows = await connection.fetch(SESSIONS, tutor_id, list(session_ids))
    return {row["session_id"]: Happened(row["happened"]) for row in rows if row["happened"] is not None}
