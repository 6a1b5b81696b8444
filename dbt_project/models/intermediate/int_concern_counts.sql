-- With a tutor's id and a day (or is_as_of) it reads this tutor's rows by index.

with evidence as (
    select * from {{ ref('int_tutor_evidence') }}
),

final as (
    select
        evidence.concern_day,
        evidence.is_as_of,
        evidence.tutor_id,
        unit.concern,
        unit.evidence_trials * least(1, unit.cap / unit.evidence_trials) as evidence_trials,
        unit.evidence_events * least(1, unit.cap / unit.evidence_trials) as evidence_events,
        unit.trials,
        unit.events,
        (coalesce(unit.events, evidence.recent_rating_sum) / nullif(unit.trials, 0))::double precision as raw_rate,
        unit.trials >= unit.needs as has_needs
    from evidence
    cross join
        lateral (
            values
            {% for concern in var('rate_concerns') %}
                (
                    '{{ concern.name }}',
                    {{ concern.name }}_trials,
                    {{ concern.name }}_events,
                    {{ var(concern.cap) }}::double precision,
                    {{ concern.name }}_recent_trials,
                    {{ concern.name }}_recent_events,
                    {{ var(concern.needs) }}
                ),
            {% endfor %}
            (
                'getting_worse',
                evidence.unreliable_trials,
                evidence.unreliable_events,
                'infinity',
                evidence.unreliable_recent_trials,
                evidence.unreliable_recent_events,
                {{ var('min_sessions') }}
            ),
            (
                'loses_new_students',
                evidence.first_meetings,
                evidence.first_meetings_lost,
                'infinity',
                evidence.first_meetings,
                evidence.first_meetings_lost,
                {{ var('first_meetings_needed') }}
            ),
            -- The cap is that of rating_posterior.
            (
                'low_ratings',
                evidence.rating_trials,
                evidence.rating_total,
                'infinity',
                evidence.recent_ratings,
                null,
                {{ var('ratings_needed') }}
            )
        ) as unit (concern, evidence_trials, evidence_events, cap, trials, events, needs)
    where unit.evidence_trials > 0
)

select * from final
