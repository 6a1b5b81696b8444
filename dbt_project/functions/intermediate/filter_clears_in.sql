{#
    The steps in pieces of 30 days: few concerns last longer.
#}
{% set _ = [function('filter_days'), function('is_cleared')] %}
{% set piece = 30 %}
declare
    trials_up_to double precision[] := array(
        select sum(count_trials) over (order by age) from unnest(ages, trials) as days (age, count_trials) order by age
    );
    kept_needs double precision;
    coming double precision[];
    step record;
begin
    for ahead in 1..{{ var('projected_days') }} loop
        if pace > 0 and (ahead - 1) % {{ piece }} = 0 then
            coming := '{}';
            for step in
                select * from intermediate.filter_days(
                    weights,
                    last_day,
                    array(select today + ahead + more from generate_series(0, {{ piece - 1 }}) as more),
                    array_fill(pace, array[{{ piece }}]),
                    array_fill(0::double precision, array[{{ piece }}]),
                    after_a_jump,
                    log_rates,
                    log_complements,
                    design_effect
                )
            loop
                coming := coming || step.probability;
                weights := step.state;
                last_day := step.day;
            end loop;
        end if;
        probability := coalesce(coming[(ahead - 1) % {{ piece }} + 1], probability);
        kept_needs := coalesce(trials_up_to[width_bucket(needs_days - 1 - ahead, ages)], 0);
        if probability >= {{ var('high_risk_probability') }} then
            days_since_high := 0;
        else
            days_since_high := days_since_high + 1;
        end if;
        if intermediate.is_cleared(
            probability, kept_needs + pace * least(ahead, needs_days) >= needs - 1e-9, days_since_high
        ) then
            return ahead;
        end if;
    end loop;
    return null;
end
