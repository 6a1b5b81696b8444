"""Mail to tutors about their appeals. It is queued in the transaction of the deed, and rendered when it is sent."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json

from api.appeals.schemas import AnswerPreview
from core.appeals import ANSWER, HAS_ADDRESS, RECEIVED, Happened, Remedy
from core.settings import Settings
from reports.render import render
from reports.subjects import subject_of

QUEUE = """
insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload)
values ($1, $2, $2 || ':' || $3, $3, $4, $5::text::jsonb)
on conflict (unique_key) do nothing
"""
TUTOR = f"""
select
    name, external_id, tutor_id,
    case when {HAS_ADDRESS.format(email="email")} then email end as recipient
from marts.dim_tutors where tutor_id = $1
"""
TIMES = "select session_id, scheduled_time, subject from marts.fct_sessions where session_id = any($1)"
ABOUT = "select session_id, happened, remedy from app.appeal_sessions where appeal_id = $1"
TOLD = ("appeal_id", "tutor_id", "concern", "reason", "text", "state", "created_at", "due_on", "answer")

Appeal = Mapping[str, Any]


async def queue_received(connection: Any, appeal: Appeal) -> None:
    """Tell the tutor that the appeal has arrived, and until when there will be an answer."""
    await _queue(connection, RECEIVED, appeal, *await _stored(connection, appeal))


async def queue_answer(connection: Any, appeal: Appeal) -> None:
    """Tell the tutor what was decided, and why."""
    await _queue(connection, ANSWER, appeal, *await _stored(connection, appeal))


async def answer(
    connection: Any, appeal: Appeal, about: Mapping[UUID, Happened], remedies: Mapping[UUID, Remedy]
) -> tuple[str | None, dict[str, Any]]:
    """To whom the answer would go, and what it would be made of."""
    tutor = await connection.fetchrow(TUTOR, appeal["tutor_id"])
    times = {row["session_id"]: row for row in await connection.fetch(TIMES, list(about))}
    sessions = [
        {
            "happened": happened,
            "remedy": remedies.get(session_id),
            "scheduled_time": times[session_id]["scheduled_time"] if session_id in times else None,
            "subject": times[session_id]["subject"] if session_id in times else None,
        }
        for session_id, happened in about.items()
    ]
    payload = {
        "appeal": {name: appeal[name] for name in TOLD},
        "tutor": {name: tutor[name] for name in ("tutor_id", "external_id", "name")} if tutor else {},
        "sessions": sorted(sessions, key=lambda each: str(each["scheduled_time"])),
    }
    return (tutor["recipient"] if tutor else None), payload


def rendered(settings: Settings, recipient: str | None, payload: dict[str, Any]) -> AnswerPreview:
    """The answer as the tutor would read it."""
    known: dict[str, Any] = _plain(payload)
    mail = render(settings, ANSWER, subject_of(ANSWER, known), known)
    return AnswerPreview(recipient=recipient, subject=mail.subject, text=mail.text)


async def _stored(connection: Any, appeal: Appeal) -> tuple[str | None, dict[str, Any]]:
    rows = await connection.fetch(ABOUT, appeal["appeal_id"])
    about = {row["session_id"]: Happened(row["happened"]) for row in rows}
    remedies = {row["session_id"]: Remedy(row["remedy"]) for row in rows if row["remedy"]}
    return await answer(connection, appeal, about, remedies)


async def _queue(connection: Any, kind: str, appeal: Appeal, recipient: str | None, payload: dict[str, Any]) -> None:
    if recipient is None:
        return
    topic = f"{kind}:{appeal['appeal_id']}"
    body = to_json(payload).decode()
    await connection.execute(QUEUE, kind, topic, recipient, subject_of(kind, _plain(payload)), body)


def _plain(payload: dict[str, Any]) -> Any:
    """As it comes out of the outbox."""
    from_outbox: Any = from_json(to_json(payload))
    return from_outbox
