-- Narrow parts of the priors of concerns, by the method of moments (Kleinman, JASA 68, 1973) on effective trials n²/v.
-- Sums are made in numeric, so that the order of rows cannot change a digit.

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
        ('loses_new_students', {{ var('lost_student_fallback_prior') | join(', ') }})
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
                    {{ concern.name }}_squares
                ),
            {% endfor %}
            (
                'loses_new_students',
                evidence.first_meetings,
                evidence.first_meetings_lost,
                evidence.first_meetings
            )
        ) as unit (concern, n, k, v)
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
        sum(k::numeric) / sum(n::numeric) as platform_rate
    from units
    group by concern_day, concern
),

moments as (
    select
        dates.concern_day,
        concerns.*,
        coalesce(sums.units, 0) as units,
        coalesce(sums.trials, 0)::double precision as trials,
        coalesce(sums.events / sums.trials, 0)::double precision as mean_rate,
        (sums.squared_events - sums.events * sums.events / sums.trials)::double precision as spread,
        (sums.trials - sums.squared_trials / sums.trials - (sums.units - 1))::double precision as spare_trials,
        coalesce(sums.platform_rate, 0)::double precision as platform_rate
    from dates
    cross join concerns
    left join sums on dates.concern_day = sums.concern_day and concerns.concern = sums.concern
),

correlations as (
    select
        *,
        case
            -- Where every tutor has one trial, the denominator is zero but for rounding.
            when units >= 2 and mean_rate > 0 and mean_rate < 1 and spare_trials > 1e-9 * greatest(trials, 1)
                then least(0.5, greatest(
                        0.005,
                        (spread - mean_rate * (1 - mean_rate) * (units - 1))
                        / (mean_rate * (1 - mean_rate) * spare_trials)
                    ))
        end as rho
    from moments
),

-- Neither parameter is below 1, so that the density has no pole.
weights as (
    select
        *,
        -- not a bare greatest(…): it ignores nulls
        case when rho is not null then greatest(1 / rho - 1, 1 / least(mean_rate, 1 - mean_rate)) end as weight
    from correlations
),

final as (
    select
        concern_day,
        concern,
        coalesce(mean_rate * weight, fallback_alpha) as prior_alpha,
        coalesce((1 - mean_rate) * weight, fallback_beta) as prior_beta,
        mean_rate,
        platform_rate
    from weights
)

select * from final
