"""SQL of the tutor endpoints. Columns of a body are the fields of its schema, so the two cannot differ."""

from collections.abc import Sequence
from dataclasses import replace

from api.database import VERSION, VERSION_QUERY, Statement, columns
from api.excuses.schemas import ExcuseNote
from api.paging import Order, SortKey, place_of
from api.publication import META_SQL
from api.text_search import matches
from api.tutors.explanation import Baseline, Rules
from api.tutors.schemas import (
    HistoryRange,
    Outcome,
    Slot,
    TutorConditions,
    TutorFilters,
    TutorProfile,
    TutorScore,
    TutorScoreDay,
    TutorWeek,
)
from core import concerns, patterns
from core.concerns import Concern, ConcernName, in_order
from core.urgency import AT_RISK

# What `names_of` gives, as $1.
NAMED = "(scores.tutor_id = ($1::text[])[1]::uuid or scores.external_id = ($1::text[])[2])"
# The same of a UUID. Where it might be an external id, Postgres plans each request anew, which is 0.28 of 0.4 ms.
BY_UUID = "scores.tutor_id = ($1::text[])[1]::uuid"
MISSING = "There is no tutor with this id, or none who has had a session; the tutor's profile is there without."
EVIDENCE_DAYS = 90
# So many let-downs of one day for one reason are worth a word, if they are that share of all.
SEVERAL, SHARE = 3, 0.1

OF_TEAM = "(select theirs.tutor_id from app.person_tutors as theirs where theirs.person_id = {}::bigint)"
TEAM = """(
    select md5(coalesce(string_agg(tutor_id::text, ',' order by tutor_id), ''))
    from app.person_tutors where person_id = {person_id}
)"""

WITH_PREDICTIONS = f"({VERSION} || '.' || (select predictions.version from ml.prediction_version as predictions))"

# Who is of concern, the most at risk first.
URGENCY = f"""array[
    scores.attention::integer,
    {AT_RISK},
    coalesce(scores.risk_probability, 0)
]"""
PROBABILITIES = {f"{name}_probability": name for name in ConcernName}

# Predicted apart from the scores, and first on the first night.
STOP_PROBABILITY = """(
    select known.stop_probability from ml.tutor_predictions as known
    where known.tutor_id = scores.tutor_id and scores.is_active
)"""

# `intermediate.tutor_rows` has each tutor as JSON, but for its end: what is here and the brace.
LIST = f"""
with {{pages}},

tutors as (
    select string_agg(
        concat(
            rows.row_json,
            ',"stop_probability":',
            coalesce({STOP_PROBABILITY}::text, 'null'),
            ',"weekly_let_down_rates":',
            {{trend}},
            '}}}}'
        ),
        ',' order by {{order}}
    ) as listed
    from page
    inner join intermediate.tutor_rows as rows on page.tutor_id = rows.tutor_id
    inner join marts.tutor_scores as scores on page.tutor_id = scores.tutor_id
    cross join marts.publication
)

select
    publication.version,
    convert_to(
        concat(
            '{{{{"data":[',
            tutors.listed,
            '],"meta":',
            json_build_object(
                'total', counted.total, 'limit', {{limit}}::bigint, 'offset', {{offset}}::bigint,
                'next_cursor', following.cursor, {META_SQL}
            ),
            '}}}}'
        ),
        'UTF8'
    ),
    following.cursor,
    counted.total
from (select *, {WITH_PREDICTIONS} as version from marts.publication) as publication
cross join following
cross join tutors
cross join lateral (
    select
        case
            when publication.version = {{counted_at}}::text then {{counted}}::bigint
            else (select count(*) from marts.tutor_scores as scores where {{conditions}})
        end as total
    offset 0 -- or it would be counted wherever it is named
) as counted
"""
MATCHING = "(select scores.tutor_id, {sort_key} as sort_key from marts.tutor_scores as scores where {conditions})"
NO_TREND = "'[]'"
TREND = """array_to_json(array(
    select weekly.let_down_rate
    from generate_series(0, {weeks}::int - 1) as weeks (ago)
    left join marts.tutor_weekly as weekly
        on scores.tutor_id = weekly.tutor_id
        and date_trunc('week', publication.as_of)::date - 7 * weeks.ago = weekly.week_start
    order by weeks.ago desc
))"""

