{{
    config(
        materialized='incremental',
        queue={
            'from': 'intermediate.touched_concern_days',
            'key': {'tutor_id': 'tutor_id', 'concern_day': 'concern_day'},
        },
        pre_hook="select intermediate.touch_concern_days()",
        indexes=[
            {'columns': ['tutor_id', 'concern_day', 'concern'], 'unique': true},
            {'columns': ['concern_day']},
        ],
    )
}}

-- depends_on: {{ ref('int_platform') }}, {{ function('touch_concern_days') }}

with probabilities as (
    select * from {{ ref('int_concern_probabilities') }}
    where not is_as_of
),

final as (
    select
        tutor_id,
        concern_day,
        concern,
        probability
    from probabilities
)

select * from final
