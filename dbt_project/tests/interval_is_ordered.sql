-- Quantiles in order, and all within 0-1. (The mean may lie outside them: where the platform hardly knows
-- reschedules, nearly all of a distribution is at zero and its mean above the 95% quantile.)

with scores as (
    select * from {{ ref('tutor_scores') }}
)

select
    tutor_id,
    let_down_rate_low,
    let_down_rate_expected,
    let_down_rate_high
from scores
where
    not (
        0 <= let_down_rate_low
        and let_down_rate_low <= let_down_rate_high
        and let_down_rate_high <= 1
        and let_down_rate_expected between 0 and 1
    )
    or (sessions_90d > 0 and let_down_rate_expected is null)
    or (let_down_rate_expected is null) <> (risk_probability is null)
