-- The 5% and 95% quantiles lie on both sides of the mean, and all within 0-1.

with scores as (
    select * from {{ ref('tutor_scores') }}
)

select
    tutor_id,
    reschedule_rate_low,
    reschedule_rate_expected,
    reschedule_rate_high
from scores
where
    not (
        0 <= reschedule_rate_low
        and reschedule_rate_low <= reschedule_rate_expected
        and reschedule_rate_expected <= reschedule_rate_high
        and reschedule_rate_high <= 1
    )
    or (reschedule_rate_expected is null) <> (sessions_90d = 0)
    or (risk_probability is null) <> (sessions_90d = 0)
