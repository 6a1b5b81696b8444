-- The as-of day is always among them: tutor_scores and platform_baseline need it, whatever else is asked for.

with as_of as (
    select * from {{ ref('int_as_of') }}
),

final as (
    select as_of from as_of
    {% for day in var('scoring_days') %}
        union
        select '{{ day }}'::date as as_of
    {% endfor %}
)

select * from final
