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
    -- Sums of weights need not be exact to the last digit.
    quality_score not between 0 and 100.000001
    or (quality_score is null) <> (
        coalesce(reliability_component, attendance_component, first_session_component, rating_component) is null
    )
    or (first_session_component is null) <> (first_meetings = 0)
    or (rating_component is null) <> (ratings_90d = 0)
