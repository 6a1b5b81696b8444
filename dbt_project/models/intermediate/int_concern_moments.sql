-- Narrow parts of the priors of concerns, by the method of moments (Kleinman, JASA 68, 1973) on effective trials n²/v:
-- of rates, and of mean ratings. Sums are made in numeric, so that the order of rows cannot change a digit.

with dates as (
    select concern_day from {{ ref('int_concern_dates') }}
),

evidence as (
    select * from {{ ref('int_tutor_evidence') }}
),

concerns as (
    select * from (
        values
        {% for concern in var('rate_concerns') %}
            (
                '{{ concern.name }}',
                {{ concern.fallback_prior[0] }}::double precision,
                {{ concern.fallback_prior[1] }}::double precision
            ),
        {% endfor %}
        ('loses_new_students', {{ var('lost_student_fallback_prior') | join(', ') }}),
        ('low_ratings', null, null)
    ) as concern (concern, fallback_alpha, fallback_beta)
),

units as (
    select
        evidence.concern_day,
        unit.*
    from evidence
    cross join
        lateral (
            values
            {% for concern in var('rate_concerns') %}
                (
                    '{{ concern.name }}',
                    {{ concern.name }}_trials,
                    {{ concern.name }}_events,
                    {{ concern.name }}_squares,
                    null::double precision
                ),
            {% endfor %}
            (
                'loses_new_students',
                evidence.first_meetings,
                evidence.first_meetings_lost,
                evidence.first_meetings,
                null
            ),
            (
                'low_ratings',
                evidence.rating_trials,
                evidence.rating_total,
                evidence.rating_squares,
                evidence.rating_total_of_squares
            )
        ) as unit (concern, n, k, v, total_of_squares)
    where unit.n > 0
),

sums as (
    select
        concern_day,
        concern,
        count(*) as units,
        sum((n * n / v)::numeric) as trials,
        sum((n * k / v)::numeric) as events,
        sum((k * k / v)::numeric) as squared_events,
        sum((n * n / v * n * n / v)::numeric) as squared_trials,
        sum(k::numeric) / sum(n::numeric) as platform_rate,
        sum((n - v / n)::numeric) as freedom,
        sum(greatest(0, total_of_squares - k * k / n)::numeric) as scatter,
        sum(total_of_squares::numeric) as total_of_squares
    from units
    group by concern_day, concern
),

moments as (
    select
        dates.concern_day,
        concerns.*,
        coalesce(sums.units, 0) as units,
        coalesce(sums.trials, 0)::double precision as trials,
        (sums.events / sums.trials)::double precision as mean,
        (sums.squared_events - sums.events * sums.events / sums.trials)::double precision as spread,
        (sums.trials - sums.squared_trials / sums.trials)::double precision as spare_trials,
        coalesce(sums.platform_rate, 0)::double precision as platform_rate,
        -- Rounding leaves a trace of scatter where all ratings of each tutor are equal.
        case
            when sums.units >= 2 and sums.scatter > 1e-9 * greatest(sums.total_of_squares, 1)
                then (sums.scatter / sums.freedom)::double precision
        end as within_variance
    from dates
    cross join concerns
    left join sums on dates.concern_day = sums.concern_day and concerns.concern = sums.concern
),

correlations as (
    select
        *,
        case
            -- Where every tutor has one trial, the denominator is zero but for rounding.
            when
                concern <> 'low_ratings'
                and units >= 2 and mean > 0 and mean < 1 and spare_trials - (units - 1) > 1e-9 * greatest(trials, 1)
                then least(0.5, greatest(
                        0.005,
                        (spread - mean * (1 - mean) * (units - 1))
                        / (mean * (1 - mean) * (spare_trials - (units - 1)))
                    ))
        end as rho
    from moments
),

-- Neither parameter is below 1, so that the density has no pole.
weights as (
    select
        *,
        -- not a bare greatest(…): it ignores nulls
        case when rho is not null then greatest(1 / rho - 1, 1 / least(mean, 1 - mean)) end as weight
    from correlations
),

-- Not two selections put together: what is asked of one day is then computed of that day.
final as (
    select
        concern_day,
        concern,
        coalesce(mean * weight, fallback_alpha) as prior_alpha,
        coalesce((1 - mean) * weight, fallback_beta) as prior_beta,
        case when concern <> 'low_ratings' then coalesce(mean, 0) end as mean_rate,
        case when concern <> 'low_ratings' then platform_rate end as platform_rate,
        case when concern = 'low_ratings' then mean end as rating_mean,
        case
            when concern <> 'low_ratings' then null
            when within_variance is null then {{ var('rating_fallback_spread') }} ^ 2
            else
                greatest({{ var('rating_least_spread') }} ^ 2, (spread - (units - 1) * within_variance) / spare_trials)
        end::double precision as between_variance,
        case
            when concern = 'low_ratings'
                then coalesce(within_variance, {{ var('rating_fallback_variance') }}::double precision)
        end as within_variance
    from weights
    where concern <> 'low_ratings' or units > 0
)

select * from final
