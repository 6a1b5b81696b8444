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
    tutor_reschedules_90d > moved_sessions_90d
    or short_notice_90d > tutor_reschedules_90d + tutor_cancellations_90d
    or let_downs_90d > tutor_reschedules_90d + tutor_cancellations_90d + tutor_no_shows_90d
    or late_starts_90d > started_90d
    or episodes_90d > let_downs_90d
    or (episodes_90d = 0) <> (let_downs_90d = 0)
