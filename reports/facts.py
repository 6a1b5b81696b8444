"""What mails are made of, read from the marts as JSON; and which sessions a person should know of.

No names of students, and no free text: sessions and students appear by their ids, reasons by their codes.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from core import patterns
from core.concerns import in_order

Json = dict[str, Any]

LOOK_BACK = timedelta(days=7)
GRACE = timedelta(days=1)
EVIDENCE_ROWS = 8

# One row per session with all that is to be told of it, gravest first; `headline` is the gravest.
# Candidates come by indexes from the last days alone, so the cost does not grow with the history.
NOTABLE_SESSIONS = """
with candidates as (
    select session_id from raw.reschedules where requested_at > %(from)s
    union
    select sessions.session_id
    from raw.sessions as sessions
    where
        sessions.scheduled_time > %(from)s
        and (
            sessions.status in ('no_show', 'cancelled', 'rescheduled')
            or sessions.rating <= 2
            or (sessions.status <> 'scheduled' and %(all_since)s::timestamptz is not null)
            or exists (select from raw.reschedules where reschedules.session_id = sessions.session_id)
        )
),

reasons as (
    select
        sessions.session_id,
        event.reason,
        event.gravity,
        event.happened_at
    from candidates
    inner join marts.fct_sessions as sessions on candidates.session_id = sessions.session_id
    inner join raw.sessions as arrived on candidates.session_id = arrived.session_id
    cross join lateral (
        select max(moves.loaded_at) as loaded_at from raw.reschedules as moves
        where moves.session_id = candidates.session_id
    ) as arrived_moves
    cross join lateral (
        -- Looked up once per session (offset), by the student's few sessions and not by the tutor's many.
        select not exists (
            select from marts.fct_sessions as earlier
            where
                earlier.student_id = sessions.student_id
                and earlier.tutor_id is not distinct from sessions.tutor_id
                and (earlier.scheduled_time, earlier.session_id) < (sessions.scheduled_time, sessions.session_id)
        ) as is_first
        offset 0
    ) as place
    cross join lateral (
        values
        (
            'tutor_no_show', 1, sessions.is_tutor_no_show,
            sessions.scheduled_time, %(important_since)s::timestamptz
        ),
        (
            'short_notice_reschedule', 2,
            sessions.is_short_notice and sessions.is_tutor_reschedule and not sessions.is_tutor_cancellation,
            coalesce(sessions.requested_at, sessions.scheduled_time), %(important_since)s
        ),
        (
            'short_notice_cancellation', 2, sessions.is_short_notice and sessions.is_tutor_cancellation,
            coalesce(sessions.cancelled_at, sessions.scheduled_time), %(important_since)s
        ),
        (
            'first_no_show', 3, place.is_first and sessions.status = 'no_show' and not sessions.is_tutor_no_show,
            sessions.scheduled_time, %(important_since)s
        ),
        (
            'first_cancelled', 4, place.is_first and sessions.status = 'cancelled',
            coalesce(sessions.cancelled_at, sessions.requested_at, sessions.scheduled_time), %(important_since)s
        ),
        (
            'first_low_rating', 5, place.is_first and sessions.rating <= 2,
            coalesce(sessions.completed_time, sessions.scheduled_time), %(important_since)s
        ),
        (
            'first_rescheduled', 6, place.is_first and sessions.is_tutor_reschedule,
            coalesce(sessions.requested_at, sessions.scheduled_time), %(important_since)s
        ),
        (
            'session', 7, sessions.status <> 'scheduled',
            sessions.scheduled_time, %(all_since)s
        )
    ) as event (reason, gravity, applies, happened_at, since)
    where
        event.applies
        and event.happened_at > %(from)s
        and event.happened_at <= coalesce(%(until)s, event.happened_at)
        -- What happened while the report was off is not told, but for the last day's, if it arrived afterwards.
        and (
            event.happened_at > event.since
            or (
                event.happened_at > event.since - %(grace)s
                and greatest(arrived.loaded_at, arrived_moves.loaded_at) > event.since
            )
        )
),

notable as (
    select
        session_id,
        array_agg(reason order by gravity) as reasons,
        (array_agg(reason order by gravity))[1] as headline,
        max(happened_at) as happened_at
    from reasons
    group by session_id
)
"""

# The tutor sessions that count against a tutor in the 90-day window, newest first.
EVIDENCE = f"""
select
    coalesce(jsonb_agg(to_jsonb(newest) - 'place' order by newest.place) filter (where newest.place <= {EVIDENCE_ROWS}),
        '[]') as sessions,
    count(*) as total
