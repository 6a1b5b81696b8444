-- Called by int_platform in its transaction, so that live writers see the as-of day, and all that belongs to it, change
-- at once.
begin
    delete from intermediate.scoring_days;
    insert into intermediate.scoring_days select as_of, true from intermediate.int_as_of;
    analyze intermediate.scoring_days;
    perform intermediate.take_over_day_before();
end
