-- Tells readers, who cache by it, that scores have changed: in the transaction that changes them, as its last lock. One step
-- at least, whatever the clock says: what they cache by must not stand still.
begin
    if to_regclass('marts.publication') is not null then
        update marts.publication
        set refreshed_at = greatest(clock_timestamp(), refreshed_at + interval '1 microsecond');
    end if;
end
