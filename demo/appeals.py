"""Three appeals of the made-up marketplace, once it is scored: one open, one granted, one declined."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import psycopg

from core import audit
from core.appeals import HAS_ADDRESS, TUTOR
from core.audit import Action
from core.people import Person

SUBJECT = "appeal"
EXCUSE_REASON = "Appeal {appeal_id} granted"

# The tutor of concern with most at risk whose records name the reason that is pleaded. A case of theirs is open.
TUTOR_OF = f"""
select scores.tutor_id
from marts.tutor_scores as scores
inner join marts.dim_tutors as tutors on scores.tutor_id = tutors.tutor_id
where scores.is_active and scores.attention and scores.let_downs_90d between 3 and 60
    and {HAS_ADDRESS.format(email="tutors.email")}
    and scores.tutor_id <> all(%(others)s::uuid[])
    and (
        select count(*) from marts.fct_sessions as sessions
        where sessions.tutor_id = scores.tutor_id
            and (sessions.is_let_down or sessions.is_tutor_no_show)
            and sessions.reason_code = %(recorded)s
            and sessions.scheduled_time between now() - interval '60 days' and now() - %(sent)s
    ) >= %(sessions)s
order by scores.harm_sessions desc nulls last, scores.tutor_id
limit 1
"""
SESSIONS = """
select
    session_id,
    case when is_tutor_no_show then 'missed' when is_tutor_cancellation then 'cancelled' else 'moved' end
from marts.fct_sessions
where tutor_id = %(tutor)s
    and (is_let_down or is_tutor_no_show)
    and reason_code = %(recorded)s
    and scheduled_time between now() - interval '60 days' and now() - %(sent)s
order by scheduled_time desc, session_id
limit %(sessions)s
"""
ADD = """
insert into app.appeals (tutor_id, reason, text, created_by, created_at, due_on)
values (%(tutor)s, %(reason)s, %(text)s, %(by)s, now() - %(sent)s, current_date - %(sent)s::interval + %(lasts)s)
returning appeal_id
"""
ADD_SESSION = "insert into app.appeal_sessions (appeal_id, session_id, happened, remedy) values (%s, %s, %s, %s)"
DECIDE = """
update app.appeals
set
    state = %(state)s, settled_at = now() - %(decided)s, decided_by = %(by)s, decider_id = %(number)s,
    answer = %(answer)s
where appeal_id = %(appeal)s
"""
EXCUSE = """
insert into app.excuses (session_id, reason, created_by) values (%s, %s, %s) on conflict (session_id) do nothing
"""


@dataclass(frozen=True, slots=True)
class Example:
    """An appeal as somebody could have sent it."""

    reason: str
    text: str
    # What the records of its sessions name as the reason.
    recorded: str
    sessions: int
    sent: timedelta
    state: str = "open"
    answer: str = ""


EXAMPLES = (
    Example(
        "illness",
        "I was ill both times and let my students know as soon as I could. I can send you the notes of my doctor.",
        recorded="illness",
        sessions=2,
        sent=timedelta(days=3),
    ),
    Example(
        "technical",
        "My internet connection was down both times. My provider has confirmed it, and I have sent you the letter.",
        recorded="technical",
        sessions=2,
        sent=timedelta(days=9),
        state="granted",
        answer="The letter confirms it. Both sessions are excused.",
    ),
    Example(
        "agreed",
        "The student's mother asked for another day.",
        recorded="conflict",
        sessions=1,
        sent=timedelta(days=12),
        state="declined",
        answer="The move was asked for from your account, and the family says that they did not ask for it. "
        "If you have a message that shows it, please appeal again and tell us.",
    ),
)


def write_appeals(connection: psycopg.Connection, decider: Person, days: int) -> UUID | None:
    """Write the examples that fit somebody of concern; whose the open one is, or None.

    Args:
        decider: who has decided two of them.
        days: within how many days appeals are to be answered.
    """
    tutors: dict[UUID, Example] = {}
    for example in EXAMPLES:
        row = connection.execute(TUTOR_OF, _wanted(example) | {"others": list(tutors)}).fetchone()
        if row is not None:
            tutors[row[0]] = example
            _write(connection, row[0], example, decider, days)
    return next((tutor_id for tutor_id, example in tutors.items() if example.state == "open"), None)


def _wanted(example: Example) -> dict[str, object]:
    return {"recorded": example.recorded, "sessions": example.sessions, "sent": example.sent}


def _write(connection: psycopg.Connection, tutor_id: UUID, example: Example, decider: Person, days: int) -> None:
    sessions = connection.execute(SESSIONS, _wanted(example) | {"tutor": tutor_id}).fetchall()
    values = {
        "tutor": tutor_id, "reason": example.reason, "text": example.text, "by": TUTOR, "sent": example.sent,
        "lasts": timedelta(days=days),
    }  # fmt: skip
    row = connection.execute(ADD, values).fetchone()
    assert row is not None
    appeal_id = int(row[0])
    is_granted = example.state == "granted"
    for session_id, happened in sessions:
        connection.execute(ADD_SESSION, [appeal_id, session_id, happened, "excused" if is_granted else None])
        if is_granted:
            reason = EXCUSE_REASON.format(appeal_id=appeal_id)
            connection.execute(EXCUSE, [session_id, reason, decider.actor])
    entry = {"tutor_id": tutor_id, "reason": example.reason, "sessions": [session_id for session_id, _ in sessions]}
    audit.record(connection, audit.Entry(TUTOR, Action.APPEAL_OPEN, SUBJECT, str(appeal_id), entry))
    if example.state == "open":
        return
    connection.execute(
        DECIDE,
        {
            "state": example.state, "decided": example.sent / 2, "by": decider.actor, "number": decider.person_id,
            "answer": example.answer, "appeal": appeal_id,
        },
    )  # fmt: skip
    decided = {"tutor_id": tutor_id, "decision": example.state}
    audit.record(connection, audit.Entry(decider.actor, Action.APPEAL_DECIDE, SUBJECT, str(appeal_id), decided))
