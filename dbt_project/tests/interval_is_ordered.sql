-- Quantiles in order, and all within 0-1. (The mean may lie outside them: where the platform hardly knows
-- reschedules, nearly all of a distribution is at zero and its mean above the 95% quantile.)

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
        and reschedule_rate_low <= reschedule_rate_high
        and reschedule_rate_high <= 1
        and reschedule_rate_expected between 0 and 1
    )
    or (reschedule_rate_expected is null) <> (sessions_90d = 0)
    or (risk_probability is null) <> (sessions_90d = 0)
