-- A shorter window is part of the longer ones, and what is counted in it cannot be more than its sessions.

with scores as (
    select * from {{ ref('tutor_scores') }}
)

select
    tutor_id,
    sessions_7d,
    sessions_30d,
    sessions_90d
from scores
where
    {% for count in ['sessions', 'reschedules', 'tutor_reschedules', 'tutor_no_shows', 'short_notice_reschedules'] %}
        {{ count }}_7d > {{ count }}_30d
        or {{ count }}_30d > {{ count }}_90d
        or {{ count }}_90d > sessions_90d
        or
    {% endfor %}
    tutor_reschedules_90d > reschedules_90d
    or short_notice_reschedules_90d > tutor_reschedules_90d
    or episodes_90d > tutor_reschedules_90d
    or (episodes_90d = 0) <> (tutor_reschedules_90d = 0)