# All that is known of one tutor's concerns, raised or not.
KNOWN_CONCERNS = f"""(
    select coalesce(json_agg(known order by {in_order("known.concern")}), '[]')
    from (
        select {columns(Concern, "concerns")}
        from marts.tutor_concerns as concerns
        where concerns.tutor_id = {{tutor_id}}
    ) as known
)"""

# The scores as JSON, and in a line of its own what else the answer is made of.
ONE = f"""
select
    {VERSION},
    (
        select
            convert_to(
                concat(
                    (select to_json(scored) from (select {columns(TutorScore, "scores")}) as scored),
                    chr(10),
                    json_build_object(
                        'profile', (select profile from (select {columns(TutorProfile, "tutors")}) as profile),
                        'concerns', {KNOWN_CONCERNS.format(tutor_id="scores.tutor_id")},
                        'patterns', {patterns.of_tutor("scores.tutor_id")},
                        'rules', (select rules from (select {columns(concerns.Rules, "publication")}) as rules),
                        'recently', (
                            select recently from (select {columns(concerns.Recently, "scores")}) as recently
                        ),
                        'meta', json_build_object({META_SQL})
                    )
                ),
                'UTF8'
            )
        from marts.tutor_scores as scores
        inner join marts.dim_tutors as tutors on scores.tutor_id = tutors.tutor_id
        where {NAMED}
        limit 1
    )
from marts.publication
"""