from (
    select
        case
            when evidence.is_tutor_reschedule then 'reschedule'
            when evidence.is_tutor_cancellation then 'cancellation'
            else 'no_show'
        end as kind,
        coalesce(evidence.external_id, evidence.session_id::text) as session,
        evidence.counted_on,
        evidence.subject,
        evidence.reason_code,
        evidence.notice_hours,
        evidence.is_short_notice,
        row_number() over (
            order by evidence.counted_on desc, evidence.scheduled_time desc, evidence.session_id
        ) as place
    from marts.fct_sessions as evidence
    where
        evidence.tutor_id = scores.tutor_id
        and evidence.is_final
        -- A no-show counts in attendance, whatever the settings say of let-downs.
        and (evidence.is_let_down or evidence.is_tutor_no_show)
        and evidence.counted_on > scores.as_of - 90
        and evidence.counted_on <= scores.as_of
) as newest
"""

# Of the tutor `scores`, in the order in which the dashboard lists them.
CONCERNS = f"""(
    select coalesce(jsonb_agg(to_jsonb(raised) order by {in_order("raised.concern")}), '[]')
    from marts.tutor_concerns as raised
    where raised.tutor_id = scores.tutor_id and raised.status = 'raised' and not raised.superseded
)"""

SESSION_FACTS = f"""
select
    notable.headline,
    sessions.session_id,
    jsonb_build_object(
        'reasons', notable.reasons,
        'session', jsonb_build_object(
            'session', coalesce(sessions.external_id, sessions.session_id::text),
            'student', coalesce(students.external_id, sessions.student_id::text),
            'subject', sessions.subject,
            'status', sessions.status,
            'initiator', sessions.caused_by,
            'scheduled_time', sessions.scheduled_time,
            'requested_at', sessions.called_off_at,
            'notice_hours', sessions.notice_hours,
            'reason_code', sessions.reason_code,
            'rating', sessions.rating
        ),
        'tutor', to_jsonb(scores),
        'concerns', {CONCERNS},
        'rules', to_jsonb(publication),
        'evidence', evidence.sessions,
        'evidence_total', evidence.total
    ) as payload
from notable
inner join marts.fct_sessions as sessions on notable.session_id = sessions.session_id
inner join marts.tutor_scores as scores on sessions.tutor_id = scores.tutor_id
left join marts.dim_students as students on sessions.student_id = students.student_id
cross join marts.publication
cross join lateral ({EVIDENCE}) as evidence
"""

NOT_YET_TOLD = """
where not exists (
    select from app.email_reports as told
    where told.topic = 'session_report:' || notable.session_id || ':' || notable.headline
)
order by notable.happened_at, notable.session_id
"""

# For a preview: one session, due or not.
CHOSEN_SESSION = """
with chosen as (
    select * from marts.fct_sessions
    where
        (%(session)s::text is null or session_id::text = %(session)s or external_id = %(session)s)
        and (%(session)s is not null or is_tutor_no_show or is_short_notice)
    order by counted_on desc, session_id
    limit 1
),

notable as (
    select
        session_id,
        array[reason] as reasons,
        reason as headline,
        scheduled_time as happened_at
    from (
        select
            session_id,
            scheduled_time,
            case
                when is_tutor_no_show then 'tutor_no_show'
                when is_short_notice and is_tutor_cancellation then 'short_notice_cancellation'
                when is_short_notice then 'short_notice_reschedule'
                else 'session'
            end as reason
        from chosen
    ) as named
)
"""

TUTOR_FACTS = f"""
select
    scores.tutor_id,
    jsonb_build_object(
        'tutor', to_jsonb(scores),
        'concerns', {CONCERNS},
        'platform', to_jsonb(baseline),
        'rules', to_jsonb(publication),
        'evidence', evidence.sessions,
        'evidence_total', evidence.total
    ) as payload
from marts.tutor_scores as scores
cross join marts.platform_baseline as baseline
cross join marts.publication
cross join lateral ({EVIDENCE}) as evidence
where scores.tutor_id = any(%(tutors)s)
"""

# Status at the end of a day against the end of the recorded day before; without a row there was too little data.
# Concerns are those of now.
STATUS_CHANGES = f"""
with before as (
    select * from marts.score_history where as_of = %(before)s
),

