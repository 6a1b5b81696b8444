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

# What `names_of` gives, as $1.
NAMED = "(scores.tutor_id = ($1::text[])[1]::uuid or scores.external_id = ($1::text[])[2])"
MISSING = "There is no tutor with this id, or none who has had a session; the tutor's profile is there without."
EVIDENCE_DAYS = 90
# So many let-downs of one day for one reason are worth a word, if they are that share of all.
SEVERAL, SHARE = 3, 0.1

# Over `marts.tutor_scores as scores`; the arguments are those of `condition_arguments`.
CONDITIONS = f"""
($1::text[] is null or scores.risk_status = any($1))
and {matches("scores", "$2")}
and ($3::text is null or $3 = any(scores.subjects))
and ($4::boolean is null or scores.is_active = $4)
and ($5::boolean is null or scores.attention = $5)
and ($6::text[] is null or scores.concerns && $6)
and (
    $7::bigint is null
    or scores.tutor_id in (select theirs.tutor_id from app.person_tutors as theirs where theirs.person_id = $7)
)
"""

TEAM = """(
    select md5(coalesce(string_agg(tutor_id::text, ',' order by tutor_id), ''))
    from app.person_tutors where person_id = {person_id}
)"""

# By how urgent a conversation is: who got worse suddenly, then who else is of concern, the most harm first. A change
# stays news for four weeks: the alarm is superseded as soon as it is confirmed, and nobody is less urgent for that.
NEWS_DAYS = 28
URGENCY = f"""array[
    (scores.tutor_id in (
        select known.tutor_id from marts.tutor_concerns as known
        where known.concern = 'getting_worse'
            and known.status = 'raised'
            and (not known.superseded or known.raised_on > known.as_of - {NEWS_DAYS})
    ))::integer,
    scores.attention::integer,
    coalesce(scores.harm_sessions, 0),
    coalesce(scores.risk_probability, 0)
]"""
PROBABILITIES = {f"{name}_probability": name for name in ConcernName}

# Predicted apart from the scores, and first on the first night.
STOP_PROBABILITY = """(
    select known.stop_probability from ml.tutor_predictions as known
    where known.tutor_id = scores.tutor_id and scores.is_active
)"""

LIST = f"""
with matching as materialized (
    select scores.tutor_id, {{sort_key}} as sort_key
    from marts.tutor_scores as scores
    where {CONDITIONS}
),

{{pages}},

tutors as (
    select
        {columns(TutorScore, "scores")},
        scores.concerns,
        {", ".join(f"probabilities.{name}" for name in PROBABILITIES)},
        {STOP_PROBABILITY} as stop_probability,
        array(
            select weekly.let_down_rate
            from generate_series(0, $10::int - 1) as weeks (ago)
            left join marts.tutor_weekly as weekly
                on scores.tutor_id = weekly.tutor_id
                and date_trunc('week', publication.as_of)::date - 7 * weeks.ago = weekly.week_start
            order by weeks.ago desc
        ) as weekly_let_down_rates
    from page
    inner join marts.tutor_scores as scores on page.tutor_id = scores.tutor_id
    cross join marts.publication
    cross join lateral (
        select {", ".join(f"max(probability) filter (where concern = '{n}') as {c}" for c, n in PROBABILITIES.items())}
        from marts.tutor_concerns as known
        where known.tutor_id = page.tutor_id
    ) as probabilities
    order by {{order}}
)

select
    {VERSION},
    json_build_object(
        'data', coalesce((select json_agg(tutors) from tutors), '[]'),
        'meta', json_build_object(
            'total', (select count(*) from matching), 'limit', $8::bigint, 'offset', $9::bigint,
            'next_cursor', following.cursor, {META_SQL}
        )
    ),
    following.cursor
from marts.publication
cross join following
"""

# All that is known of one tutor's concerns, raised or not.
KNOWN_CONCERNS = f"""(
    select coalesce(json_agg(known order by {in_order("known.concern")}), '[]')
    from (
        select {columns(Concern, "concerns")}
        from marts.tutor_concerns as concerns
        where concerns.tutor_id = {{tutor_id}}
    ) as known
)"""

ONE = f"""
select
    {VERSION},
    (
        select
            json_build_object(
                'tutor', tutor,
                'concerns', tutor.known_concerns,
                'patterns', tutor.known_patterns,
                'rules', (select rules from (select {columns(concerns.Rules, "publication")}) as rules),
                'meta', json_build_object({META_SQL})
            )
        from (
            select
                {columns(TutorScore, "scores")},
                (select profile from (select {columns(TutorProfile, "tutors")}) as profile) as profile,
                {KNOWN_CONCERNS.format(tutor_id="scores.tutor_id")} as known_concerns,
                {patterns.of_tutor("scores.tutor_id")} as known_patterns
            from marts.tutor_scores as scores
            inner join marts.dim_tutors as tutors on scores.tutor_id = tutors.tutor_id
            where {NAMED}
            limit 1
        ) as tutor
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


WITH_PREDICTIONS = f"({VERSION} || '.' || (select predictions.version from ml.prediction_version as predictions))"


def tutor_list(filters: TutorFilters) -> Statement:
    """A page of tutors; every tutor that matches is on exactly one page."""
    is_descending = filters.sort_order == "desc"
    order = Order(SortKey("sort_key", _sort_type(filters.sort_by), is_descending), SortKey("tutor_id", "uuid"))
    sql = LIST.format(
        sort_key=_sort_key(filters.sort_by),
        order=order.sql,
        pages=order.pages("matching", limit="$8", offset="$9", place="$11"),
    )
    arguments = (filters.limit, filters.offset, filters.trend_weeks, place_of(filters))
    statement = versioned(sql, (*condition_arguments(filters), *arguments), filters.team_of)
    return replace(
        statement,
        sql=statement.sql.replace(VERSION, WITH_PREDICTIONS, 1),
        version_sql=statement.version_sql.replace(VERSION, WITH_PREDICTIONS, 1),
        cursor=filters.cursor,
    )


def versioned(sql: str, arguments: tuple[object, ...], team_of: int | None) -> Statement:
    """A statement over `CONDITIONS`. With a team, its version changes with the team, too."""
    if team_of is None:
        return Statement(sql, arguments)
    version = f"({VERSION} || '.' || {TEAM.format(person_id=int(team_of))})"
    return Statement(sql.replace(VERSION, version, 1), arguments, version_sql=VERSION_QUERY.replace(VERSION, version))


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


def condition_arguments(conditions: TutorConditions) -> tuple[list[str] | str | int | None, ...]:
    """The arguments of `CONDITIONS`."""
    return (
        [status.value for status in conditions.risk_status] or None,
        conditions.search,
        conditions.subject,
        conditions.is_active,
        conditions.attention,
        [concern.value for concern in conditions.concern] or None,
        conditions.team_of,
    )


def tutor(names: Sequence[str | None]) -> Statement:
    """One tutor's scores and profile."""
    return _of_tutor(ONE, names)


def tutor_history(names: Sequence[str | None], wanted: HistoryRange) -> Statement:
    """One tutor's events, weeks and daily scores."""
    return _of_tutor(HISTORY, names, wanted.days, wanted.limit)


def tutor_explanation(names: Sequence[str | None]) -> Statement:
    """What `explanation.Facts` is made from."""
    return _of_tutor(EXPLANATION, names)


def _of_tutor(sql: str, names: Sequence[str | None], *arguments: int) -> Statement:
    return Statement(sql, (names, *arguments), MISSING)
