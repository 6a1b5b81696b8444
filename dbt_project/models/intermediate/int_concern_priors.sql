-- The priors of each concern, as runs have left them (int_concern_parameters), in cells. The table is filled by
-- int_platform, in the transaction in which the as-of day changes.

select
    concern_day,
    is_closed,
    concern,
    rate_limit,
    prior_alpha,
    prior_beta,
    broad_alpha,
    broad_beta,
    log_masses,
    log_rates,
    log_complements,
    rating_mean,
    between_variance,
    within_variance
from intermediate.concern_priors
