{{
    config(
        materialized='incremental',
        queue={'from': 'intermediate.touched_filter_checkpoints', 'key': {'tutor_id': 'tutor_id'}},
        pre_hook="select intermediate.touch_filter_checkpoints()",
        indexes=[{'columns': ['tutor_id'], 'unique': true}],
    )
}}

-- With a tutor's id it steps through this tutor's days from the first one on.
-- depends_on: {{ ref('int_platform') }}, {{ ref('int_score_reference') }}
-- depends_on: {{ function('touch_filter_checkpoints') }}

with parameters as (
    select * from {{ ref('int_filter_parameters') }}
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

tutors as (
    select
        tutor_id,
        array_agg(counted_on order by counted_on) as counted_days,
        array_agg(sessions::double precision order by counted_on) as trials,
        array_agg(let_downs::double precision order by counted_on) as events
    from tutor_days
    where counted_on < (select parameters.checkpoint_on from parameters)
    group by tutor_id
),

final as (
    select
        tutors.tutor_id,
        step.day as last_day,
        step.state,
        step.probability
    from tutors
    cross join parameters
    cross join
        lateral (
            select *
            from {{ function('filter_days') }}(
                    parameters.start,
                    null,
                    tutors.counted_days,
                    tutors.trials,
                    tutors.events,
                    parameters.after_a_jump,
                    parameters.log_rates,
                    parameters.log_complements,
                    parameters.design_effect
                )
            order by day desc
            limit 1
        ) as step
)

select * from final