after as (
    select * from marts.score_history where as_of = %(day)s
),

statuses as (
    select
        scores.tutor_id,
        scores.name,
        scores.external_id,
        coalesce(before.risk_status, 'insufficient_data') as was,
        coalesce(after.risk_status, 'insufficient_data') as is_now,
        after.let_downs_90d,
        after.sessions_90d,
        after.risk_probability,
        {CONCERNS} as concerns
    from marts.tutor_scores as scores
    left join before on scores.tutor_id = before.tutor_id
    left join after on scores.tutor_id = after.tutor_id
    where scores.is_active
)

select
    *,
    case when is_now = 'high_risk' or was not in ('watch', 'high_risk') then 'flagged' else 'better' end as change
from statuses
where was <> is_now and (was in ('watch', 'high_risk') or is_now in ('watch', 'high_risk'))
order by is_now = 'high_risk' desc, risk_probability desc nulls last, tutor_id
"""

PATTERNS = f"""
select tutors.tutor_id::text, {patterns.of_tutor("tutors.tutor_id")}
from unnest(%(tutors)s::uuid[]) as tutors (tutor_id)
"""

# Of each tutor the first session and how many there are, the likeliest first. The view is of matching, which a new
# installation has only after its first roll-over.
SESSIONS_AT_RISK = """
with coming as (
    select
        upcoming.*,
        count(*) over (partition by upcoming.tutor_id) as sessions,
        row_number() over (
            partition by upcoming.tutor_id order by upcoming.scheduled_time, upcoming.session_id
        ) as place
    from marts.upcoming_sessions as upcoming
    where
        upcoming.scheduled_time between now() and now() + %(ahead)s
        and upcoming.risk_level = 'high'
)

