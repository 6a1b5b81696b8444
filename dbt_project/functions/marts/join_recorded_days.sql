-- Called by score_history after it has recorded days: since when each tutor has had the status, for these days and all
-- after them, which may go on from another stretch now. Days in a row with the same status share the difference between
-- the day and its place among the days with that status.
begin
    with days as (
        select
            tutor_id,
            as_of,
            risk_status,
            as_of - row_number() over (partition by tutor_id, risk_status order by as_of)::integer as stretch
        from marts.score_history
        where as_of >= (select min(as_of) from intermediate.scoring_days)
    ),

    stretches as (
        select
            *,
            min(as_of) over (partition by tutor_id, risk_status, stretch) as first_day
        from days
    ),

    joined as (
        select
            stretches.tutor_id,
            stretches.as_of,
            coalesce(before.risk_status_since, stretches.first_day) as risk_status_since
        from stretches
        left join marts.score_history as before
            on
                stretches.tutor_id = before.tutor_id
                and before.as_of = stretches.first_day - 1
                and stretches.risk_status = before.risk_status
    )

    update marts.score_history as history
    set risk_status_since = joined.risk_status_since
    from joined
    where
        history.tutor_id = joined.tutor_id
        and history.as_of = joined.as_of
        and history.risk_status_since <> joined.risk_status_since;

    delete from intermediate.scoring_days where not is_as_of;
    delete from intermediate.concern_priors
    where concern_day not in (select concern_day from intermediate.int_concern_dates);
end
