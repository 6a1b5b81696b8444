"""A mail as it would look now, due or not; nothing is queued."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg

from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from reports import conditions, due, facts, troubles, weekly
from reports.examples import EXAMPLE, made_up
from reports.kinds import PREVIEWED, ReportKind
from reports.outbox import Draft
from reports.render import Rendered, render
from reports.subjects import subject_of

CHOSEN_TUTOR = """
select scores.tutor_id, scores.risk_status, scores.as_of
from marts.tutor_scores as scores
where
    (%(tutor)s::text is not null and (scores.tutor_id::text = %(tutor)s or scores.external_id = %(tutor)s))
    or (%(tutor)s is null and scores.sessions_90d > 0)
order by scores.risk_status in ('watch', 'high_risk') desc, scores.risk_probability desc nulls last, scores.tutor_id
limit 1
"""

# Who gets a snapshot this month; flagged ones first, because their mail says most.
SNAPSHOT_TUTORS = """
select scores.tutor_id
from marts.tutor_scores as scores
inner join marts.dim_tutors as tutors on scores.tutor_id = tutors.tutor_id
where
    tutors.is_active
    and tutors.email is not null
    and exists (
        select from marts.fct_sessions as sessions
        where
            sessions.tutor_id = scores.tutor_id
            and sessions.is_final
            and date_trunc('month', sessions.counted_on::timestamp) = date_trunc('month', %(today)s::timestamp)
            - interval '1 month'
    )
order by scores.risk_status in ('high_risk', 'watch') desc, scores.risk_probability desc nulls last, scores.tutor_id
limit 10
"""


class NothingToShowError(TutorqError):
    """There is nothing yet that such a mail could be made of."""


class Mark(StrEnum):
    """What a mail is that tells nobody anything; a line at its top says so. Keys of `MARKS` in render.py, beside
    `example`, which previews with made-up facts have."""

    TEST = "test"
    SAMPLE = "sample"


def preview(
    settings: Settings, database: Database, kind: str, *, tutor: str | None = None, session: str | None = None
) -> Rendered:
    """Render a mail of this kind about a tutor or session (UUID or external id), or else about a telling example; mail
    that answers what one person did, with made-up facts.

    Raises:
        TutorqError: no such kind.
        NothingToShowError: nothing is published, or there is nothing to make such a mail of.
    """
    with database.connect() as connection:
        draft = draft_of(settings, connection, kind, tutor=tutor, session=session)
    return render(settings, kind, draft.subject, draft.payload)


def draft_of(
    settings: Settings,
    connection: psycopg.Connection,
    kind: str,
    *,
    tutor: str | None = None,
    session: str | None = None,
) -> Draft:
    """The same before it is rendered; for nobody.

    Raises:
        TutorqError: as `preview`.
    """
    if kind not in PREVIEWED:
        raise TutorqError(f"{kind!r} is not one of {', '.join(PREVIEWED)}")
    if not is_published(connection):
        raise NothingToShowError("nothing is published yet; `tutorq score` does it")
    return _draft(settings, connection, ReportKind(kind), tutor, session)


def is_published(connection: psycopg.Connection) -> bool:
    """Whether there are scores that mail can be made of."""
    return connection.execute(due.IS_PUBLISHED).fetchone() == (True,)


def marked(draft: Draft, mark: Mark, *, topic: str, to: Sequence[str]) -> Draft:
    """The draft as a test or a sample: its subject and the top of its text say so, and its topic is one of its own."""
    subject = f"{mark.capitalize()}: {draft.subject}"
    kind_of_mark = f"{mark} of an {EXAMPLE}" if draft.payload.get("mark") == EXAMPLE else mark.value
    return Draft(draft.kind, topic, to, subject, {**draft.payload, "mark": kind_of_mark})


def _draft(
    settings: Settings, connection: psycopg.Connection, kind: ReportKind, tutor: str | None, session: str | None
) -> Draft:
    now = datetime.now(ZoneInfo(settings.timezone))
    today = now.date()
    match kind:
        case ReportKind.SESSION_REPORT:
            payload = facts.one_session(connection, session)
            if payload is None:
                raise NothingToShowError(f"there is no session {session!r}" if session else "no session went wrong yet")
            return Draft(kind, kind, [], subject_of(kind, payload), payload)
        case ReportKind.RISK_ALERT:
            chosen, status, as_of = _tutor(connection, tutor)
            if status not in ("watch", "high_risk"):
                raise NothingToShowError("this tutor is not flagged" if tutor else "no tutor is flagged")
            crossing = {
                "tutor_id": chosen, "alerted_status": status, "alerted_on": as_of, "previous_status": "ok",
            }  # fmt: skip
            return due.risk_alerts(connection, [crossing], [])[0]
        case ReportKind.DAILY_DIGEST:
            digest = due.digest(connection, settings, [], on_since=None)
            if digest is None:
                raise NothingToShowError("nothing changed on the last recorded day, so there would be no digest")
            return digest
        case ReportKind.WEEKLY_REPORT:
            report = weekly.draft(connection, settings, None, today, [])
            if report is None:
                raise NothingToShowError("the first roll-over has not finished yet")
            return report
        case ReportKind.TUTOR_SNAPSHOT:
            return _snapshot(connection, today, tutor)
        case ReportKind.ALERT:
            trouble = next(troubles.troubles(connection), None)
            example = troubles.run_failed("score", "4f1c0a52-example", f"http://localhost:{settings.dagster_port}")
            return conditions.draft(settings, trouble or example, datetime.now(UTC))
        case _:
            draft = made_up(settings, kind, now)
            assert draft is not None, kind
            return draft


def _snapshot(connection: psycopg.Connection, today: date, tutor: str | None) -> Draft:
    if tutor:
        tutors = [_tutor(connection, tutor)[0]]
    else:
        tutors = [tutor_id for (tutor_id,) in connection.execute(SNAPSHOT_TUTORS, {"today": today})]
    for each in tutors:
        # An address that no mail can go to has none.
        if drafts := due.snapshots(connection, today, each):
            return drafts[0]
    raise NothingToShowError("no such tutor with an address had sessions last month")


def _tutor(connection: psycopg.Connection, tutor: str | None) -> tuple[UUID, str, object]:
    row = connection.execute(CHOSEN_TUTOR, {"tutor": tutor}).fetchone()
    if row is None:
        raise NothingToShowError(f"there is no tutor {tutor!r}" if tutor else "no tutor has sessions")
    return row[0], row[1], row[2]
