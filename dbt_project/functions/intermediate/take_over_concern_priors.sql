-- Called by int_platform in its transaction, after begin_scoring_day. A closed day keeps the priors that it was given when
-- it closed (app.concern_priors), unless they were made with other settings, or the trials that count on it, or events
-- among them, are others by a fifth. The as-of day's are made anew by each run. From these follows what scores are
-- computed with (intermediate.concern_priors), which costs more to make than to keep.
{% set _ = function('add_concern_priors') %}
{% set made_with = [
    var('timezone'), var('reliability_counts'), var('rate_concerns'), var('evidence_days'), var('evidence_half_life_days'),
    var('no_show_half_life_days'), var('late_start_minutes'), var('lost_student_fallback_prior'),
    var('first_session_window_days'), var('first_session_follow_up_days')
] %}
declare
    today date := (select as_of from intermediate.scoring_days where is_as_of);
    settings text := '{{ local_md5(made_with | string) }}';
    missing date;
begin
    create temporary table known on commit drop as select * from intermediate.int_concern_trials where not is_as_of;
    delete from app.concern_priors
    where
        concern_day in (
            select known.concern_day
            from known
            inner join app.concern_priors as kept
                on known.concern_day = kept.concern_day and known.concern = kept.concern
            where
                kept.made_with <> settings
                or (known.trials, known.events) <> (kept.trials, kept.events)
                and greatest(abs(known.trials - kept.trials), abs(known.events - kept.events))
                >= {{ var('closed_day_tolerance') }} * kept.trials
        );
    -- Day by day: only a constant gets down to the days that are read.
    for missing in
        select concern_day from intermediate.int_concern_dates as dates
        where
            not is_as_of
            and (select count(*) from app.concern_priors as kept where kept.concern_day = dates.concern_day)
            < {{ var('rate_concerns') | length + 2 }}
    loop
        insert into app.concern_priors
        select
            missing,
            known.concern,
            settings,
            known.trials,
            known.events,
            moments.prior_alpha,
            moments.prior_beta,
            moments.mean_rate,
            moments.platform_rate,
            moments.rating_mean,
            moments.between_variance,
            moments.within_variance
        from known
        left join intermediate.int_concern_moments as moments
            on moments.concern_day = missing and known.concern = moments.concern
        where known.concern_day = missing
        on conflict do nothing;
    end loop;
    drop table known;

    with gone as (
        delete from intermediate.concern_priors
        where
            not is_closed
            or concern_day >= today
            or concern_day <= today - {{ var('concern_days') }}
            or concern_day in (
                select wanted.concern_day
                from intermediate.int_concern_parameters as wanted
                left join intermediate.concern_priors as made
                    on wanted.concern_day = made.concern_day and wanted.concern = made.concern
                where
                    wanted.is_kept
                    and (
                        wanted.rate_limit, wanted.prior_alpha, wanted.prior_beta, wanted.broad_alpha, wanted.broad_beta,
                        wanted.rating_mean, wanted.between_variance, wanted.within_variance
                    ) is distinct from (
                        made.rate_limit, made.prior_alpha, made.prior_beta, made.broad_alpha, made.broad_beta,
                        made.rating_mean, made.between_variance, made.within_variance
                    )
            )
        returning is_closed, concern_day
    )

    delete from intermediate.concern_days_up_to -- so all days are made again
    where
        exists (
            select from gone
            where is_closed and concern_day > today - {{ var('concern_days') }} and concern_day < today
        );
    for missing in
        select concern_day from intermediate.int_concern_dates
        where concern_day not in (select concern_day from intermediate.concern_priors)
    loop
        perform intermediate.add_concern_priors(missing, missing < today);
    end loop;
    analyze intermediate.concern_priors;
end
