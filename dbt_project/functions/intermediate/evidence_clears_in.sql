{#
    Without events a probability falls, so this looks 16 days ahead, and at each day in between where something differs there
    or a level is near. It drops at once on the day on which events leave the window with much of their weight, so that day is
    looked at, too. That of lost students may rise, as pairs that stayed leave the window, so there each day is looked at.
#}
{% set _ = [function('rate_probability'), function('rating_posterior'), function('rating_cdf'), function('is_cleared')] %}
declare
    stride integer := case when cap = 'infinity' then 1 else 16 end;
    step integer := 1;
    ahead integer := 0;
    stride_again integer := 0;
    is_high boolean := days_since_high = 0;
    days_in_window integer := cardinality(weights);
    events_leave_in integer;
    is_near boolean;
    looks_high boolean;
    looks_cleared boolean;
    more double precision := 0;
    more_needs double precision := 0;
    coming double precision;
    coming_needs double precision;
    needed double precision;
    n double precision;
    total double precision;
    scale double precision;
    probability double precision;
begin
    while ahead < {{ var('projected_days') }} loop
        select
            coalesce(sum(count_trials * weights[age + ahead + step + 1]), 0),
            coalesce(sum(count_total * weights[age + ahead + step + 1]), 0),
            coalesce(sum(count_trials * needs_weights[age + ahead + step + 1]), 0),
            min(days_in_window - age - ahead - step)
                filter (where count_total > 0 and age + ahead + step < days_in_window and weights[days_in_window] > 0.1)
        into n, total, needed, events_leave_in
        from unnest(ages, trials, totals) as days (age, count_trials, count_total);
        coming := more;
        coming_needs := more_needs;
        for day in ahead + 1..ahead + step loop
            coming := coming + pace * coalesce(weights[day], 0);
            coming_needs := coming_needs + pace * coalesce(needs_weights[day], 0);
        end loop;
        n := n + coming;
        total := total + coming * coming_mean;
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
        looks_high := probability >= {{ var('high_risk_probability') }};
        is_near := probability < {{ var('watch_probability') }} + 0.1 or abs(probability - {{ var('high_risk_probability') }}) < 0.05;
        -- A pace such as 5/90 a day adds up to 5 in 90 days but for rounding.
        looks_cleared := intermediate.is_cleared(
            probability, needed + coming_needs >= needs - 1e-9, case when looks_high then 0 else days_since_high + step end
        );
        -- Needs may be missed for a few days only, when old trials are gone and new ones few.
        if step > 1 and (looks_cleared or looks_high <> is_high or needed + more_needs < needs) then
            stride_again := ahead + step;
            step := 1;
            continue;
        end if;
        ahead := ahead + step;
        if looks_cleared then
            return ahead;
        end if;
        more := coming;
        more_needs := coming_needs;
        is_high := looks_high;
        days_since_high := case when is_high then 0 else days_since_high + step end;
        if ahead >= stride_again then
            step := case when is_near then 1 else least(stride, events_leave_in) end;
        end if;
    end loop;
    return null;
end
