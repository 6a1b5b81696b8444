-- Called by int_filter_checkpoints in its transaction: takes over what facts have touched, and the filter's parameters.
-- Checkpoints go on from where they are to the Monday before the days of concerns (as exact as from the first session on,
-- at a hundredth of the steps). Queued, to be made from the first session on, are those of tutors with a changed fact
-- before their checkpoint, and of all tutors where parameters have changed or the as-of day has gone back.
{% set _ = function('filter_parameters') %}
declare
    today date := (select as_of from intermediate.scoring_days where is_as_of);
    first_day date := today - {{ var('concern_days') - 1 }};
    monday date := date_trunc('week', first_day::timestamp);
    known intermediate.filter_parameters;
    wanted intermediate.filter_parameters;
    are_others boolean;
begin
    select * into known from intermediate.filter_parameters;
    with touched as (delete from intermediate.touched_concerns returning *),

    first_touched as (select tutor_id, min(since) as since from touched group by tutor_id),

    -- What a session changes begins on the day on which it counts, also where it is a first meeting or follows one.
    days as (
        insert into intermediate.touched_concern_days
        select tutor_id, greatest(since, first_day) + day
        from first_touched
        cross join lateral generate_series(0, today - 1 - greatest(since, first_day)) as day
    ),

    -- A forecast is judged when its days are over: what happens today changes none.
    forecasts as (
        insert into intermediate.touched_forecasts
        select tutor_id, since from first_touched where since < today
    )

    insert into intermediate.touched_filter_checkpoints
    select tutor_id from first_touched where since < known.checkpoint_on;

    select
        monday,
        {{ var('risk_threshold') }},
        parameters.*,
        reference.design_effect
    into wanted
    from intermediate.int_score_reference as reference
    cross join lateral intermediate.filter_parameters(
        reference.filter_prior[1],
        reference.filter_prior[2],
        reference.filter_prior[3],
        reference.filter_prior[4],
        {{ var('risk_threshold') }}
    ) as parameters;
    delete from intermediate.filter_parameters;
    insert into intermediate.filter_parameters values (wanted.*);
    analyze intermediate.filter_parameters;
    are_others := (known.start, known.after_a_jump, known.log_rates, known.design_effect)
        is distinct from (wanted.start, wanted.after_a_jump, wanted.log_rates, wanted.design_effect);

    if to_regclass('intermediate.int_filter_checkpoints') is null then
        return; -- it will be made of all tutors
    end if;
    if are_others then
        delete from intermediate.concern_days_up_to; -- so all days of concerns are made again
    end if;
    if are_others or monday < known.checkpoint_on then
        insert into intermediate.touched_filter_checkpoints
        select tutor_id from intermediate.int_tutor_days where counted_on < monday
        union
        select tutor_id from intermediate.int_filter_checkpoints;
    elsif monday > known.checkpoint_on then
        create temporary table passed on commit drop as
        select
            tutor_id,
            array_agg(counted_on order by counted_on) as days,
            array_agg(sessions::double precision order by counted_on) as trials,
            array_agg(let_downs::double precision order by counted_on) as events
        from intermediate.int_tutor_days
        where counted_on >= known.checkpoint_on and counted_on < monday
        group by tutor_id;
        insert into intermediate.touched_filter_checkpoints
        select tutor_id from passed where tutor_id not in (select tutor_id from intermediate.int_filter_checkpoints);
        update intermediate.int_filter_checkpoints as checkpoints
        set last_day = step.day, state = step.state, probability = step.probability
        from intermediate.int_filter_checkpoints as before
        inner join passed on before.tutor_id = passed.tutor_id
        cross join lateral (
            select * from intermediate.filter_days(
                before.state,
                before.last_day,
                passed.days,
                passed.trials,
                passed.events,
                wanted.after_a_jump,
                wanted.log_rates,
                wanted.log_complements,
                wanted.design_effect
            )
            order by day desc
            limit 1
        ) as step
        where checkpoints.tutor_id = before.tutor_id;
    end if;
end
