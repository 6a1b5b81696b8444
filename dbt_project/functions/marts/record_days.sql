-- Called by score_history before it records the as-of day and the days given: within its transaction these are days to be
-- scored, with their own priors, and nobody else sees them. join_recorded_days ends it.
begin
    insert into intermediate.days_to_record
    select as_of from intermediate.scoring_days union select unnest(days);
    if cardinality(days) > 0 then
        insert into intermediate.scoring_days
        select day, false from unnest(days) as day
        where day not in (select as_of from intermediate.scoring_days);
        analyze intermediate.scoring_days;
        perform intermediate.add_concern_priors(concern_day, true)
        from (
            select concern_day from intermediate.int_concern_dates
            where concern_day not in (select concern_day from intermediate.concern_priors)
            offset 0
        ) as missing;
    end if;
end
