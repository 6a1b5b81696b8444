{{
    config(
        materialized='incremental',
        queue={
            'from': 'intermediate.touched_concern_days',
            'key': {'tutor_id': 'tutor_id', 'concern_day': 'concern_day'},
            'together': 'concern_day',
        },
        pre_hook="select intermediate.touch_concern_days()",
        post_hook="select intermediate.keep_concern_stretches()",
        indexes=[{'columns': ['tutor_id', 'concern', 'concern_day'], 'unique': true}],
    )
}}

-- depends_on: {{ ref('int_platform') }}, {{ ref('int_filter_checkpoints') }}, {{ function('touch_concern_days') }}
-- depends_on: {{ function('keep_concern_stretches') }}

with probabilities as (
    select * from {{ ref('int_concern_probabilities') }}
    where not is_as_of
),

final as (
    select
        tutor_id,
        concern_day,
        concern,
        probability,
        has_needs
    from probabilities
)

select * from final
