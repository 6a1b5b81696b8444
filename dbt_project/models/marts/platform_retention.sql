{{ config(tags=['nightly']) }}

with retention as (
    select * from {{ ref('tutor_retention') }}
),

numbers as (
    select session_number from generate_series(1, {{ var('retention_sessions') }}) as numbers (session_number)
),

final as (
    select
        numbers.session_number,
        coalesce(sum(retention.students), 0)::bigint as students,
        coalesce(sum(retention.came), 0)::bigint as came,
        count(retention.tutor_id) as tutors
    from numbers
    left join retention on numbers.session_number = retention.session_number
    group by numbers.session_number
)

select * from final
