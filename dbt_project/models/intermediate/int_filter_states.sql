-- The change filter from the checkpoints on. A state stays until the next day with sessions, as long as other evidence
-- counts. Each tutor's days are read by index, be it for one tutor or for all.

with scoring_days as (
    select * from {{ ref('int_scoring_days') }}
    where is_as_of
),

parameters as (
    select * from {{ ref('int_filter_parameters') }}
),

tutors as (
    select tutor_id from {{ ref('dim_tutors') }}
),

checkpoints as (
    select * from {{ ref('int_filter_checkpoints') }}
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

final as (
    select
        states.concern_day,
        states.concern_day = scoring_days.as_of as is_as_of,
        tutors.tutor_id,
        states.state,
        states.probability
    from scoring_days
    cross join parameters
    cross join tutors
    left join checkpoints on tutors.tutor_id = checkpoints.tutor_id
    cross join
        lateral (
            select
                array_agg(tutor_days.counted_on order by tutor_days.counted_on) as counted_days,
                array_agg(tutor_days.sessions::double precision order by tutor_days.counted_on) as trials,
                array_agg(tutor_days.let_downs::double precision order by tutor_days.counted_on) as events
            from tutor_days
            where
                tutor_days.tutor_id = tutors.tutor_id
                and tutor_days.counted_on >= parameters.checkpoint_on
                and tutor_days.counted_on <= scoring_days.as_of
        ) as facts
    cross join lateral (
        select
            step.state,
            step.probability,
            generate_series(
                greatest(step.day - scoring_days.as_of, {{ 1 - var('concern_days') }}),
                least(
                    coalesce(lead(step.day) over (order by step.day) - 1 - scoring_days.as_of, 0),
                    step.day - scoring_days.as_of + {{ var('evidence_days') - 1 }}
                )
            ) + scoring_days.as_of as concern_day
        from (
            select *
            from {{ function('filter_days') }}(
                    coalesce(checkpoints.state, parameters.start),
                    checkpoints.last_day,
                    facts.counted_days,
                    facts.trials,
                    facts.events,
                    parameters.after_a_jump,
                    parameters.log_rates,
                    parameters.log_complements,
                    parameters.design_effect
                )
            union all
            select
                checkpoints.last_day,
                checkpoints.state,
                checkpoints.probability
            where checkpoints.last_day is not null
        ) as step
    ) as states
)

select * from final
