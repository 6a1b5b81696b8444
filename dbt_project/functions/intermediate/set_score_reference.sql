-- Called by int_platform in its transaction, after take_over_concern_priors, whose prior it takes: sets the change filter's
-- part of the reference, once, or anew if asked to. What follows from a reference does not change with a day's prior.
declare
    today date := (select as_of from intermediate.scoring_days where is_as_of);
    rated integer;
begin
    if not is_renewed and exists (select from app.score_reference) then
        return;
    end if;
    select count(*) into rated
    from (
        select tutor_id from intermediate.int_tutor_days
        where counted_on > today - 90 and counted_on <= today
        group by tutor_id
        having sum(sessions) >= {{ var('min_sessions') }}
    ) as tutors;
    if rated >= {{ var('tutors_of_a_reference') }} then
        insert into app.score_reference (as_of, tutors, filter_prior, filter_limit, design_effect)
        select
            today,
            rated,
            array[prior_alpha, prior_beta, broad_alpha, broad_beta],
            rate_limit,
            (select design_effect from intermediate.int_design_effect)
        from intermediate.concern_priors
        where concern_day = today and concern = 'unreliable';
    end if;
end
