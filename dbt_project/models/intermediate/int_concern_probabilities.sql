-- With a tutor's id and a day (or is_as_of) it reads this tutor's rows by index.

with evidence as (
    select * from {{ ref('int_tutor_evidence') }}
),

lost_students as (
    select * from {{ ref('int_tutor_lost_students') }}
),

priors as (
    select * from {{ ref('int_concern_priors') }}
),

counts as (
    select
        evidence.concern_day,
        evidence.is_as_of,
        evidence.tutor_id,
        unit.*
    from evidence
    cross join
        lateral (
            values
            {% for concern in var('rate_concerns') %}
                (
                    '{{ concern.name }}',
                    {{ concern.name }}_trials * least(1, {{ var(concern.cap) }} / nullif({{ concern.name }}_trials, 0)),
                    {{ concern.name }}_events * least(1, {{ var(concern.cap) }} / nullif({{ concern.name }}_trials, 0)),
                    {{ concern.name }}_recent_trials,
                    {{ concern.name }}_recent_events,
                    {{ concern.name }}_recent_trials >= {{ var(concern.needs) }}
                ),
            {% endfor %}
            (
                'low_ratings',
                evidence.rating_trials,
                evidence.rating_total,
                evidence.recent_ratings,
                null,
                evidence.recent_ratings >= {{ var('ratings_needed') }}
            )
        ) as unit (concern, evidence_trials, evidence_events, trials, events, has_needs)
    union all
    select
        concern_day,
        is_as_of,
        tutor_id,
        'loses_new_students' as concern,
        first_meetings as evidence_trials,
        first_meetings_lost as evidence_events,
        first_meetings as trials,
        first_meetings_lost as events,
        first_meetings >= {{ var('first_meetings_needed') }} as has_needs
    from lost_students
),

final as (
    select
        counts.*,
        priors.rate_limit,
        case
            when counts.concern = 'low_ratings'
                then (
                    select
                        {{ function('rating_cdf') }}(
                            posterior.narrow_share,
                            posterior.narrow_mean,
                            posterior.narrow_deviation,
                            posterior.broad_mean,
                            posterior.broad_deviation,
                            priors.rate_limit
                        )
                    from {{ function('rating_posterior') }}(
                            counts.evidence_trials,
                            counts.evidence_events / counts.evidence_trials,
                            priors.rating_mean,
                            priors.between_variance,
                            priors.within_variance
                        ) as posterior
                )
            else {{ function('rate_probability') }}(
                    priors.log_masses,
                    priors.log_rates,
                    priors.log_complements,
                    counts.evidence_trials,
                    counts.evidence_events
                )
        end as probability
    from counts
    inner join priors
        on
            counts.concern_day = priors.concern_day
            and counts.concern = priors.concern
            and (counts.concern = 'low_ratings' or priors.rate_limit <= {{ var('greatest_limit') }})
    where counts.evidence_trials > 0
)

select * from final
