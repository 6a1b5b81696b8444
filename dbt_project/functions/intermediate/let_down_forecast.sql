{#
    The beta-binomial distribution of the let-downs among so many sessions: its 5% and 95% quantiles, how probable the counts
    from one to the other are, and a rate above the limit. Count by count; that of the next follows from that of the one before,
    P(j + 1) / P(j) = (n - j)(a + j) / ((j + 1)(b + n - j - 1)). In logarithms, since P(0) may be too small for a number.
#}
{% set _ = function('log_gamma') %}
declare
    narrow_log double precision := ln(narrow_share)
        + intermediate.log_gamma(narrow_b + sessions) - intermediate.log_gamma(narrow_b)
        - intermediate.log_gamma(narrow_a + narrow_b + sessions) + intermediate.log_gamma(narrow_a + narrow_b);
    broad_log double precision := ln(greatest(1e-250, 1 - narrow_share))
        + intermediate.log_gamma(broad_b + sessions) - intermediate.log_gamma(broad_b)
        - intermediate.log_gamma(broad_a + broad_b + sessions) + intermediate.log_gamma(broad_a + broad_b);
    part double precision;
    up_to double precision := 0;
    below double precision := 0;
    at_most double precision := 0;
begin
    if sessions < 1 then
        return;
    end if;
    expected := sessions * (
        narrow_share * narrow_a / (narrow_a + narrow_b) + (1 - narrow_share) * broad_a / (broad_a + broad_b)
    );
    for j in 0..sessions loop
        part := exp(greatest(-600, narrow_log)) + exp(greatest(-600, broad_log));
        if low is null and up_to + part >= 0.05 then
            low := j;
            below := up_to;
        end if;
        up_to := up_to + part;
        if j::double precision / sessions <= rate_limit then
            at_most := up_to;
        end if;
        if high is null and (up_to >= 0.95 or j = sessions) then
            high := j;
            inside := up_to - below;
        end if;
        exit when high is not null and j::double precision / sessions > rate_limit;
        narrow_log := narrow_log + ln((sessions - j) * (narrow_a + j) / ((j + 1) * (narrow_b + sessions - j - 1)));
        broad_log := broad_log + ln((sessions - j) * (broad_a + j) / ((j + 1) * (broad_b + sessions - j - 1)));
    end loop;
    above := greatest(0, 1 - at_most);
    return next;
end
