-- Abramowitz and Stegun 26.2.17. Postgres has erf() from version 16 on only.
declare
    t double precision := 1 / (1 + 0.2316419 * abs(x));
    beyond double precision := exp(greatest(-300, -x * x / 2)) * 0.3989422804014327 * t * (
        0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
    );
begin
    return case when x > 0 then 1 - beyond else beyond end;
end
