{#
    P(rate > limit) after trials and events, from every third cell of rate_cells: a third as many cells of three times the
    width have the same midpoints, and are fine enough for it. In blocks, as rate_summary.

    Relative to the highest likelihood that any rate can have. The broad part of the prior keeps the greatest term above
    exp(-600) for limits down to 0.00001.
#}
declare
    failures double precision := trials - events;
    top double precision :=
        case when events > 0 then events * ln(events / trials) else 0 end
        + case when failures > 0 then failures * ln(failures / trials) else 0 end;
    before integer;
    below double precision := 0;
    above double precision := 0;
begin
    {% for side, numbers in [('below', '0..3'), ('above', '4..7')] %}
        for number in {{ numbers }} loop
            before := 24 * number;
            {{ side }} := {{ side }}
            {% for cell in range(2, 25, 3) %}
                + exp(greatest(-600, log_masses[before + {{ cell }}] + events * log_rates[before + {{ cell }}] + failures * log_complements[before + {{ cell }}] - top))
            {% endfor %};
        end loop;
    {% endfor %}
    return above / (above + below);
end
