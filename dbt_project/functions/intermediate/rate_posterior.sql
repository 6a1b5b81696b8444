{#
    The prior of a rate, a mixture of two beta distributions, after trials and events: each part is a beta distribution
    again, and its share grows with the probability that it gave the data, B(a + k, b + n - k) / B(a, b).
#}
{% set _ = function('log_gamma') %}
declare
    log_odds double precision := ln({{ (1 - var('broad_share')) / var('broad_share') }})
        + intermediate.log_gamma(prior_alpha + events) + intermediate.log_gamma(prior_beta + trials - events)
        - intermediate.log_gamma(prior_alpha + prior_beta + trials)
        - intermediate.log_gamma(prior_alpha) - intermediate.log_gamma(prior_beta) + intermediate.log_gamma(prior_alpha + prior_beta)
        - intermediate.log_gamma(broad_alpha + events) - intermediate.log_gamma(broad_beta + trials - events)
        + intermediate.log_gamma(broad_alpha + broad_beta + trials)
        + intermediate.log_gamma(broad_alpha) + intermediate.log_gamma(broad_beta) - intermediate.log_gamma(broad_alpha + broad_beta);
begin
    narrow_share := 1 / (1 + exp(least(600, -log_odds)));
    narrow_a := prior_alpha + events;
    narrow_b := prior_beta + trials - events;
    broad_a := broad_alpha + events;
    broad_b := broad_beta + trials - events;
    return next;
end
