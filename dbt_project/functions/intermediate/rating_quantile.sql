-- By Newton's steps, and by halves where one would leave the bounds: the quantile of a mixture lies between those of its
-- parts. `deviations` is how far these lie from their means. Posteriors take three to five steps; halves alone took
-- twice as many.
{% set _ = function('rating_cdf') %}
declare
    deviations double precision := case when quantile < 0.5 then -1 else 1 end * 1.6448536269514722;
    low double precision := least(narrow_mean + deviations * narrow_deviation, broad_mean + deviations * broad_deviation);
    high double precision := greatest(narrow_mean + deviations * narrow_deviation, broad_mean + deviations * broad_deviation);
    place double precision := (low + high) / 2;
    before double precision;
    excess double precision;
    density double precision;
begin
    for _ in 1..30 loop
        before := place;
        excess := intermediate.rating_cdf(narrow_share, narrow_mean, narrow_deviation, broad_mean, broad_deviation, place) - quantile;
        exit when excess = 0;
        if excess < 0 then
            low := place;
        else
            high := place;
        end if;
        density := 0.3989422804014327 * (
            narrow_share / narrow_deviation * exp(greatest(-300, -0.5 * ((place - narrow_mean) / narrow_deviation) ^ 2))
            + (1 - narrow_share) / broad_deviation * exp(greatest(-300, -0.5 * ((place - broad_mean) / broad_deviation) ^ 2))
        );
        place := place - excess / density;
        if place <= low or place >= high then
            place := (low + high) / 2;
        end if;
        exit when abs(place - before) < 1e-6; -- after a half the quantile is as near, after Newton's step far nearer
    end loop;
    return place;
end