select jsonb_build_object(
    'tutor', jsonb_build_object(
        'tutor_id', tutors.tutor_id, 'external_id', tutors.external_id, 'name', tutors.name
    ),
    'session', jsonb_build_object(
        'session', coalesce(coming.external_id, coming.session_id::text),
        'scheduled_time', coming.scheduled_time,
        'subject', coming.subject
    ),
    'sessions', coming.sessions,
    'probability', coming.let_down_probability
) as payload
from coming
inner join marts.dim_tutors as tutors on coming.tutor_id = tutors.tutor_id
where coming.place = 1
order by coming.let_down_probability desc, coming.scheduled_time, coming.session_id
limit %(limit)s
"""


def sessions_at_risk(connection: psycopg.Connection, *, ahead: timedelta, limit: int) -> list[Json]:
    """A payload for each tutor who is likelier than the limit to let down the sessions planned within `ahead`."""
    row = connection.execute("select to_regclass('marts.upcoming_sessions') is not null").fetchone()
    if not (row and row[0]):
        return []
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(SESSIONS_AT_RISK, {"ahead": ahead, "limit": limit}).fetchall()
    return [row["payload"] for row in rows]


# The first sessions that are due, those at the greatest risk first; students by their ids.
FIRST_SESSIONS = """
select jsonb_build_object(
    'tutor', jsonb_build_object(
        'tutor_id', tutors.tutor_id, 'external_id', tutors.external_id, 'name', tutors.name
    ),
    'session', jsonb_build_object(
        'session', coalesce(firsts.external_id, firsts.session_id::text),
        'student', coalesce(students.external_id, firsts.student_id::text),
        'scheduled_time', firsts.scheduled_time,
        'subject', firsts.subject
    ),
    'risk', firsts.first_session_risk,
    'preparation', firsts.preparation
) as payload,
count(*) over () as total
from marts.first_sessions as firsts
inner join marts.dim_tutors as tutors on firsts.tutor_id = tutors.tutor_id
left join marts.dim_students as students on firsts.student_id = students.student_id
where firsts.scheduled_time between now() and now() + %(ahead)s
order by firsts.first_session_risk desc nulls last, firsts.scheduled_time, firsts.session_id
limit %(limit)s
"""

MAY_STOP = """
select jsonb_build_object(
    'tutor', jsonb_build_object(
        'tutor_id', tutors.tutor_id, 'external_id', tutors.external_id, 'name', tutors.name
    ),
    'probability', stopping.stop_probability,
    'level', stopping.level,
    'by_rules', starts_with(stopping.model_version, 'rules-'),
    'as_of', stopping.as_of,
    'sessions_28d', stopping.sessions_28d,
    'sessions_28d_before', stopping.sessions_28d_before,
    'days_since_session', stopping.days_since_session,
    'planned_sessions_14d', stopping.planned_sessions_14d
) as payload,
count(*) over () as total
from marts.tutor_attrition as stopping
inner join marts.dim_tutors as tutors on stopping.tutor_id = tutors.tutor_id
where stopping.level <> 'low'
order by stopping.stop_probability desc, stopping.tutor_id
limit %(limit)s
"""


def first_sessions(connection: psycopg.Connection, *, ahead: timedelta, limit: int) -> tuple[list[Json], int]:
    """A payload for each first session of a student and a tutor that is planned within `ahead`, those at the greatest
    risk first, and how many there are in all."""
    return _of_matching(connection, "first_sessions", FIRST_SESSIONS, {"ahead": ahead, "limit": limit})


def may_stop(connection: psycopg.Connection, *, limit: int) -> tuple[list[Json], int]:
    """A payload for each tutor whose risk of stopping is not low, the likeliest first, and how many there are."""
    return _of_matching(connection, "tutor_attrition", MAY_STOP, {"limit": limit})


def _of_matching(
    connection: psycopg.Connection, view: str, query: LiteralString, values: Json
) -> tuple[list[Json], int]:
    """Of a new installation, which has the views of matching only after its first roll-over: none."""
    row = connection.execute("select to_regclass('marts.' || %s) is not null", [view]).fetchone()
    if not (row and row[0]):
        return [], 0
    rows = connection.execute(query, values).fetchall()
    return [payload for payload, _ in rows], rows[0][1] if rows else 0


def with_patterns(connection: psycopg.Connection, tutors: Sequence[Json]) -> list[Json]:
    """The tutors (`tutor_id` as text), each with its `patterns`, the surest first. Of before the first night: none."""
    row = connection.execute("select to_regclass('marts.tutor_patterns') is not null").fetchone()
    if not (row and row[0]):
        return [{**tutor, "patterns": []} for tutor in tutors]
    ids = [tutor["tutor_id"] for tutor in tutors]
    known: dict[str, list[Json]] = dict(connection.execute(PATTERNS.encode(), {"tutors": ids}).fetchall())
    return [{**tutor, "patterns": known[tutor["tutor_id"]]} for tutor in tutors]


def notable_sessions(
    connection: psycopg.Connection, important_since: datetime | None, all_since: datetime | None
) -> list[tuple[str, Json]]:
    """(topic, payload) of every session that should be told and has not been, oldest first."""
    query = NOTABLE_SESSIONS + SESSION_FACTS + NOT_YET_TOLD
    with connection.cursor(row_factory=dict_row) as cursor:
        (now,) = connection.execute("select now()").fetchone() or (None,)
        rows = cursor.execute(
            query,
            {
                "from": now - LOOK_BACK, "until": None, "grace": GRACE,
                "important_since": important_since, "all_since": all_since,
            },
        ).fetchall()  # fmt: skip
    return [(f"session_report:{row['session_id']}:{row['headline']}", row["payload"]) for row in rows]


def sessions_between(connection: psycopg.Connection, start: datetime, end: datetime) -> list[Json]:
    """Payloads of the sessions that a person should know of and that went wrong from `start` to before `end`."""
    query = NOTABLE_SESSIONS + SESSION_FACTS + "order by notable.happened_at, notable.session_id"
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            query,
            {"from": start, "until": end, "grace": timedelta(0), "important_since": start, "all_since": None},
        ).fetchall()
    return [row["payload"] for row in rows]


def one_session(connection: psycopg.Connection, session: str | None) -> Json | None:
    """The payload of a session by UUID or external id, or else of the newest that went wrong."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(CHOSEN_SESSION + SESSION_FACTS, {"session": session}).fetchone()
    return row["payload"] if row else None


def tutor_facts(connection: psycopg.Connection, tutors: Sequence[UUID]) -> Mapping[UUID, Json]:
    """Scores, baseline, rules and evidence by tutor."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(TUTOR_FACTS, {"tutors": list(tutors)}).fetchall()
    return {row["tutor_id"]: row["payload"] for row in rows}


def status_changes(connection: psycopg.Connection, before: date, day: date) -> list[Json]:
    """Tutors whose flag came, went or changed between the ends of two days, gravest first; ids as text."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(STATUS_CHANGES, {"before": before, "day": day}).fetchall()
    return [{**row, "tutor_id": str(row["tutor_id"])} for row in rows]
