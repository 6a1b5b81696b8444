"""SQL of the overview."""

from api.database import VERSION, Statement, columns
from api.overview.schemas import Flag, PlatformRates, PlatformWeek, Rules
from api.publication import META_SQL

NEWEST_FLAGS = 10


OVERVIEW = f"""
with active as (
    select * from marts.tutor_scores where is_active
),

earlier as (
    -- A subquery and not a join, so that one look into an index on the days answers it.
    select max(as_of) as as_of
    from marts.score_history
    where as_of < (select publication.as_of from marts.publication)
),

statuses (risk_status, gravity) as (
    values ('high_risk', 1), ('watch', 2), ('ok', 3), ('insufficient_data', 4)
),

now_counts as (
    select risk_status, count(*) as tutors from active group by risk_status
),

earlier_counts as (
    -- A tutor without a session in the window has no row in the history.
    select coalesce(history.risk_status, 'insufficient_data') as risk_status, count(*) as tutors
    from active
    left join marts.score_history as history
        on active.tutor_id = history.tutor_id and history.as_of = (select earlier.as_of from earlier)
    group by 1
),

status_counts as (
    select
        statuses.risk_status,
        coalesce(now_counts.tutors, 0) as tutors,
        case
            when (select earlier.as_of from earlier) is not null
                then coalesce(now_counts.tutors, 0) - coalesce(earlier_counts.tutors, 0)
        end as change
    from statuses
    left join now_counts on statuses.risk_status = now_counts.risk_status
    left join earlier_counts on statuses.risk_status = earlier_counts.risk_status
    order by statuses.gravity
),

weeks as (
    select {columns(PlatformWeek, "weekly")} from marts.platform_weekly as weekly order by weekly.week_start
),

flags as (
    select {columns(Flag, "active")}
    from active
    where active.risk_status in ('watch', 'high_risk')
    order by active.risk_status_since desc nulls last, active.risk_probability desc, active.tutor_id
    limit {NEWEST_FLAGS}
)

select
    {VERSION},
    json_build_object(
        'data', json_build_object(
            'active_tutors', (select count(*) from active),
            'risk_status', (select json_agg(status_counts) from status_counts),
            'compared_with', (select earlier.as_of from earlier),
            'platform', (
                select rates
                from (select {columns(PlatformRates, "baseline")} from marts.platform_baseline as baseline) as rates
            ),
            'rules', (select rules from (select {columns(Rules, "publication")}) as rules),
            'weeks', coalesce((select json_agg(weeks) from weeks), '[]'),
            'newest_flags', coalesce((select json_agg(flags) from flags), '[]')
        ),
        'meta', json_build_object({META_SQL})
    )
from marts.publication
"""


def overview() -> Statement:
    """The platform at a glance."""
    return Statement(OVERVIEW)
