-- Compiled with other settings by what_if/replay.py, which has put the probabilities of each Monday into `replayed`
-- (tutor_id, concern_day, concern, probability, has_needs). One row per Monday and concern, and one for all of them
-- (any). A Monday is judged when its days are over, as score_calibration does it.
with today as (
    select as_of from intermediate.scoring_days
    where is_as_of
),

days as (
    select
        tutor_id,
        concern,
        concern_day,
        probability,
        -- getting_worse needs what unreliable needs
        coalesce(has_needs, bool_or(has_needs) filter (where concern = 'unreliable') over on_day, false) as has_needs,
        {{ last_high('concern_day', 'probability') }} over days_before as last_high,
        {{ last_low('concern_day', 'probability') }} over days_before as last_low
    from replayed
    window
        on_day as (partition by tutor_id, concern_day),
        days_before as (
            partition by tutor_id, concern order by concern_day - date '2000-01-01'
            range {{ var('concern_days') - 1 }} preceding
        )
),

raised as (
    select
        tutor_id,
        concern,
        concern_day,
        has_needs,
        coalesce(has_needs and {{ is_raised('probability', 'last_high', 'last_low') }}, false) as is_raised
    from days
),

counted as (
    select
        *,
        is_raised and (
            concern <> 'getting_worse'
            or not coalesce(
                bool_or(is_raised) filter (where concern = 'unreliable')
                    over (partition by tutor_id, concern_day),
                false
            )
        ) as counts
    from raised
),

by_tutor as (
    select
        tutor_id,
        concern_day,
        'any' as concern,
        bool_or(counts) as counts,
        bool_or(is_raised) filter (where concern in ('unreliable', 'getting_worse')) as is_let_down,
        bool_or(has_needs) filter (where concern = 'unreliable') as has_needs
    from counted
    group by tutor_id, concern_day
),

united as (
    select
        tutor_id,
        concern_day,
        concern,
        counts
    from counted
    union all
    select
        tutor_id,
        concern_day,
        concern,
        counts
    from by_tutor
),

onsets as (
    select
        *,
        counts and not coalesce(bool_or(counts) over week_before, false) as begins
    from united
    window
        week_before as (
            partition by tutor_id, concern order by concern_day - date '2000-01-01'
            range between 7 preceding and 7 preceding
        )
),

per_concern as (
    select
        concern_day,
        concern,
        count(*) filter (where counts) as raised,
        count(*) filter (where begins) as onsets
    from onsets
    group by concern_day, concern
),

judged as (
    select
        by_tutor.concern_day,
        by_tutor.is_let_down,
        came.let_downs / came.sessions > {{ var('risk_threshold') }}::double precision as is_above
    from by_tutor
    cross join today
    cross join
        lateral (
            select
                sum(tutor_days.sessions)::double precision as sessions,
                sum(tutor_days.let_downs)::double precision as let_downs
            from intermediate.int_tutor_days as tutor_days
            where
                tutor_days.tutor_id = by_tutor.tutor_id
                and tutor_days.counted_on > by_tutor.concern_day
                and tutor_days.counted_on <= by_tutor.concern_day + {{ var('forecast_days') }}
        ) as came
    where
        by_tutor.has_needs
        and by_tutor.concern_day < today.as_of - {{ var('forecast_days') }}
        and came.sessions >= {{ var('judged_sessions') }}
),

per_day as (
    select
        concern_day,
        'any' as concern,
        count(*) as judged,
        count(*) filter (where is_above) as above,
        count(*) filter (where is_let_down) as judged_raised,
        count(*) filter (where is_let_down and is_above) as raised_above
    from judged
    group by concern_day
)

select
    per_concern.concern_day,
    per_concern.concern,
    per_concern.raised,
    per_concern.onsets,
    coalesce(per_day.judged, 0) as judged,
    coalesce(per_day.above, 0) as above,
    coalesce(per_day.judged_raised, 0) as judged_raised,
    coalesce(per_day.raised_above, 0) as raised_above
from per_concern
left join per_day on per_concern.concern_day = per_day.concern_day and per_concern.concern = per_day.concern
order by per_concern.concern_day, per_concern.concern
