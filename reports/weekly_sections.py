"""SQL of the weekly report's sections, which the mail and the page (`GET /api/weekly-report`) read.

A section is a name and the SQL of its JSON; a new one needs SQL in `SECTIONS`, templates in `templates/weekly`, a
schema in `api/weekly_report`, a part of the page.
"""

from core import honesty, patterns
from core.case_answers import FOLLOWED
from core.case_outcomes import FIGURES
from core.concerns import in_order
from core.urgency import AT_RISK

TREND_WEEKS = 12
OUTCOME_MONTHS = 6
MOST_LISTED = 10
MOST_STUDENTS = 5

TUTOR = """json_build_object('tutor_id', tutors.tutor_id, 'external_id', tutors.external_id, 'name', tutors.name)"""

# All parameters of the sections: $1 Monday of the week, $2 today, $3 the reporting zone.
#
# A sudden change is counted under *unreliable* while that is raised: neither its beginning nor its end is news then.
CONCERNS = f"""
with flags as (
    select tutor_flags.*
    from marts.tutor_flags as tutor_flags
    where tutor_flags.raised_on between $1::date and $1::date + 6
        or tutor_flags.cleared_on between $1::date and $1::date + 6
),

counted as (
    select flags.*, {TUTOR} as tutor
    from flags
    inner join marts.dim_tutors as tutors on flags.tutor_id = tutors.tutor_id
),

changes as (
    select
        change.is_new, change.happened_on, counted.concern, counted.raised_on, counted.tutor, counted.tutor_id,
        counted.probability_when_raised
    from counted
    cross join lateral (
        values (true, counted.raised_on), (false, counted.cleared_on)
    ) as change (is_new, happened_on)
    where change.happened_on between $1::date and $1::date + 6
        and not (
            counted.concern = 'getting_worse'
            and exists (
                select from marts.tutor_flags as graver
                where graver.tutor_id = counted.tutor_id
                    and graver.concern = 'unreliable'
                    and graver.raised_on <= change.happened_on
                    and (
                        graver.cleared_on is null
                        or graver.cleared_on > change.happened_on
                        or (not change.is_new and graver.cleared_on = change.happened_on)
                    )
            )
        )
),

listed as (
    select
        changes.*,
        row_number() over (
            partition by is_new order by happened_on desc, {in_order("concern")}, tutor_id
        ) as place
    from changes
)

select json_build_object(
    'by_concern', (
        select coalesce(json_agg(counts order by flags desc, concern), '[]')
        from (select concern, count(*) as flags from changes where is_new group by concern) as counts
    ),
    'new', count(*) filter (where is_new),
    'cleared', count(*) filter (where not is_new),
    'changes', coalesce(
        json_agg(
            json_build_object(
                'tutor', tutor, 'concern', concern, 'is_new', is_new, 'happened_on', happened_on,
                'raised_on', raised_on, 'probability', probability_when_raised
            ) order by is_new desc, place
        ) filter (where place <= {MOST_LISTED}), '[]'
    )
)
from listed
"""

TREND = f"""
select json_agg(
    json_build_object(
        'week_start', weeks.week_start,
        'sessions', coalesce(weekly.sessions, 0),
        'let_downs', coalesce(weekly.let_downs, 0),
        'let_down_rate', weekly.let_down_rate
    ) order by weeks.week_start
)
from (
    select $1::date - 7 * ago as week_start from generate_series({TREND_WEEKS - 1}, 0, -1) as ago
) as weeks
left join marts.platform_weekly as weekly on weeks.week_start = weekly.week_start
"""

# What is open is so as of today, whichever week is looked at: nothing keeps what was open on an earlier day. Cases that
# wait, by the draw or a snooze, are not overdue and need no owner yet.
CASES = f"""
with cases as (
    select
        cases.*,
        cases.is_open and coalesce(cases.snoozed_until, $2::date) <= $2::date as is_active,
        {TUTOR} as tutor
    from marts.cases as cases
    inner join marts.dim_tutors as tutors on cases.tutor_id = tutors.tutor_id
),

overdue as (
    select *, row_number() over (order by due_on, case_id) as place from cases where is_active and due_on < $2::date
),

unowned as (
    select
        cases.*,
        row_number() over (
            order by
                case cases.priority when 'high' then 1 when 'normal' then 2 else 3 end,
                {AT_RISK} desc, cases.opened_on, cases.case_id
        ) as place
    from cases
    left join marts.tutor_scores as scores on cases.tutor_id = scores.tutor_id
    where cases.is_active and cases.owner_id is null
),

reasons as (
    select reason, count(*) as cases from cases
    where (closed_at at time zone $3::text)::date between $1::date and $1::date + 6
    group by reason
)

select json_build_object(
    'opened', (select count(*) from cases where opened_on between $1::date and $1::date + 6),
    'closed', (select coalesce(sum(reasons.cases), 0)::bigint from reasons),
    'reasons', (select coalesce(json_agg(reasons order by reasons.cases desc, reasons.reason), '[]') from reasons),
    'open', (select count(*) from cases where is_open),
    'overdue', (select count(*) from overdue),
    'without_owner', (select count(*) from unowned),
    'overdue_cases', (
        select coalesce(
            json_agg(
                json_build_object(
                    'case_id', case_id, 'tutor', tutor, 'day', due_on, 'owner_name', owner_name
                ) order by place
            ), '[]'
        ) from overdue where place <= {MOST_LISTED}
    ),
    'unowned_cases', (
        select coalesce(
            json_agg(
                json_build_object(
                    'case_id', case_id, 'tutor', tutor, 'day', opened_on, 'owner_name', null
                ) order by place
            ), '[]'
        ) from unowned where place <= {MOST_LISTED}
    )
)
"""

