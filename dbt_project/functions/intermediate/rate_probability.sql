{#
    P(rate > limit) after trials and events, from every third cell of rate_cells: a third as many cells of three times the
    width have the same midpoints, and are fine enough for it. Sums are written out, because plpgsql is slow in loops.

    Relative to the highest likelihood that any rate can have. The broad part of the prior keeps the greatest term above
    exp(-600) for limits down to 0.00001.
#}
declare
    failures double precision := trials - events;
    top double precision :=
        case when events > 0 then events * ln(events / trials) else 0 end
        + case when failures > 0 then failures * ln(failures / trials) else 0 end;
    below double precision;
    above double precision;
begin
    {% for side, cells in [('below', range(2, 97, 3)), ('above', range(98, 193, 3))] %}
        {{ side }} :=
        {% for cell in cells %}
            {{ '+ ' if not loop.first }}exp(greatest(-600, log_masses[{{ cell }}] + events * log_rates[{{ cell }}] + failures * log_complements[{{ cell }}] - top))
        {% endfor %};
    {% endfor %}
    return above / (above + below);
end
