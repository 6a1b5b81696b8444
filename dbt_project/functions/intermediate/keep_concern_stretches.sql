-- Called by int_concern_days in its transaction. Of days that have left the last 30, stretches are kept as they are; what
-- is kept of the last 30 follows from the days as known now. A stretch that comes in from before knows the last day before
-- with the probability that raises a concern (high_days), because it may hold the stretch for a while.
declare
    today date := (select as_of from intermediate.scoring_days where is_as_of);
    first_day date := today - {{ var('concern_days') - 1 }};
begin
    create temporary table stretches on commit drop as
    with coming_in as (
        select
            *,
            (select max(high_day) from unnest(high_days) as high_day where high_day < first_day) as high_before
        from app.concern_stretches
        where raised_on < first_day and coalesce(cleared_on, 'infinity') >= first_day
    ),

    -- Nobody else is raised on any of the days.
    candidates as (
        select tutor_id, concern from intermediate.int_concern_days
        where probability >= {{ var('high_risk_probability') }}
        union
        select tutor_id, concern from coming_in
    ),

    days as (
        select
            days.tutor_id,
            days.concern,
            days.concern_day,
            days.probability,
            coalesce(days.has_needs, unreliable.has_needs, false) as has_needs, -- getting_worse needs what unreliable needs
            greatest(coming_in.high_before, max(days.concern_day) filter (
                where days.probability >= {{ var('high_risk_probability') }}
            ) over up_to_day) as last_high,
            max(days.concern_day) filter (where days.probability < {{ var('watch_probability') }}) over up_to_day as last_low
        from candidates
        inner join intermediate.int_concern_days as days
            on candidates.tutor_id = days.tutor_id and candidates.concern = days.concern
        left join intermediate.int_concern_days as unreliable
            on
                days.concern = 'getting_worse'
                and unreliable.concern = 'unreliable'
                and days.tutor_id = unreliable.tutor_id
                and days.concern_day = unreliable.concern_day
        left join coming_in on days.tutor_id = coming_in.tutor_id and days.concern = coming_in.concern
        where days.concern_day >= first_day and days.concern_day < today
        window up_to_day as (partition by days.tutor_id, days.concern order by days.concern_day)
    ),

    raised_days as (
        select
            *,
            concern_day - row_number() over (partition by tutor_id, concern order by concern_day)::integer as stretch
        from days
        where
            has_needs
            and (
                probability >= {{ var('high_risk_probability') }}
                or (
                    probability >= {{ var('watch_probability') }}
                    and last_high > greatest(coalesce(last_low, '-infinity'), concern_day - {{ var('concern_days') }})
                )
            )
    ),

    raised as (
        select
            tutor_id,
            concern,
            min(concern_day) as since,
            nullif(max(concern_day) + 1, today) as cleared_on,
            array_agg(concern_day order by concern_day)
                filter (where probability >= {{ var('high_risk_probability') }}) as high_days
        from raised_days
        group by tutor_id, concern, stretch
    ),

    -- Those that come in go on, or end on the first of the days.
    joined as (
        select
            coalesce(raised.tutor_id, coming_in.tutor_id) as tutor_id,
            coalesce(raised.concern, coming_in.concern) as concern,
            coalesce(coming_in.raised_on, raised.since) as raised_on,
            case when raised.since is null then first_day else raised.cleared_on end as cleared_on,
            coming_in.probability_when_raised,
            array_remove(array[coming_in.high_before], null) || coalesce(raised.high_days, '{}') as high_days
        from coming_in
        full join raised
            on
                coming_in.tutor_id = raised.tutor_id
                and coming_in.concern = raised.concern
                and raised.since = first_day
    )

    select
        joined.tutor_id,
        joined.concern,
        joined.raised_on,
        joined.cleared_on,
        coalesce(joined.probability_when_raised, first.probability) as probability_when_raised,
        past.probability as probability_when_cleared,
        joined.high_days
    from joined
    left join intermediate.int_concern_days as first
        on
            joined.tutor_id = first.tutor_id
            and joined.concern = first.concern
            and joined.raised_on = first.concern_day
    left join intermediate.int_concern_days as past
        on
            joined.tutor_id = past.tutor_id
            and joined.concern = past.concern
            and joined.cleared_on = past.concern_day;

    -- Those that began later are of another as-of day, which may come again.
    delete from app.concern_stretches as kept
    where
        raised_on < today
        and coalesce(cleared_on, 'infinity') >= first_day
        and not exists (
            select from stretches
            where
                stretches.tutor_id = kept.tutor_id
                and stretches.concern = kept.concern
                and stretches.raised_on = kept.raised_on
        );
    insert into app.concern_stretches as kept
    select * from stretches
    on conflict (tutor_id, concern, raised_on) do update
    set
        cleared_on = excluded.cleared_on,
        probability_when_raised = excluded.probability_when_raised,
        probability_when_cleared = excluded.probability_when_cleared,
        high_days = excluded.high_days
    where kept is distinct from excluded;
    drop table stretches;
end
