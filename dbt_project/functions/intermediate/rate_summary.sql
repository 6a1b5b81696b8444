{#
    A rate after trials and events, from all cells of rate_cells: mean and quantiles, which are interpolated in the u of
    their cell, and the probability, to the last bit as rate_probability has it.

    In eight blocks of 24 cells: plpgsql is slow in a loop over cells, and an expression of all 192 has to be set up in
    each transaction, which a single post would wait for.
#}
declare
    failures double precision := trials - events;
    top double precision :=
        case when events > 0 then events * ln(events / trials) else 0 end
        + case when failures > 0 then failures * ln(failures / trials) else 0 end;
    before integer;
    part double precision[];
    masses double precision[] := '{}';
    blocks double precision[] := '{}';
    total double precision := 0;
    mean double precision := 0;
    below double precision := 0;
    above double precision := 0;
    block integer;
    cell integer;
    beyond double precision;
    u double precision;
begin
    for number in 1..8 loop
        before := 24 * (number - 1);
        part := array[
            {% for cell in range(1, 25) %}
                exp(greatest(-600, log_masses[before + {{ cell }}] + events * log_rates[before + {{ cell }}] + failures * log_complements[before + {{ cell }}] - top)){{ ',' if not loop.last }}
            {% endfor %}
        ];
        masses := masses || part;
        blocks[number] := {% for cell in range(1, 25) %}{{ '+ ' if not loop.first }}part[{{ cell }}] {% endfor %};
        total := total + blocks[number];
        mean := mean {% for cell in range(1, 25) %}+ part[{{ cell }}] * exp(log_rates[before + {{ cell }}]) {% endfor %};
        if number <= 4 then
            below := below {% for cell in range(2, 25, 3) %}+ part[{{ cell }}] {% endfor %};
        else
            above := above {% for cell in range(2, 25, 3) %}+ part[{{ cell }}] {% endfor %};
        end if;
    end loop;
    probability := above / (above + below);
    expected := mean / total;
    -- Block by block, from one end, until there is too much, and cell by cell back.
    {% for quantile, first, step, last, edge in [('low', 1, 1, 24, 'cell - '), ('high', 8, -1, 1, 'cell - 1 + ')] %}
        block := {{ first }};
        beyond := blocks[block];
        while beyond < 0.05 * total loop
            block := block + {{ step }};
            beyond := beyond + blocks[block];
        end loop;
        cell := 24 * (block - 1) + {{ last }};
        while beyond - masses[cell] >= 0.05 * total loop
            beyond := beyond - masses[cell];
            cell := cell - {{ step }};
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