HISTORY = f"""
with tutor as (
    select tutor_id, external_id, name from marts.tutor_scores as scores where {NAMED} limit 1
),

events as (
    select
        event.kind,
        sessions.session_id,
        sessions.external_id as session_external_id,
        event.happened_at,
        sessions.counted_on,
        sessions.scheduled_time,
        sessions.subject,
        sessions.student_id,
        students.external_id as student_external_id,
        students.name as student_name,
        event.initiator,
        sessions.notice_hours,
        sessions.reason_code,
        sessions.is_excused,
        (
            select note
            from (select {columns(ExcuseNote, "excuses")}) as note
            where excuses.session_id is not null
        ) as excuse,
        sessions.is_short_notice,
        event.is_counted and sessions.is_final as is_counted,
        sessions.rating
    from marts.fct_sessions as sessions
    inner join tutor on sessions.tutor_id = tutor.tutor_id
    left join marts.dim_students as students on sessions.student_id = students.student_id
    -- An excuse that the scores do not know of yet is none.
    left join app.excuses as excuses on sessions.session_id = excuses.session_id and sessions.is_excused
    cross join marts.publication
    cross join lateral (
        values
        (
            'reschedule',
            sessions.has_reschedule,
            coalesce(sessions.requested_at, sessions.scheduled_time),
            sessions.reschedule_initiator,
            sessions.is_tutor_reschedule
        ),
        (
            'no_show',
            sessions.status = 'no_show',
            sessions.scheduled_time,
            sessions.initiator,
            sessions.is_tutor_no_show
        ),
        (
            'tutor_cancellation',
            sessions.status = 'cancelled' and sessions.initiator = 'tutor',
            coalesce(sessions.cancelled_at, sessions.requested_at, sessions.scheduled_time),
            sessions.initiator,
            sessions.is_tutor_cancellation and sessions.is_let_down
        ),
        (
            'other_cancellation',
            sessions.status = 'cancelled' and sessions.initiator is distinct from 'tutor',
            coalesce(sessions.cancelled_at, sessions.requested_at, sessions.scheduled_time),
            sessions.initiator,
            false
        ),
        (
            'low_rating',
            sessions.rating <= 2,
            coalesce(sessions.completed_time, sessions.scheduled_time),
            null,
            false
        )
    ) as event (kind, applies, happened_at, initiator, is_counted)
    where event.applies
        and sessions.counted_on > publication.as_of - $2::int
        and sessions.counted_on <= publication.as_of
),

newest as (
    select * from events order by happened_at desc, session_id, kind limit $3
),

outcomes as (
    select
        sessions.counted_on,
        sessions.reason_code,
        sessions.is_let_down,
        sessions.caused_by = 'tutor' and not sessions.is_excused as can_be_excused,
        {columns(ExcuseNote, "excuses")},
        case
            when sessions.is_tutor_no_show then 'missed'
            when sessions.is_tutor_cancellation then 'cancelled'
            when sessions.is_tutor_reschedule then 'moved'
            when sessions.is_late_start then 'late'
            when sessions.is_excused then 'excused'
            when sessions.has_reschedule or sessions.status <> 'completed' then 'other'
            else 'held'
        end as outcome
    from marts.fct_sessions as sessions
    inner join tutor on sessions.tutor_id = tutor.tutor_id
    left join app.excuses as excuses on sessions.session_id = excuses.session_id and sessions.is_excused
    cross join marts.publication
    where sessions.is_final
        and sessions.counted_on > publication.as_of - $2::int
        and sessions.counted_on <= publication.as_of
),

excused as (
    select
        counted_on,
        json_agg(
            json_build_object(
                'reason', reason, 'created_by', created_by, 'created_at', created_at, 'sessions', sessions
            )
            order by created_at, reason
        ) as excuses
    from (
        select
            counted_on,
            reason,
            created_by,
            created_at,
            count(*) as sessions
        from outcomes
        where created_at is not null
        group by counted_on, reason, created_by, created_at
    ) as together
    group by counted_on
),

calendar as (
    select
        counted_on as day,
        sum(sessions)::bigint as sessions,
        sum(let_downs)::bigint as let_downs,
        sum(can_be_excused)::bigint as can_be_excused,
        json_agg(
            json_build_object('outcome', outcome, 'sessions', sessions)
            order by array_position(array{[outcome.value for outcome in Outcome]}, outcome)
        ) as outcomes,
        coalesce((select excused.excuses from excused where excused.counted_on = of_day.counted_on), '[]') as excuses
    from (
        select
            counted_on,
            outcome,
            count(*) as sessions,
            count(*) filter (where is_let_down) as let_downs,
            count(*) filter (where can_be_excused) as can_be_excused
        from outcomes
        group by counted_on, outcome
    ) as of_day
    group by counted_on
    order by counted_on
),

episodes as (
    select
        counted_on as day,
        reason_code,
        count(*) as let_downs,
        in_all.let_downs as let_downs_in_all
    from outcomes
    cross join (select count(*) as let_downs from outcomes where is_let_down) as in_all
    where is_let_down
    group by counted_on, reason_code, in_all.let_downs
    having count(*) >= greatest({SEVERAL}, {SHARE} * in_all.let_downs)
    order by count(*) desc, day desc
),

weeks as (
    select {columns(TutorWeek, "weekly")}
    from marts.tutor_weekly as weekly
    inner join tutor on weekly.tutor_id = tutor.tutor_id
    cross join marts.publication
    -- A week belongs to the range as soon as one of its days does.
    where weekly.week_start + 6 > publication.as_of - $2::int
        and weekly.week_start <= publication.as_of
    order by weekly.week_start
),

scores as (
    select {columns(TutorScoreDay, "history")}
    from marts.score_history as history
    inner join tutor on history.tutor_id = tutor.tutor_id
    cross join marts.publication
    where history.as_of > publication.as_of - $2::int
        and history.as_of <= publication.as_of
    order by history.as_of
)

select
    {VERSION},
    (
        select
            json_build_object(
                'data', json_build_object(
                    'tutor_id', tutor.tutor_id,
                    'external_id', tutor.external_id,
                    'name', tutor.name,
                    'events', coalesce((select json_agg(newest) from newest), '[]'),
                    'calendar', coalesce((select json_agg(calendar) from calendar), '[]'),
                    'episodes', coalesce((select json_agg(episodes) from episodes), '[]'),
                    'weeks', coalesce((select json_agg(weeks) from weeks), '[]'),
                    'scores', coalesce((select json_agg(scores) from scores), '[]')
                ),
                'meta', json_build_object(
                    'days', $2::int,
                    'limit', $3::bigint,
                    'total_events', (select count(*) from events),
                    {META_SQL}
                )
            )
        from tutor
    )
from marts.publication
"""

