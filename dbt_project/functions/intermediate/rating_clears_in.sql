{% set _ = [function('rating_posterior'), function('rating_cdf'), function('is_cleared')] %}
declare
    kept double precision;
    kept_sum double precision;
    kept_needs double precision;
    more double precision := 0;
    more_needs double precision := 0;
    n double precision;
    probability double precision;
begin
    for ahead in 1..{{ var('projected_days') }} loop
        select
            coalesce(sum(count_ratings * weights[age + ahead + 1]), 0),
            coalesce(sum(sum_of_ratings * weights[age + ahead + 1]), 0),
            coalesce(sum(count_ratings) filter (where age + ahead < cardinality(weights)), 0)
        into kept, kept_sum, kept_needs
        from unnest(ages, ratings, rating_sums) as days (age, count_ratings, sum_of_ratings);
        more := more + pace * coalesce(weights[ahead], 0);
        more_needs := pace * least(ahead, cardinality(weights));
        n := kept + more;
        select
            intermediate.rating_cdf(
                narrow_share, narrow_mean, narrow_deviation, broad_mean, broad_deviation, rating_limit
            )
        into probability
        from intermediate.rating_posterior(n, (kept_sum + more * prior_mean) / nullif(n, 0), prior_mean, between_variance, within_variance);
        if probability >= {{ var('high_risk_probability') }} then
            days_since_high := 0;
        else
            days_since_high := days_since_high + 1;
        end if;
        if intermediate.is_cleared(probability, kept_needs + more_needs >= needs - 1e-9, days_since_high) then
            return ahead;
        end if;
    end loop;
    return null;
end
