{{
    config(
        materialized='incremental',
        queue={'from': 'raw.changes', 'key': {'entity_id': 'tutor_id'}, 'where': "entity = 'tutor'"},
        gate=3,
    )
}}

with tutors as (
    select * from {{ ref('stg_raw__tutors') }}
),

final as (
    select
        tutor_id,
        coalesce(external_id, tutor_id::text) as external_id,
        name,
        email,
        subjects,
        is_active,
        hired_at,
        capacity,
        age,
        experience_years,
        teaching_style,
        preferred_pace,
        communication_style,
        time_zone,
        is_stub
    from tutors
)

select * from final
