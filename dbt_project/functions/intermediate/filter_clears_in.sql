{% set _ = [function('filter_days'), function('is_cleared')] %}
declare
    horizon integer := {{ var('projected_days') }};
    coming double precision[];
    kept_needs double precision;
begin
    if pace > 0 then
        select array_agg(step.probability order by step.day) into coming
        from intermediate.filter_days(
            weights,
            last_day,
            array(select today + ahead from generate_series(1, horizon) as ahead),
            array_fill(pace, array[horizon]),
            array_fill(0::double precision, array[horizon]),
            after_a_jump,
            log_rates,
            log_complements,
            design_effect
        ) as step;
    else
        coming := array_fill(probability, array[horizon]);
    end if;
    for ahead in 1..horizon loop
        select coalesce(sum(count_trials), 0) into kept_needs
        from unnest(ages, trials) as days (age, count_trials)
        where age + ahead < needs_days;
        if coming[ahead] >= {{ var('high_risk_probability') }} then
            days_since_high := 0;
        else
            days_since_high := days_since_high + 1;
        end if;
        if intermediate.is_cleared(
            coming[ahead], kept_needs + pace * least(ahead, needs_days) >= needs - 1e-9, days_since_high
        ) then
            return ahead;
        end if;
    end loop;
    return null;
end
