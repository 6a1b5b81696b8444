{#
    The smallest number k of further sessions without a tutor reschedule after which the risk would be below the watch
    level, for a tutor who is at it or above: k more clean sessions turn Beta(a, b) into Beta(a, b + k), and the risk falls
    with every one of them. Null if it takes more than most_sessions_to_clear.
#}
{% set _ = function('beta_masses') %}
declare
    too_few integer := 0;
    enough integer := {{ var('most_sessions_to_clear') }} + 1;
    -- Where the median of Beta(a, b + k) is at the threshold, nearly. From there in steps that double.
    guess double precision := ceil((a - 1.0 / 3) / {{ var('risk_threshold') }} + 2.0 / 3 - a - b);
    step integer := 1;
    is_enough boolean;
begin
    while enough - too_few > 1 loop
        guess := least(greatest(guess, too_few + 1), enough - 1);
        select coalesce(sum(mass) filter (where is_above), 0) / sum(mass) < {{ var('watch_probability') }} into is_enough
        from intermediate.beta_masses(a, b + guess, {{ var('risk_threshold') }});
        if is_enough then
            enough := guess;
            guess := guess - step;
        else
            too_few := guess;
            guess := guess + step;
        end if;
        step := step * 2;
    end loop;
    return nullif(enough, {{ var('most_sessions_to_clear') }} + 1);
end
