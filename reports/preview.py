"""A mail as it would look now, due or not; nothing is queued."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg

from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from reports import conditions, due, facts, troubles
from reports.outbox import Draft
from reports.render import Rendered, render
from reports.subjects import subject_of

KINDS = ("session_report", "risk_alert", "daily_digest", "tutor_snapshot", "alert")

CHOSEN_TUTOR = """
select scores.tutor_id, scores.risk_status, scores.as_of
from marts.tutor_scores as scores
where
    (%(tutor)s::text is not null and (scores.tutor_id::text = %(tutor)s or scores.external_id = %(tutor)s))
    or (%(tutor)s is null and scores.sessions_90d > 0)
order by scores.risk_probability desc nulls last, scores.tutor_id
limit 1
"""


def preview(
    settings: Settings, database: Database, kind: str, *, tutor: str | None = None, session: str | None = None
) -> Rendered:
    """Render a mail of this kind about a tutor or session (UUID or external id), or else about a telling example.

    Raises:
        TutorqError: no such kind, nothing is published, or there is nothing to make such a mail of.
    """
    if kind not in KINDS:
        raise TutorqError(f"{kind!r} is not one of {', '.join(KINDS)}")
    with database.connect() as connection:
        if not (connection.execute(due.IS_PUBLISHED).fetchone() or (False,))[0]:
            raise TutorqError("nothing is published yet; `tutorq score` does it")
        draft = _draft(settings, connection, kind, tutor, session)
    return render(settings, kind, draft.subject, draft.payload)


def _draft(
    settings: Settings, connection: psycopg.Connection, kind: str, tutor: str | None, session: str | None
) -> Draft:
    match kind:
        case "session_report":
            payload = facts.one_session(connection, session)
            if payload is None:
                raise TutorqError(f"there is no session {session!r}" if session else "no session went wrong yet")
            return Draft(kind, kind, [], subject_of(kind, payload), payload)
        case "risk_alert":
            chosen, status, as_of = _tutor(connection, tutor)
            if status not in ("watch", "high_risk"):
                raise TutorqError("this tutor is not flagged" if tutor else "no tutor is flagged")
            crossing = {
                "tutor_id": chosen, "alerted_status": status, "alerted_on": as_of, "previous_status": "ok",
            }  # fmt: skip
            return due.risk_alerts(connection, [crossing], [])[0]
        case "daily_digest":
            digest = due.digest(connection, settings, [], on_since=None)
            if digest is None:
                raise TutorqError("nothing changed on the last recorded day, so there would be no digest")
            return digest
        case "tutor_snapshot":
            today = datetime.now(ZoneInfo(settings.timezone)).date()
            drafts = due.snapshots(connection, today, _tutor(connection, tutor)[0] if tutor else None)
            if not drafts:
                raise TutorqError("no such tutor with an address had sessions last month")
            flagged = ("high_risk", "watch")
            return min(drafts, key=lambda draft: draft.payload["tutor"]["risk_status"] not in flagged)
        case _:
            trouble = next(troubles.troubles(connection), None)
            example = troubles.run_failed("score", "4f1c0a52-example", f"http://localhost:{settings.dagster_port}")
            return conditions.draft(settings, trouble or example, datetime.now(UTC))


def _tutor(connection: psycopg.Connection, tutor: str | None) -> tuple[UUID, str, object]:
    row = connection.execute(CHOSEN_TUTOR, {"tutor": tutor}).fetchone()
    if row is None:
        raise TutorqError(f"there is no tutor {tutor!r}" if tutor else "no tutor has sessions")
    return row[0], row[1], row[2]
