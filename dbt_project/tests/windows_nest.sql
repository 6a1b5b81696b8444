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
    {% for metric in var('metrics') %}
        {{ metric.name }}_7d > {{ metric.name }}_30d
        or {{ metric.name }}_30d > {{ metric.name }}_90d
        or {{ metric.name }}_90d > sessions_90d
        or
    {% endfor %}
    tutor_reschedules_90d > reschedules_90d
    or short_notice_reschedules_90d > tutor_reschedules_90d
    or episodes_90d > tutor_reschedules_90d
    or (episodes_90d = 0) <> (tutor_reschedules_90d = 0)
