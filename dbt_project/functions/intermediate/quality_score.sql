{#
    100 Φ(Σ √w z / SD), with z of each component within ±3 against the reference, more being better, and SD that of the sum
    in the reference. With √w the shares of the sum's variance are the weights where components are uncorrelated. What is
    missing, or does not vary in the reference, drops out.
#}
{% set _ = function('normal_cdf') %}
declare
    observed double precision[] := array[
        ln(let_down_rate / (1 - let_down_rate)), ln(no_show_rate / (1 - no_show_rate)), ln(lost_rate / (1 - lost_rate)), rating
    ];
    signs constant double precision[] := array[-1, -1, -1, 1];
    weights constant double precision[] := array[
        {{ var('reliability_weight') }}, {{ var('attendance_weight') }}, {{ var('first_session_weight') }}, {{ var('rating_weight') }}
    ];
    spreads double precision[];
    z double precision[];
    total double precision := 0;
    variance double precision := 0;
begin
    for one in 1..4 loop
        spreads[one] := sqrt(covariance[4 * (one - 1) + one]);
        -- not a bare least(…): it ignores nulls
        z[one] := case
            when observed[one] is not null and spreads[one] > 0
                then greatest(-3, least(3, signs[one] * (observed[one] - means[one]) / spreads[one]))
        end;
    end loop;
    for one in 1..4 loop
        continue when z[one] is null;
        total := total + sqrt(weights[one]) * z[one];
        for other in 1..4 loop
            continue when z[other] is null;
            variance := variance + signs[one] * signs[other] * sqrt(weights[one] * weights[other])
                * covariance[4 * (one - 1) + other] / (spreads[one] * spreads[other]);
        end loop;
    end loop;
    reliability := intermediate.normal_cdf(z[1]);
    attendance := intermediate.normal_cdf(z[2]);
    first_session := intermediate.normal_cdf(z[3]);
    rating_component := intermediate.normal_cdf(z[4]);
    score := case when variance > 1e-12 then 100 * intermediate.normal_cdf(total / sqrt(variance)) end;
    return next;
end