# `followed` and `is_drawn` become words (`finished`).
OUTCOMES = f"""
select json_build_object(
    'months', {OUTCOME_MONTHS},
    'figures', (
        select figures from (
            select {FIGURES}
            from marts.cases
            where opened_on >= date_trunc('month', publication.as_of::timestamp)::date
                - interval '{OUTCOME_MONTHS - 1} months'
        ) as figures
    ),
    'is_drawn', publication.randomise_follow_up,
    'followed', {FOLLOWED}
)
"""

# As of the last night, whichever week is looked at.
CALIBRATION = f"""
select json_build_object(
    'horizon_days', {honesty.HORIZON_DAYS},
    'totals', (select to_json(totals) from (select {honesty.FIGURES} from marts.score_calibration) as totals)
)
"""

# Of the week after, from now on: what has begun is history.
UPCOMING = f"""
with coming as materialized (
    select upcoming.tutor_id, upcoming.student_id, upcoming.scheduled_time, upcoming.risk_level,
        upcoming.let_down_probability
    from marts.upcoming_sessions as upcoming
    where upcoming.scheduled_on between $1::date + 7 and $1::date + 13 and upcoming.scheduled_time > now()
),

by_tutor as (
    select
        tutor_id,
        count(*) as sessions,
        count(distinct student_id) as students,
        array_agg(distinct student_id) as student_ids,
        min(scheduled_time) as first_at,
        max(let_down_probability) as let_down_probability,
        sum(let_down_probability) as expected_let_downs
    from coming where risk_level = 'high'
    group by tutor_id
),

listed as (
    select by_tutor.*, {TUTOR} as tutor
    from by_tutor
    inner join marts.dim_tutors as tutors on by_tutor.tutor_id = tutors.tutor_id
    order by by_tutor.expected_let_downs desc, by_tutor.tutor_id
    limit {MOST_LISTED}
)

select json_build_object(
    'sessions', (select count(*) from coming),
    'at_risk', (select count(*) from coming where risk_level = 'high'),
    'students', (select count(distinct student_id) from coming where risk_level = 'high'),
    'tutors', (select count(*) from by_tutor),
    'expected_let_downs', (select coalesce(sum(expected_let_downs), 0) from by_tutor),
    'riskiest', (
        select coalesce(
            json_agg(
                json_build_object(
                    'tutor', tutor, 'sessions', sessions, 'students', students,
                    'student_ids', (
                        select json_agg(known.external_id order by known.external_id)
                        from (
                            select people.external_id from marts.dim_students as people
                            where people.student_id = any(listed.student_ids)
                            order by people.external_id limit {MOST_STUDENTS}
                        ) as known
                    ),
                    'first_at', first_at, 'let_down_probability', let_down_probability,
                    'expected_let_downs', expected_let_downs
                ) order by expected_let_downs desc, tutor_id
            ), '[]'
        ) from listed
    )
)
"""

FOLLOW_UPS = f"""
with due as (
    select
        cases.case_id, cases.due_on, cases.owner_name, {TUTOR} as tutor,
        row_number() over (order by cases.due_on, cases.case_id) as place
    from marts.cases as cases
    inner join marts.dim_tutors as tutors on cases.tutor_id = tutors.tutor_id
    where cases.is_open and cases.due_on between $1::date + 7 and $1::date + 13
)

select json_build_object(
    'total', count(*),
    'coming', coalesce(
        json_agg(
            json_build_object('case_id', case_id, 'tutor', tutor, 'day', due_on, 'owner_name', owner_name)
            order by place
        ) filter (where place <= {MOST_LISTED}), '[]'
    )
)
from due
"""

# In the order in which they are shown.
SECTIONS = {
    "concerns": CONCERNS,
    "trend": TREND,
    "cases": CASES,
    "outcomes": OUTCOMES,
    "calibration": CALIBRATION,
    "upcoming": UPCOMING,
    "follow_ups": FOLLOW_UPS,
}

FACTS = f"""
select
    publication.as_of,
    json_build_object(
        'as_of', publication.as_of,
        'patterns', {patterns.of_tutor("null")},
        {", ".join(f"'{name}', ({query})" for name, query in SECTIONS.items())}
    ) as facts
from marts.publication
"""

# A new installation has the last one only after its first roll-over.
IS_READY = """
select bool_and(to_regclass('marts.' || name) is not null)
from unnest(array['tutor_flags', 'upcoming_sessions', 'tutor_patterns', 'score_calibration']) as name
"""
