-- Queues, besides the weeks that were touched, those that are no longer among the last 52, and those that another as-of
-- day than the one they were made for has opened, closed or cut in two.
declare
    today date := (select as_of from intermediate.int_as_of);
    monday date := date_trunc('week', today::timestamp);
    made_for date := (select as_of from intermediate.weeks_up_to);
    monday_then date := date_trunc('week', made_for::timestamp);
begin
    if to_regclass('intermediate.int_tutor_weeks') is not null and made_for is distinct from today then
        insert into intermediate.touched_weeks
        select distinct week_start from intermediate.int_tutor_weeks
        where week_start > today or week_start < monday - 7 * 51
        union all
        select week_start from generate_series(monday - 7 * 51, monday, interval '7 days') as weeks (week_start)
        where
            made_for is null
            or week_start = monday
            or week_start >= monday_then
            or week_start < monday_then - 7 * 51;
    end if;
    delete from intermediate.weeks_up_to;
    insert into intermediate.weeks_up_to values (today);
end
