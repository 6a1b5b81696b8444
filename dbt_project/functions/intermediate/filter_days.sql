{#
    The change filter's steps through days with sessions, in their order. One row per day: the probability of each rate
    after it, and of a rate above the limit. `weights` and `last_day` are the state before; without a last day it is the
    first day's, and `weights` are the start. Written out per rate, because plpgsql is slow in loops.
#}
{% set cells = range(1, 23) %}
declare
    failures double precision;
    jump double precision;
    logarithms double precision[];
    top double precision;
    total double precision;
begin
    for place in 1..coalesce(cardinality(days), 0) loop
        day := days[place];
        failures := trials[place] - events[place];
        jump := case when last_day is null then 0 else 1 - power(1 - 1 / {{ var('filter_days_between_jumps') }}::double precision, day - last_day) end;
        logarithms := array[
            {% for cell in cells %}
                (events[place] * log_rates[{{ cell }}] + failures * log_complements[{{ cell }}]) / design_effect{{ ',' if not loop.last }}
            {% endfor %}
        ];
        top := greatest({% for cell in cells %}logarithms[{{ cell }}]{{ ', ' if not loop.last }}{% endfor %});
        weights := array[
            {% for cell in cells %}
                ((1 - jump) * weights[{{ cell }}] + jump * after_a_jump[{{ cell }}]) * exp(greatest(-300, logarithms[{{ cell }}] - top)){{ ',' if not loop.last }}
            {% endfor %}
        ];
        total := {% for cell in cells %}{{ '+ ' if not loop.first }}weights[{{ cell }}] {% endfor %};
        weights := array[{% for cell in cells %}weights[{{ cell }}] / total{{ ', ' if not loop.last }}{% endfor %}];
        probability := {% for cell in range(11, 23) %}{{ '+ ' if not loop.first }}weights[{{ cell }}] {% endfor %};
        last_day := day;
        state := weights;
        return next;
    end loop;
end
