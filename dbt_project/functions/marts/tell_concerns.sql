-- Called by keep_cases, which knows what is new, in the transaction that changes scores.
#variable_conflict use_column
begin
    insert into app.events (kind, tutor_id, payload)
    select
        case when change.is_raised then 'tutor.concern_raised' else 'tutor.concern_cleared' end,
        tutor,
        jsonb_build_object(
            'tutor_external_id', coalesce(people.external_id, tutor::text),
            'is_active', coalesce(people.is_active, false),
            'concern', change.concern,
            'previous_status',
            case
                when not change.is_raised then 'raised'
                when not coalesce(day_before.has_needs, day_before.probability is not null) then 'insufficient_data'
                when day_before.probability >= {{ var('watch_probability') }} then 'watch'
                when day_before.probability is not null then 'ok'
                else 'insufficient_data'
            end,
            'status', coalesce(concerns.status, 'insufficient_data'),
            'probability', concerns.probability,
            'expected', concerns.expected,
            'low', concerns.low,
            'high', concerns.high,
            'threshold', concerns.threshold,
            'events', concerns.events,
            'trials', concerns.trials,
            'raised_on', concerns.raised_on
        )
    from (
        select concern, true as is_raised from unnest(raised) as concern
        union all
        select concern, false as is_raised from unnest(cleared) as concern
    ) as change
    left join marts.dim_tutors as people on people.tutor_id = tutor
    left join marts.tutor_concerns as concerns on concerns.tutor_id = tutor and concerns.concern = change.concern
    left join intermediate.int_concern_days as day_before
        on
            day_before.tutor_id = tutor
            and day_before.concern = change.concern
            and day_before.concern_day = concerns.as_of - 1;
end
