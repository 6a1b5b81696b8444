{{
    config(
        materialized='incremental',
        queue={'from': 'raw.changes', 'key': {'entity_id': 'student_id'}, 'where': "entity = 'student'"},
    )
}}

with students as (
    select * from {{ ref('stg_raw__students') }}
),

final as (
    select
        student_id,
        coalesce(external_id, student_id::text) as external_id,
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
