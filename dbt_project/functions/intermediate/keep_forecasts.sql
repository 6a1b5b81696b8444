{#
    Called by int_forecast_outcomes in its transaction: notes in app what was said of each tutor on the days that have closed
    since. The last days' probabilities are those that concerns were raised by. Of the time before them, as of the year before
    the first run, Mondays are computed from what is known now; they are days to be scored for the time of this transaction.
    All days would take seven times as long: 0.2 ms for each tutor and day.
#}
{% set _ = function('filter_days'), function('beta_cdf'), function('rate_posterior') %}
{% set kept_days = var('calibration_days') + 2 * var('forecast_days') + 37 %}
declare
    today date := (select as_of from intermediate.scoring_days where is_as_of);
    first_day date := greatest(
        today - {{ kept_days }}, (select min(counted_on) + {{ var('forecast_days') }} from intermediate.int_tutor_days)
    );
    last_days date := today - {{ var('concern_days') - 1 }};
    missing date[] := array(
        select first_day + age
        from generate_series(0, today - first_day - 1) as age
        where
            first_day + age not in (select forecast_on from app.forecast_days)
            and (first_day + age >= last_days or extract(isodow from first_day + age) = 1)
    );
    each_day date;
begin
    delete from app.forecast_days where forecast_on < today - {{ kept_days }};
    if cardinality(missing) = 0 then
        return;
    end if;
    insert into intermediate.scoring_days
    select day, false from unnest(missing) as day
    where day < last_days and day not in (select as_of from intermediate.scoring_days);
    analyze intermediate.scoring_days;
    -- Day by day: only a constant gets down to the days that are read.
    foreach each_day in array missing loop
        insert into app.forecast_days
        select
            each_day,
            today,
            rate_limit,
            prior_alpha,
            prior_beta,
            broad_alpha,
            broad_beta
        from intermediate.int_concern_parameters
        where
            concern_day = each_day
            and concern = 'unreliable'
            and is_kept = exists (select from app.concern_priors where concern_day = each_day)
            and rate_limit <= {{ var('greatest_limit') }};
    end loop;

    -- From the first session on, where the days of concerns do not reach.
    create temporary table steps on commit drop as
    {{ filter_steps('today', 'missing[1] < last_days') }};
    create index on steps (tutor_id, from_day);
    analyze steps;

    -- By itself: joined with others, it would be computed for each of their rows.
    create temporary table counts on commit drop as
    select
        tutor_id,
        concern_day,
        trials,
        has_needs,
        evidence_trials,
        evidence_events
    from intermediate.int_concern_counts
    where concern = 'unreliable' and concern_day = any(missing);
    analyze counts;

    insert into app.forecasts
    select
        counts.tutor_id,
        counts.concern_day,
        counts.trials,
        counts.has_needs,
        counts.evidence_trials,
        counts.evidence_events,
        coalesce(
            said.probability,
            posterior.narrow_share * (1 - intermediate.beta_cdf(posterior.narrow_a, posterior.narrow_b, days.rate_limit))
            + (1 - posterior.narrow_share)
            * (1 - intermediate.beta_cdf(posterior.broad_a, posterior.broad_b, days.rate_limit))
        ),
        coalesce(said_now.probability, (
            select steps.probability from steps
            where
                steps.tutor_id = counts.tutor_id
                and steps.from_day <= counts.concern_day
                and steps.to_day >= counts.concern_day
                and said.probability is null
        )),
        false
    from counts
    inner join app.forecast_days as days on counts.concern_day = days.forecast_on
    cross join lateral intermediate.rate_posterior(
        days.prior_alpha,
        days.prior_beta,
        days.broad_alpha,
        days.broad_beta,
        counts.evidence_trials,
        counts.evidence_events
    ) as posterior
    left join intermediate.int_concern_days as said
        on
            counts.tutor_id = said.tutor_id
            and counts.concern_day = said.concern_day
            and said.concern = 'unreliable'
    left join intermediate.int_concern_days as said_now
        on
            counts.tutor_id = said_now.tutor_id
            and counts.concern_day = said_now.concern_day
            and said_now.concern = 'getting_worse';
    drop table counts, steps;
    delete from intermediate.scoring_days where not is_as_of;
    analyze intermediate.scoring_days;

    with days as (
        select
            tutor_id,
            forecast_on,
            has_needs,
            {% for column in ['probability', 'probability_now'] %}
                coalesce(
                    {{ is_raised(
                        column,
                        last_high('forecast_on', column) ~ ' over days_before',
                        last_low('forecast_on', column) ~ ' over days_before'
                    ) }},
                    false
                ) as {{ column }}_raises{{ ',' if not loop.last }}
            {% endfor %}
        from app.forecasts
        where forecast_on > missing[1] - {{ var('concern_days') }}
        window
            days_before as (
                partition by tutor_id order by forecast_on - date '2000-01-01'
                range {{ var('concern_days') - 1 }} preceding
            )
    )

    update app.forecasts
    set is_raised = true
    from days
    where
        forecasts.tutor_id = days.tutor_id
        and forecasts.forecast_on = days.forecast_on
        and days.forecast_on = any(missing)
        and days.has_needs
        and (days.probability_raises or days.probability_now_raises);
end
