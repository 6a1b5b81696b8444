-- Components, rates and ranks are shares, the score is a percentage, and both are there exactly where there is data.

{% set shares = [
    'reliability_component', 'attendance_component', 'first_session_component', 'rating_component',
    'let_down_rate_7d', 'let_down_rate_30d', 'let_down_rate_90d', 'reschedule_rate_7d', 'reschedule_rate_30d', 'reschedule_rate_90d', 'risk_probability', 'peer_percentile',
] %}

with scores as (
    select * from {{ ref('tutor_scores') }}
)

select
    tutor_id,
    quality_score
from scores
where
    {% for share in shares %}
        {{ share }} not between 0 and 1
        or
    {% endfor %}
    quality_score not between 0 and 100
    or (
        quality_score is not null
        and coalesce(reliability_component, attendance_component, first_session_component, rating_component) is null
    )
    or (first_session_rate_expected is null) <> (first_meetings = 0)
    or (ratings_90d > 0 and rating_expected is null)
