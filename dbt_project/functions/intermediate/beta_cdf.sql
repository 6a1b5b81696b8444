-- The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8) by Lentz's method, on the side where
-- it converges fast; in front of it x^a (1-x)^b / (a B(a, b)), with ln Γ by Stirling's series from 10 on.
declare
    is_reflected boolean := x > (a + 1) / (a + b + 2);
    p double precision := case when is_reflected then b else a end;
    q double precision := case when is_reflected then a else b end;
    rate double precision := case when is_reflected then 1 - x else x end;
    log_gamma double precision[] := '{}';
    term double precision;
    c double precision := 1;
    d double precision := 1 / (1 - (p + q) * rate / (p + 1));
    fraction double precision := d;
    shifted double precision;
    logarithm double precision;
begin
    if x <= 0 or x >= 1 then
        return case when x <= 0 then 0 else 1 end;
    end if;
    foreach shifted in array array[p, q, p + q] loop
        logarithm := 0;
        while shifted < 10 loop
            logarithm := logarithm - ln(shifted);
            shifted := shifted + 1;
        end loop;
        log_gamma := log_gamma || (
            logarithm + (shifted - 0.5) * ln(shifted) - shifted + 0.9189385332046727
            + (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - 1.0 / 1680 / shifted ^ 2) / shifted ^ 2) / shifted ^ 2) / shifted
        );
    end loop;
    for m in 1..10000 loop
        term := m * (q - m) * rate / ((p + 2 * m - 1) * (p + 2 * m));
        d := 1 / (1 + term * d);
        c := 1 + term / c;
        fraction := fraction * d * c;
        term := -(p + m) * (p + q + m) * rate / ((p + 2 * m) * (p + 2 * m + 1));
        d := 1 / (1 + term * d);
        c := 1 + term / c;
        fraction := fraction * d * c;
        exit when abs(d * c - 1) < 1e-15;
    end loop;
    logarithm := p * ln(rate) + q * ln(1 - rate) - ln(p) + log_gamma[3] - log_gamma[1] - log_gamma[2];
    rate := exp(greatest(-600, logarithm)) * fraction;
    return case when is_reflected then 1 - rate else rate end;
end
