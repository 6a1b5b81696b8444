-- The definition of tutor_concerns: with a tutor's id it reads this tutor's rows, by index. Live writers
-- (refresh_sessions) use it so.

with today as (
    select * from {{ ref('int_concern_estimates') }}
    where is_as_of
),

days as (
    select * from {{ ref('int_concern_days') }}
),

stretches as (
    select * from {{ ref('int_concern_stretches') }}
),

statuses as (
    select
        today.*,
        case
            when not today.has_needs then 'insufficient_data'
            when
                today.probability >= {{ var('high_risk_probability') }}
                or (
                    today.probability >= {{ var('watch_probability') }}
                    and past.last_high > coalesce(past.last_low, '-infinity')
                )
                then 'raised'
            when today.probability >= {{ var('watch_probability') }} then 'watch'
            else 'ok'
        end as status,
        case
            when today.probability >= {{ var('high_risk_probability') }} then today.concern_day
            else past.last_high
        end as last_high
    from today
    -- Only where they matter, for one row in a hundred: for all, that took a sixth of the time of a run's concerns.
    cross join lateral (
        select
            max(days.concern_day) filter (where days.probability >= {{ var('high_risk_probability') }}) as last_high,
            max(days.concern_day) filter (where days.probability < {{ var('watch_probability') }}) as last_low
        from days
        where
            days.tutor_id = today.tutor_id
            and days.concern = today.concern
            and today.probability >= {{ var('watch_probability') }}
            and today.probability < {{ var('high_risk_probability') }}
    ) as past
),

compared as (
    select
        *,
        bool_or(concern = 'unreliable' and status = 'raised') over (partition by tutor_id) as is_unreliable
    from statuses
),

final as (
    select
        tutor_id || ' ' || concern as concern_key,
        tutor_id,
        concern,
        concern_day as as_of,
        status,
        concern = 'getting_worse' and status = 'raised' and is_unreliable as superseded,
        probability,
        rate_limit as threshold,
        trials::bigint as trials,
        events::bigint as events,
        raw_rate,
        expected,
        low,
        high,
        case
            when status = 'raised'
                then coalesce(
                        (
                            select max(stretches.raised_on)
                            from stretches
                            where
                                stretches.tutor_id = statuses.tutor_id
                                and stretches.concern = statuses.concern
                                and stretches.raised_on < statuses.concern_day
                                and stretches.cleared_on is null
                        ),
                        concern_day
                    )
        end as raised_on,
        case when status = 'raised' then last_high end as last_high_on
    from compared as statuses
)

select * from final
