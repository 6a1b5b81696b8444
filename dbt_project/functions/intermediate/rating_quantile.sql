-- By halves: the quantile of a mixture lies between those of its parts. `deviations` is how far these lie from their means.
{% set _ = function('rating_cdf') %}
declare
    deviations double precision := case when quantile < 0.5 then -1 else 1 end * 1.6448536269514722;
    low double precision := least(narrow_mean + deviations * narrow_deviation, broad_mean + deviations * broad_deviation);
    high double precision := greatest(narrow_mean + deviations * narrow_deviation, broad_mean + deviations * broad_deviation);
    middle double precision;
begin
    for _ in 1..24 loop
        middle := (low + high) / 2;
        if intermediate.rating_cdf(narrow_share, narrow_mean, narrow_deviation, broad_mean, broad_deviation, middle) < quantile then
            low := middle;
        else
            high := middle;
        end if;
    end loop;
    return (low + high) / 2;
end
