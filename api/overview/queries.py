"""SQL of the overview."""

import json

from api.database import VERSION, Statement, columns
from api.overview.schemas import PlatformRates, PlatformWeek, Rules, TutorName
from api.publication import META_SQL
from core import patterns
from core.concerns import Concern, ConcernName, in_order

NEWEST_CONCERNS = 10


OVERVIEW = f"""
with active as (
    select * from marts.tutor_scores as scores where scores.is_active
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

raised as (
    select
        {columns(TutorName, "active")},
        {columns(Concern, "concerns")}
    from active
    inner join marts.tutor_concerns as concerns
        on active.tutor_id = concerns.tutor_id and concerns.concern = any(active.concerns)
),

cleared as (
    select
        flags.tutor_id,
        flags.concern
    from active
    inner join marts.tutor_flags as flags on active.tutor_id = flags.tutor_id
    cross join marts.publication
    where flags.cleared_on = publication.as_of
),

cleared_counts as (
    select concern, count(*) as tutors from cleared group by concern
),

concern_counts as (
    select
        names.concern,
        count(raised.concern) as tutors,
        count(raised.concern) filter (where raised.raised_on = publication.as_of) as raised_today,
        coalesce(cleared_counts.tutors, 0) as cleared_today
    from unnest(array{[name.value for name in ConcernName]}) as names (concern)
    cross join marts.publication
    left join raised on names.concern = raised.concern
    left join cleared_counts on names.concern = cleared_counts.concern
    group by names.concern, cleared_counts.tutors
    order by {in_order("names.concern")}
),

attention as (
    select
        count(*) filter (where active.attention) as tutors,
        count(*) filter (
            where active.attention
                -- Superseded ones, too.
                and not exists (
                    select from marts.tutor_concerns as concerns
                    where concerns.tutor_id = active.tutor_id and concerns.raised_on < publication.as_of
                )
                and not exists (select from cleared where cleared.tutor_id = active.tutor_id)
        ) as began_today,
        count(*) filter (
            where not active.attention and exists (select from cleared where cleared.tutor_id = active.tutor_id)
        ) as ended_today
    from active
    cross join marts.publication
),

newest as (
    select * from raised
    order by raised.raised_on desc, raised.probability desc, raised.tutor_id, {in_order("raised.concern")}
    limit {NEWEST_CONCERNS}
)

select
    {VERSION},
    json_build_object(
        'data', json_build_object(
            'active_tutors', (select count(*) from active),
            'attention', (select attention.tutors from attention),
            'attention_began_today', (select attention.began_today from attention),
            'attention_ended_today', (select attention.ended_today from attention),
            'concerns', (select json_agg(concern_counts) from concern_counts),
            'risk_status', (select json_agg(status_counts) from status_counts),
            'compared_with', (select earlier.as_of from earlier),
            'platform', (
                select rates
                from (select {columns(PlatformRates, "baseline")} from marts.platform_baseline as baseline) as rates
            ),
            'rules', (select rules from (select {columns(Rules, "publication")}) as rules),
            'weeks', coalesce((select json_agg(weeks) from weeks), '[]'),
            'newest_concerns', coalesce((select json_agg(newest) from newest), '[]'),
            'patterns', {patterns.of_tutor("null")}
        ),
        'meta', json_build_object({META_SQL})
    )
from marts.publication
"""


def overview() -> Statement:
    """The platform at a glance."""
    return Statement(OVERVIEW)


def describe(overview_json: bytes) -> bytes:
    """The body of the answer, with patterns in words."""
    body = json.loads(overview_json)
    counts = body["data"]["rules"]["reliability_counts"]
    for known in body["data"]["patterns"]:
        known["sentence"] = patterns.sentence(patterns.Pattern.model_validate(known), counts, "tutors")
    return json.dumps(body, separators=(",", ":")).encode()
