-- Called by int_platform in its transaction, after begin_scoring_day. A closed day keeps the priors that it was given when
-- it closed, unless they are of other limits than those set; the as-of day's are made anew by each run.
{% set _ = function('rate_cells') %}
declare
    today date := (select as_of from intermediate.scoring_days where is_as_of);
    missing date;
begin
    delete from intermediate.concern_priors
    where not is_closed or concern_day >= today or concern_day <= today - {{ var('concern_days') }};
    delete from intermediate.concern_priors
    where
        concern_day in (
            select days.concern_day
            from (select distinct concern_day from intermediate.concern_priors) as days
            cross join (
                values {% for concern in var('rate_concerns') %}('{{ concern.name }}', {{ var(concern.limit) }}::double precision){{ ', ' if not loop.last }}{% endfor %}
            ) as wanted (concern, rate_limit)
            left join intermediate.concern_priors as kept
                on
                    days.concern_day = kept.concern_day
                    and wanted.concern = kept.concern
                    and wanted.rate_limit = kept.rate_limit
            where kept.concern is null
        );
    if found then
        delete from intermediate.concern_days_up_to; -- so all days are made again
    end if;
    -- Day by day: only a constant gets down to the days that are read.
    for missing in
        select concern_day from intermediate.int_concern_dates
        where concern_day not in (select concern_day from intermediate.concern_priors)
    loop
        insert into intermediate.concern_priors
        select
            missing,
            missing < today,
            moments.concern,
            moments.rate_limit,
            moments.prior_alpha,
            moments.prior_beta,
            moments.broad_alpha,
            moments.broad_beta,
            cells.*
        from intermediate.int_concern_moments as moments
        cross join lateral intermediate.rate_cells(
            moments.prior_alpha, moments.prior_beta, moments.broad_alpha, moments.broad_beta, moments.possible_limit
        ) as cells
        where moments.concern_day = missing;
        insert into intermediate.concern_priors (
            concern_day, is_closed, concern, rate_limit, rating_mean, between_variance, within_variance
        )
        select missing, missing < today, 'low_ratings', rating_limit, prior_mean, between_variance, within_variance
        from intermediate.int_rating_moments
        where concern_day = missing;
    end loop;
    analyze intermediate.concern_priors;
end
