-- Each part of the prior is updated by the observed mean, whose variance is within_variance / least(ratings, cap), and its share by
-- the density that it gave the observed mean. Precision rather than variance: it is zero without ratings.
declare
    precision_observed double precision := least(ratings, {{ var('evidence_cap') }}) / within_variance;
    distance double precision := case when ratings > 0 then observed_mean - prior_mean else 0 end;
    narrow_variance double precision := 1 / (1 / between_variance + precision_observed);
    broad_variance double precision := 1 / (1 / {{ var('rating_broad_variance') }}::double precision + precision_observed);
    -- The part of its own variance that each part keeps.
    narrow_kept double precision := narrow_variance / between_variance;
    broad_kept double precision := broad_variance / {{ var('rating_broad_variance') }};
begin
    narrow_share := 1 / (
        1
        + {{ var('broad_share') }} / (1 - {{ var('broad_share') }}) * sqrt(broad_kept / narrow_kept)
        * exp(greatest(-300, least(300, 0.5 * distance * distance * precision_observed * (narrow_kept - broad_kept))))
    );
    narrow_mean := prior_mean + narrow_variance * precision_observed * distance;
    narrow_deviation := sqrt(narrow_variance);
    broad_mean := prior_mean + broad_variance * precision_observed * distance;
    broad_deviation := sqrt(broad_variance);
    return next;
end
