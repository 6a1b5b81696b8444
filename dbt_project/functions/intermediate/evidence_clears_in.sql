{% set _ = [function('rate_probability'), function('rating_posterior'), function('rating_cdf'), function('is_cleared')] %}
declare
    kept_trials double precision;
    kept_total double precision;
    kept_needs double precision;
    more double precision := 0;
    more_needs double precision := 0;
    n double precision;
    total double precision;
    scale double precision;
    probability double precision;
begin
    for ahead in 1..{{ var('projected_days') }} loop
        select
            coalesce(sum(count_trials * weights[age + ahead + 1]), 0),
            coalesce(sum(count_total * weights[age + ahead + 1]), 0),
            coalesce(sum(count_trials * needs_weights[age + ahead + 1]), 0)
        into kept_trials, kept_total, kept_needs
        from unnest(ages, trials, totals) as days (age, count_trials, count_total);
        more := more + pace * coalesce(weights[ahead], 0);
        more_needs := more_needs + pace * coalesce(needs_weights[ahead], 0);
        n := kept_trials + more;
        total := kept_total + more * coming_mean;
        if log_masses is not null then
            scale := least(1, cap / nullif(n, 0));
            probability := intermediate.rate_probability(
                log_masses, log_rates, log_complements, n * scale, least(n, total) * scale
            );
        else
            select intermediate.rating_cdf(
                narrow_share, narrow_mean, narrow_deviation, broad_mean, broad_deviation, rating_limit
            )
            into probability
            from intermediate.rating_posterior(n, total / nullif(n, 0), rating_mean, between_variance, within_variance);
        end if;
        if probability >= {{ var('high_risk_probability') }} then
            days_since_high := 0;
        else
            days_since_high := days_since_high + 1;
        end if;
        -- A pace such as 5/90 a day adds up to 5 in 90 days but for rounding.
        if intermediate.is_cleared(probability, kept_needs + more_needs >= needs - 1e-9, days_since_high) then
            return ahead;
        end if;
    end loop;
    return null;
end
