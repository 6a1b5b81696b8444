-- Queues, besides the days of concerns that facts have touched (touch_filter_checkpoints), days that the as-of day has closed
-- since, and those that are no longer among the last; all days, after other limits or another reference were set.
declare
    today date := (select as_of from intermediate.scoring_days where is_as_of);
    first_day date := today - {{ var('concern_days') - 1 }};
    made_for date := (select as_of from intermediate.concern_days_up_to);
begin
    if made_for is distinct from today then
        if to_regclass('intermediate.int_concern_days') is not null then
            insert into intermediate.touched_concern_days
            select tutor_id, concern_day from intermediate.int_concern_days
            where concern_day < first_day or concern_day >= today;
        end if;
        insert into intermediate.touched_concern_days
        select tutor_id, first_day + day
        from (
            select distinct tutor_id from intermediate.int_tutor_days
            where counted_on > first_day - {{ [var('evidence_days'), var('first_session_window_days')] | max }}
        ) as tutors
        cross join generate_series(0, {{ var('concern_days') - 2 }}) as day
        where made_for is null or first_day + day not between made_for - {{ var('concern_days') - 1 }} and made_for - 1;
    end if;
    delete from intermediate.concern_days_up_to;
    insert into intermediate.concern_days_up_to values (today);
end
