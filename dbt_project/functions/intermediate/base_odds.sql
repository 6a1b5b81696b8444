-- By bisection of its logarithm, to the last bits that matter.
declare
    low double precision := -60;
    high double precision := 60;
    middle double precision;
    let_downs_expected double precision;
begin
    if let_downs <= 0 then
        return 0;
    end if;
    for step in 1..60 loop
        middle := (low + high) / 2;
        let_downs_expected := 0;
        for place in 1..cardinality(odds) loop
            let_downs_expected := let_downs_expected + sessions[place] / (1 + exp(-middle) / odds[place]);
        end loop;
        if let_downs_expected < let_downs then
            low := middle;
        else
            high := middle;
        end if;
    end loop;
    return exp(middle);
end
