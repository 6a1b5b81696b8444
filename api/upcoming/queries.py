"""SQL of the list of upcoming sessions."""

from api.database import Statement
from api.matching.queries import TUTORS
from api.matching.version import MATCH_META_SQL, MATCH_VERSION, MATCH_VERSION_QUERY, SOURCE
from api.paging import Order, SortKey, place_of
from api.text_search import matches
from api.tutors.queries import OF_TEAM, with_team
from api.upcoming.schemas import UpcomingFilters, UpcomingSort
from ingest.ids import entity_uuid

BY_RISK = "let_down_probability desc nulls last"
BY_TIME = (SortKey("scheduled_time", "timestamptz"), SortKey("session_id", "uuid"))
ORDERS: dict[UpcomingSort, Order] = {
    "let_down_probability": Order(SortKey("let_down_probability", "double precision", is_descending=True), *BY_TIME),
    "tutor_disruption_probability": Order(
        SortKey("tutor_disruption_probability", "double precision", is_descending=True), *BY_TIME
    ),
    "student_no_show_probability": Order(
        SortKey("student_no_show_probability", "double precision", is_descending=True), *BY_TIME
    ),
    "first_session_risk": Order(SortKey("first_session_risk", "double precision", is_descending=True), *BY_TIME),
    "scheduled_time": Order(*BY_TIME),
    # Students of one name stay apart.
    "student_name": Order(SortKey("student_name", "text"), SortKey("student_id", "uuid"), *BY_TIME),
}

# What was noted in open cases of stand-ins. The index on cases that are open has few rows, whatever the history has.
NOTED = """
from app.cases as cases
inner join app.case_events as events on cases.case_id = events.case_id and events.kind = 'stand_in'
where cases.closed_at is null
"""
# Numbers of events are no version: of two at the same time, the greater one may be there first.
NOTED_VERSION = f"(select md5(string_agg(events.event_id::text, ',' order by events.event_id)) {NOTED})"
VERSION = f"concat_ws('.', {MATCH_VERSION}, {NOTED_VERSION})"

FIRST = "left join marts.first_sessions as firsts on sessions.session_id = firsts.session_id"

