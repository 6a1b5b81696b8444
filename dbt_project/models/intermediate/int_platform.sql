{{
    config(
        materialized='incremental',
        pre_hook="select intermediate.begin_scoring_day()",
        post_hook=[
            "select intermediate.take_over_concern_priors()",
            "select intermediate.set_score_reference({{ var('new_reference') }})",
        ],
    )
}}

-- In this transaction the as-of day changes, and with it all that scores take from all tutors: scores that are
-- refreshed live afterwards start from the same numbers, to the last bit.
-- depends_on: {{ function('begin_scoring_day') }}, {{ function('take_over_concern_priors') }}
-- depends_on: {{ ref('int_concern_moments') }}, {{ ref('int_concern_trials') }}, {{ ref('int_concern_parameters') }}
-- depends_on: {{ function('set_score_reference') }}, {{ ref('int_design_effect') }}

with final as (
    select as_of from {{ ref('int_scoring_days') }}
    where is_as_of
)

select * from final
