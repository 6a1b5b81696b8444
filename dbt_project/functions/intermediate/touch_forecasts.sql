-- Called by int_forecast_outcomes in its transaction, after keep_forecasts: queues the forecasts whose days have closed since
-- the last run, those of tutors with late facts, and those that are not to be looked at any more.
declare
    today date := (select as_of from intermediate.scoring_days where is_as_of);
begin
    create temporary table touched on commit drop as
    with gone as (delete from intermediate.touched_forecasts returning *)
    select tutor_id, min(since) as since from gone group by tutor_id;
    if to_regclass('intermediate.int_forecast_outcomes') is not null then
        insert into intermediate.forecasts_to_judge
        select tutor_id, forecast_on from intermediate.int_forecasts_due as wanted
        where
            not exists (
                select from intermediate.int_forecast_outcomes as judged
                where judged.tutor_id = wanted.tutor_id and judged.forecast_on = wanted.forecast_on
            )
        union
        select judged.tutor_id, judged.forecast_on from intermediate.int_forecast_outcomes as judged
        inner join touched on judged.tutor_id = touched.tutor_id and judged.forecast_on >= touched.since - {{ var('forecast_days') }}
        union
        select tutor_id, forecast_on from intermediate.int_forecast_outcomes
        where
            forecast_on >= today - {{ var('forecast_days') }}
            or forecast_on < today - {{ var('calibration_days') + var('forecast_days') }};
    end if;
    drop table touched;
end