EXPLANATION = f"""
with tutor as (
    select * from marts.tutor_scores as scores where {NAMED} limit 1
),

evidence as (
    select
        case
            when sessions.is_tutor_reschedule then 'reschedule'
            when sessions.is_tutor_cancellation then 'cancellation'
            else 'no_show'
        end as kind,
        sessions.session_id,
        sessions.external_id as session_external_id,
        sessions.counted_on,
        sessions.scheduled_time,
        sessions.subject,
        sessions.notice_hours,
        sessions.reason_code,
        sessions.is_short_notice
    from marts.fct_sessions as sessions
    inner join tutor on sessions.tutor_id = tutor.tutor_id
    where sessions.is_final
        -- A no-show counts in attendance, whatever the settings say of let-downs.
        and (sessions.is_let_down or sessions.is_tutor_no_show)
        and sessions.counted_on > tutor.as_of - {EVIDENCE_DAYS}
        and sessions.counted_on <= tutor.as_of
    order by sessions.counted_on desc, sessions.scheduled_time desc, sessions.session_id
)

select
    {VERSION},
    (
        select
            json_build_object(
                'score', (select score from (select {columns(TutorScore, "tutor")}) as score),
                'baseline', (select known from (select {columns(Baseline, "baseline")}) as known),
                'rules', (select rules from (select {columns(Rules, "publication")}) as rules),
                'concerns', {KNOWN_CONCERNS.format(tutor_id="tutor.tutor_id")},
                'patterns', {patterns.of_tutor("tutor.tutor_id")},
                'slots', (
                    select coalesce(json_agg(known order by known.weekday, known.hour), '[]')
                    from (
                        select {columns(Slot, "slots")} from marts.tutor_slots as slots
                        where slots.tutor_id = tutor.tutor_id
                    ) as known
                ),
                'evidence_sessions', coalesce((select json_agg(evidence) from evidence), '[]'),
                'meta', json_build_object({META_SQL})
            )
        from tutor
        cross join marts.platform_baseline as baseline
    )
from marts.publication
"""

ONE_BY_UUID, HISTORY_BY_UUID, EXPLANATION_BY_UUID = (sql.replace(NAMED, BY_UUID) for sql in (ONE, HISTORY, EXPLANATION))


def tutor_list(filters: TutorFilters) -> Statement:
    """A page of tutors; every tutor that matches is on exactly one page."""
    is_descending = filters.sort_order == "desc"
    sort_key = _sort_key(filters.sort_by)
    order = Order(SortKey("sort_key", _sort_type(filters.sort_by), is_descending), SortKey("tutor_id", "uuid"))
    conditions, fitting = condition(filters)
    arguments = (
        *fitting,
        filters.offset,
        # A newer version may sort by other things under the same name.
        place_of(filters, sort_key),
        *([filters.trend_weeks] if filters.trend_weeks else []),
    )
    # The last two are what `Statement.counts` adds.
    names = [f"${number}" for number in range(len(fitting) + 1, len(arguments) + 3)]
    offset, place, *weeks, counted_at, counted = names
    # Not a parameter: Postgres would plan each request anew, which takes three times as long as to read the page.
    limit = str(int(filters.limit))
    matching = MATCHING.format(sort_key=sort_key, conditions=conditions)
    sql = LIST.format(
        pages=order.pages(
            matching,
            limit=limit,
            offset=offset,
            place=place,
            is_first=filters.offset == 0 and filters.cursor is None,
        ),
        conditions=conditions,
        order=order.sql,
        trend=TREND.format(weeks=weeks[0]) if weeks else NO_TREND,
        limit=limit,
        offset=offset,
        counted_at=counted_at,
        counted=counted,
    )
    statement = versioned(sql, arguments, filters.team_of, WITH_PREDICTIONS)
    return replace(statement, cursor=filters.cursor, counts=(conditions, str(fitting)))