# What is known of a pair is looked up for the rows of the page only: for all sessions to come it takes a second.
LIST = f"""
with matching as materialized (
    select
        sessions.session_id,
        sessions.scheduled_time,
        sessions.student_id,
        {{student_name}} as student_name,
        sessions.let_down_probability,
        sessions.tutor_disruption_probability,
        sessions.student_no_show_probability,
        {{first_session_risk}} as first_session_risk,
        count(*) over (partition by sessions.tutor_id) as tutor_sessions,
        row_number() over (
            partition by sessions.tutor_id order by sessions.{BY_RISK}, sessions.scheduled_time, sessions.session_id
        ) as place
    from marts.upcoming_sessions as sessions
    left join marts.match_students as students on sessions.student_id = students.student_id
    {{first}}
    where ($1::double precision is null or sessions.let_down_probability >= $1)
        and ($2::uuid is null or sessions.tutor_id = $2)
        and ($13::bigint is null or sessions.tutor_id in {OF_TEAM.format("$13")})
        and ($6::text[] is null or sessions.risk_level = any($6))
        and ($11::boolean is null or sessions.is_first_meeting = $11)
        and ($10::text[] is null or sessions.student_risk_level = any($10))
        and ($7::timestamptz is null or sessions.scheduled_time >= $7)
        and ($12::timestamptz is null or sessions.scheduled_time < $12)
        and (
            $8::text is null
            or sessions.tutor_id in (
                select people.tutor_id from marts.match_tutors as people
                where {matches("people", "tutor_id", "$8")}
            )
            or sessions.student_id in (
                select people.student_id from marts.match_students as people
                where {matches("people", "student_id", "$8")}
            )
        )
),

listed as (
    select *, case when let_down_probability is not null then rank() over (order by {BY_RISK}) end as rank
    from matching
    where place = 1 or not $3::boolean
),

{{pages}},

-- What each tutor said last.
answers as (
    select distinct on (events.details ->> 'session_id', events.details ->> 'tutor_id')
        events.event_id,
        cases.tutor_id as case_tutor_id,
        (events.details ->> 'session_id')::uuid as session_id,
        (events.details ->> 'scheduled_time')::timestamptz as scheduled_time,
        (events.details ->> 'tutor_id')::uuid as tutor_id,
        events.details ->> 'answer' as answer
    {NOTED}
    order by events.details ->> 'session_id', events.details ->> 'tutor_id', events.event_id desc
),

-- Who has agreed to hold a session of this tutor at this time: the last of them.
agreed as materialized (
    select distinct on (answers.session_id, answers.case_tutor_id, answers.scheduled_time)
        answers.session_id,
        answers.case_tutor_id,
        answers.scheduled_time,
        answers.tutor_id,
        people.external_id,
        people.name
    from answers
    left join marts.dim_tutors as people on answers.tutor_id = people.tutor_id
    where answers.answer = 'agreed'
    order by answers.session_id, answers.case_tutor_id, answers.scheduled_time, answers.event_id desc
),

rows as (
    select
        sessions.session_id,
        sessions.external_id,
        sessions.scheduled_time,
        sessions.subject,
        sessions.duration_minutes,
        sessions.tutor_id,
        tutors.external_id as tutor_external_id,
        tutors.name as tutor_name,
        coalesce(tutors.attention, false) as tutor_attention,
        coalesce(tutors.concerns, array[]::text[]) as tutor_concerns,
        page.tutor_sessions,
        sessions.student_id,
        students.external_id as student_external_id,
        students.name as student_name,
        sessions.is_first_meeting,
        sessions.tutor_reschedule_rate,
        sessions.tutor_no_show_rate,
        sessions.pair_sessions_before,
        sessions.let_down_probability,
        sessions.risk_level,
        page.rank,
        sessions.tutor_disruption_probability,
        sessions.model_version,
        sessions.student_no_show_probability,
        sessions.student_risk_level,
        sessions.student_model_version,
        firsts.churn_probability,
        firsts.churn_risk_level,
        firsts.first_session_risk,
        coalesce(firsts.preparation, array[]::text[]) as preparation,
        agreed.tutor_id as stand_in_id,
        agreed.external_id as stand_in_external_id,
        agreed.name as stand_in_name
    from page
    inner join marts.upcoming_sessions as sessions on page.session_id = sessions.session_id
    {FIRST}
    left join {TUTORS} as tutors on sessions.tutor_id = tutors.tutor_id
    left join marts.match_students as students on sessions.student_id = students.student_id
    left join agreed
        on sessions.session_id = agreed.session_id
        and sessions.tutor_id = agreed.case_tutor_id
        and sessions.scheduled_time = agreed.scheduled_time
    order by {{order}}
)

select
    {{version}},
    json_build_object(
        'data', coalesce((select json_agg(rows) from rows), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from listed), 'limit', $4::bigint, 'offset', $5::bigint,
            'let_down_limit', publication.risk_threshold,
            'let_down_usual', (select let_down_rate_90d from marts.platform_baseline),
            'next_cursor', following.cursor, {MATCH_META_SQL}
        )
    ),
    following.cursor
from {SOURCE}
cross join following
"""


def upcoming_sessions(filters: UpcomingFilters) -> Statement:
    """A page of scheduled sessions; every one that matches is on exactly one page."""
    is_by_student = filters.sort_by == "student_name"
    is_by_first = filters.sort_by == "first_session_risk"
    # Without a name to sort by, Postgres leaves the join out.
    order = ORDERS[filters.sort_by]
    version = with_team(VERSION, filters.team_of)
    sql = LIST.format(
        version=version,
        order=order.sql,
        pages=order.pages("listed", limit="$4", offset="$5", place="$9"),
        student_name="students.name" if is_by_student else "null::text",
        first=FIRST if is_by_first else "",
        first_session_risk="firsts.first_session_risk" if is_by_first else "null::double precision",
    )
    return Statement(
        sql,
        (
            filters.min_risk,
            entity_uuid(filters.tutor_id) if filters.tutor_id is not None else None,
            filters.one_per_tutor,
            filters.limit,
            filters.offset,
            filters.risk_level or None,
            filters.since,
            filters.search,
            place_of(filters),
            filters.student_risk_level or None,
            filters.is_first_meeting,
            filters.until,
            filters.team_of,
        ),
        version_sql=MATCH_VERSION_QUERY.replace(MATCH_VERSION, version, 1),
        cursor=filters.cursor,
        reads_sessions=True,
    )
