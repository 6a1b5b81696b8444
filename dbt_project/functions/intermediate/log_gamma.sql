-- Stirling's series from 10 on.
declare
    shifted double precision := x;
    logarithm double precision := 0;
begin
    while shifted < 10 loop
        logarithm := logarithm - ln(shifted);
        shifted := shifted + 1;
    end loop;
    return logarithm + (shifted - 0.5) * ln(shifted) - shifted + 0.9189385332046727
        + (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - 1.0 / 1680 / shifted ^ 2) / shifted ^ 2) / shifted ^ 2) / shifted;
end
