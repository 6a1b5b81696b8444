{{
    config(
        tags=['matching'],
        indexes=[{'columns': ['tutor_id', 'known_before'], 'unique': true}],
    )
}}

with activity as (
    select * from {{ ref('int_tutor_activity') }}
),

final as (
    select
        tutor_id,
        known_before,
        sessions_28d,
        sessions_change,
        days_since_session,
        active_students,
        below_peak_share,
        new_students_56d,
        lost_share_56d,
        let_down_rate,
        rating,
        rating_change,
        tenure_days,
        outcome_on,
        has_stopped
    from activity
    where outcome_on is not null
)

select * from final
