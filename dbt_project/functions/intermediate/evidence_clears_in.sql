{#
    What is counted of the days up to today fades by the same share on each coming day, and days enter and leave the window
    by their age, so the sums up to each age give those of any coming day.

    A look is at a stretch of days, and passes it where the concern clears on none of them. What is kept fades and leaves, what
    comes adds up until as much leaves, so the ends of a stretch bound the sums on all its days; the probability of a rate
    rises with events and falls with trials, so the most trials and the least events bound that. A stretch that does not pass
    is looked at by halves, down to a single day, so the answer is that of a look at each day. Mean ratings have no such
    bounds: they are looked at day by day.
#}
{% set _ = [function('rate_probability'), function('rating_posterior'), function('rating_cdf'), function('is_cleared')] %}
with recursive known as materialized (
    select
        array_agg(age order by age) as ages_up_to,
        array_agg(faded_trials order by age) as faded_trials,
        array_agg(faded_total order by age) as faded_totals,
        array_agg(whole_trials order by age) as whole_trials
    from (
        select
            age,
            sum(count_trials * power(2, -age / half_life_days)) over up_to_age as faded_trials,
            sum(count_total * power(2, -age / half_life_days)) over up_to_age as faded_total,
            sum(count_trials) over up_to_age as whole_trials
        from unnest(ages, trials, totals) as counts (age, count_trials, count_total)
        window up_to_age as (order by age)
    ) as sums
),

-- Fewer than needed there are first when some have left, or at once.
needs_end as materialized (
    select min(day) as day
    from known
    cross join (
        select 1 as day
        union all
        select needs_days - age from unnest(ages) as age
        where age < needs_days
    ) as days
    where
        -- A pace such as 5/90 a day adds up to 5 in 90 days but for rounding.
        coalesce(known.whole_trials[width_bucket(needs_days - 1 - day, known.ages_up_to)], 0)
        - coalesce(known.whole_trials[width_bucket(open_days - 1 - day, known.ages_up_to)], 0)
        + pace * greatest(0, least(day, needs_days) - open_days) < needs - 1e-9
),

looks as (
    select
        0 as ahead, -- up to this day the concern does not clear
        case when log_masses is null then 1 else {{ var('projected_days') }} end as days,
        0 as failed_up_to,
        days_since_high as days_below,
        null::integer as clears_in
    union all
    select
        case when next.is_passed then next.last_day else looks.ahead end as ahead,
        case
            when log_masses is null then 1
            when not next.is_passed then greatest(1, (next.last_day - looks.ahead) / 2)
            when next.last_day < looks.failed_up_to then greatest(1, (looks.failed_up_to - next.last_day) / 2)
            else 2 * looks.days
        end as days,
        case when next.is_passed then looks.failed_up_to else next.last_day end as failed_up_to,
        case
            when not next.is_passed then looks.days_below
            when next.is_high then 0
            else next.days_below
        end as days_below,
        case when not next.is_passed and next.last_day = looks.ahead + 1 then next.last_day end as clears_in
    from looks
    cross join known
    cross join needs_end
    cross join lateral (
        select
            looks.ahead + 1 as first_day,
            least(looks.ahead + looks.days, {{ var('projected_days') }}) as last_day,
            -- Up to here what comes adds up, then as much leaves the window.
            least(greatest(looks.ahead + 1, evidence_days), looks.ahead + looks.days, {{ var('projected_days') }}) as full_day
        offset 0
    ) as stretch
    cross join lateral (
        select
            {% for place in ['first', 'full', 'last'] %}
                power(2, -stretch.{{ place }}_day / half_life_days) as {{ place }}_fading,
                -- at a pace of 1
                case
                    when half_life_days = 'infinity' then greatest(0, least(stretch.{{ place }}_day, evidence_days) - open_days)
                    else
                        (1 - power(2, -least(stretch.{{ place }}_day, evidence_days) / half_life_days))
                        / (1 - power(2, -1 / half_life_days))
                end as {{ place }}_coming,
            {% endfor %}
            {% for place in ['first', 'last'] %}
                width_bucket(evidence_days - 1 - stretch.{{ place }}_day, known.ages_up_to) as {{ place }}_within,
                width_bucket(open_days - 1 - stretch.{{ place }}_day, known.ages_up_to) as {{ place }}_open{{ ',' if not loop.last }}
            {% endfor %}
        offset 0
    ) as ends
    cross join lateral (
        select
            {% for bound, within, open in [('most', 'first', 'last'), ('least', 'last', 'first')] %}
                greatest(0, coalesce(known.faded_trials[ends.{{ within }}_within], 0)
                    - coalesce(known.faded_trials[ends.{{ open }}_open], 0)) as {{ bound }}_trials,
                greatest(0, coalesce(known.faded_totals[ends.{{ within }}_within], 0)
                    - coalesce(known.faded_totals[ends.{{ open }}_open], 0)) as {{ bound }}_total{{ ',' if not loop.last }}
            {% endfor %}
        offset 0
    ) as kept
    cross join lateral (
        select
            greatest(
                ends.first_fading * kept.most_trials + pace * ends.first_coming,
                ends.full_fading * kept.most_trials + pace * ends.full_coming
            ) as most_trials,
            least(
                ends.first_fading * kept.least_trials + pace * ends.first_coming,
                ends.last_fading * kept.least_trials + pace * ends.last_coming
            ) as least_trials,
            ends.first_fading * kept.most_total + pace * coming_mean * ends.last_coming as most_total,
            ends.last_fading * kept.least_total + pace * coming_mean * ends.first_coming as least_total
        offset 0
    ) as sums
    cross join lateral (
        select
            case
                when log_masses is null
                    then (
                        select
                            intermediate.rating_cdf(
                                narrow_share, narrow_mean, narrow_deviation, broad_mean, broad_deviation, rating_limit
                            )
                        from intermediate.rating_posterior(
                            sums.most_trials,
                            sums.most_total / nullif(sums.most_trials, 0),
                            rating_mean,
                            between_variance,
                            within_variance
                        )
                    )
                else (
                    select probability
                    from intermediate.rate_probability(
                        log_masses,
                        log_rates,
                        log_complements,
                        sums.most_trials * least(1, cap / nullif(sums.most_trials, 0)),
                        least(sums.most_trials, sums.least_total) * least(1, cap / nullif(sums.most_trials, 0))
                    )
                )
            end as least_probability
        offset 0
    ) as posterior
    cross join lateral (
        select
            stretch.last_day,
            posterior.least_probability >= {{ var('high_risk_probability') }} as is_high,
            looks.days_below + stretch.last_day - looks.ahead as days_below,
            not intermediate.is_cleared(
                posterior.least_probability,
                stretch.last_day < coalesce(needs_end.day, stretch.last_day + 1),
                looks.days_below + stretch.last_day - looks.ahead
            )
            and case
                when stretch.last_day = stretch.first_day or posterior.least_probability >= {{ var('high_risk_probability') }} then true
                -- Or nobody knows how many days there have been since the last one with the probability of raising.
                else (
                    select probability
                    from intermediate.rate_probability(
                        log_masses,
                        log_rates,
                        log_complements,
                        greatest(
                            least(sums.least_trials, cap),
                            sums.most_total * least(1, cap / nullif(sums.least_trials, 0))
                        ),
                        sums.most_total * least(1, cap / nullif(sums.least_trials, 0))
                    )
                ) < {{ var('high_risk_probability') }}
            end as is_passed
        offset 0
    ) as next
    where looks.clears_in is null and looks.ahead < {{ var('projected_days') }}
)

select clears_in
from looks
where clears_in is not null
