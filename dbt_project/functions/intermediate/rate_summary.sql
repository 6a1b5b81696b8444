{#
    A rate after trials and events, from all cells of rate_cells: mean and quantiles, which are interpolated in the u of
    their cell. Sums are written out, because plpgsql is slow in loops.
#}
{% set cells = range(1, 193) %}
declare
    failures double precision := trials - events;
    top double precision :=
        case when events > 0 then events * ln(events / trials) else 0 end
        + case when failures > 0 then failures * ln(failures / trials) else 0 end;
    masses double precision[] := array[
        {% for cell in cells %}
            exp(greatest(-600, log_masses[{{ cell }}] + events * log_rates[{{ cell }}] + failures * log_complements[{{ cell }}] - top)){{ ',' if not loop.last }}
        {% endfor %}
    ];
    total double precision := {% for cell in cells %}{{ '+ ' if not loop.first }}masses[{{ cell }}] {% endfor %};
    beyond double precision;
    cell integer;
    u double precision;
begin
    expected := (
        {% for cell in cells %}
            {{ '+ ' if not loop.first }}masses[{{ cell }}] * exp(log_rates[{{ cell }}])
        {% endfor %}
    ) / total;
    {% for quantile, first, step, edge in [('low', 1, 1, 'cell - '), ('high', 192, -1, 'cell - 1 + ')] %}
        cell := {{ first }};
        beyond := masses[cell];
        while beyond < 0.05 * total loop
            cell := cell + {{ step }};
            beyond := beyond + masses[cell];
        end loop;
        u := ({{ edge }}(beyond - 0.05 * total) / masses[cell] - case when cell > 96 then 96 else 0 end) / 96;
        {{ quantile }} := u * u * u * (10 - 15 * u + 6 * u * u);
        {{ quantile }} := case
            when cell > 96 then rate_limit + (1 - rate_limit) * {{ quantile }}
            else rate_limit * {{ quantile }}
        end;
    {% endfor %}
    return next;
end
