{#
    The change filter's steps through days with sessions, in their order. `weights` and `last_day` are the state before;
    without a last day it is the first day's, and `weights` are the start. Written out per rate, because plpgsql is slow in
    loops. Weights are divided by their sum in the step after, which multiplies them anyway.
#}
{% set cells = range(1, 23) %}
{% set weights_below %}{% for cell in range(1, 11) %}{{ '+ ' if not loop.first }}weights[{{ cell }}] {% endfor %}{% endset %}
{% set weights_above %}{% for cell in range(11, 23) %}{{ '+ ' if not loop.first }}weights[{{ cell }}] {% endfor %}{% endset %}
declare
    above double precision := {{ weights_above }};
    total double precision := above + ({{ weights_below }}); -- in this order here and below: the same to the last bit
    n double precision;
    k double precision;
    jump double precision;
    stay double precision;
    top double precision;
begin
    for place in 1..coalesce(cardinality(days), 0) loop
        day := days[place];
        n := trials[place] / design_effect;
        k := events[place] / design_effect;
        jump := case when last_day is null then 0 else 1 - power(1 - 1 / {{ var('filter_days_between_jumps') }}::double precision, day - last_day) end;
        stay := (1 - jump) / total;
        -- No rate explains the counts better than their own: what is left for exp() is at most 0.
        top := case when k > 0 then k * ln(k / n) else 0 end + case when n > k then (n - k) * ln(1 - k / n) else 0 end;
        weights := array[
            {% for cell in cells %}
                (stay * weights[{{ cell }}] + jump * after_a_jump[{{ cell }}])
                * exp(greatest(-300, k * log_rates[{{ cell }}] + (n - k) * log_complements[{{ cell }}] - top)){{ ',' if not loop.last }}
            {% endfor %}
        ];
        above := {{ weights_above }};
        total := above + ({{ weights_below }});
        probability := above / total;
        last_day := day;
        state := weights;
        return next;
    end loop;
end
