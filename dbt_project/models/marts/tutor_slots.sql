{{ config(tags=['nightly'], indexes=[{'columns': ['tutor_id']}]) }}

-- depends_on: {{ ref('dim_tutors') }}

with slots as (
    select * from {{ ref('int_slots') }}
),

final as (
    select
        tutor_id,
        weekday,
        hour,
        count(*) as sessions,
        count(*) filter (where is_let_down) as let_downs
    from slots
    group by tutor_id, weekday, hour
)

select * from final
