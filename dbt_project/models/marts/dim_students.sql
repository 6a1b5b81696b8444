{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ take_changed_students() }}",
    )
}}

with students as (
    select * from {{ ref('stg_raw__students') }}
    {% if is_incremental() %}
        where student_id in (select changed_students.entity_id from changed_students)
    {% endif %}
),

final as (
    select
        student_id,
        external_id,
        name,
        age,
        subjects,
        preferred_teaching_style,
        preferred_pace,
        communication_style,
        urgency_level,
        is_stub
    from students
)

select * from final