def versioned(sql: str, arguments: tuple[object, ...], team_of: int | None, version: str = VERSION) -> Statement:
    """A statement over tutors that fit a `condition`. With a team, its version changes with the team, too."""
    full = with_team(version, team_of)
    return Statement(sql.replace(version, full, 1), arguments, version_sql=VERSION_QUERY.replace(VERSION, full, 1))


def with_team(version: str, team_of: int | None) -> str:
    """The SQL of a version that changes with the team, too, if an answer is about one."""
    return version if team_of is None else f"({version} || '.' || {TEAM.format(person_id=int(team_of))})"


def _sort_key(sort_by: str) -> str:
    if sort_by == "attention":
        return URGENCY
    if sort_by in PROBABILITIES:
        return f"""(
            select known.probability from marts.tutor_concerns as known
            where known.tutor_id = scores.tutor_id and known.concern = '{PROBABILITIES[sort_by]}'
        )"""
    if sort_by == "stop_probability":
        return f"{STOP_PROBABILITY}::double precision"
    return f"scores.{sort_by}"


def _sort_type(sort_by: str) -> str:
    special = {
        "name": "text",
        "attention": "double precision[]",
        "last_session_at": "timestamptz",
        "risk_status_since": "date",
    }
    return special.get(sort_by, "double precision")


def condition(conditions: TutorConditions) -> tuple[str, tuple[object, ...]]:
    """SQL over `marts.tutor_scores as scores`, and its arguments, the first of them $1.

    What is not asked for is not in it: with `$1 is null or …`, Postgres reads all tutors and sorts them.
    """
    asked: list[tuple[str, object]] = [
        ("scores.risk_status = any({}::text[])", [status.value for status in conditions.risk_status] or None),
        (matches("scores", "tutor_id", "{}"), conditions.search),
        ("{}::text = any(scores.subjects)", conditions.subject),
        ("scores.is_active = {}::boolean", conditions.is_active),
        ("scores.attention = {}::boolean", conditions.attention),
        ("scores.concerns && {}::text[]", [concern.value for concern in conditions.concern] or None),
        (f"scores.tutor_id in {OF_TEAM}", conditions.team_of),
    ]
    given = [(sql, value) for sql, value in asked if value is not None]
    parts = [sql.replace("{}", f"${number}") for number, (sql, _) in enumerate(given, 1)]
    return " and ".join(parts) or "true", tuple(value for _, value in given)


def tutor(names: Sequence[str | None]) -> Statement:
    """One tutor's scores and profile."""
    return _of_tutor(ONE, ONE_BY_UUID, names)


def tutor_history(names: Sequence[str | None], wanted: HistoryRange) -> Statement:
    """One tutor's events, weeks and daily scores."""
    # Excuses may change before the scores follow.
    return replace(_of_tutor(HISTORY, HISTORY_BY_UUID, names, wanted.days, wanted.limit), reads_sessions=True)


def tutor_explanation(names: Sequence[str | None]) -> Statement:
    """What `explanation.Facts` is made from."""
    return _of_tutor(EXPLANATION, EXPLANATION_BY_UUID, names)


def _of_tutor(sql: str, by_uuid: str, names: Sequence[str | None], *arguments: int) -> Statement:
    return Statement(by_uuid if names[1] is None else sql, (names, *arguments), MISSING)
