{# What is said of a tutor on past days: shared by what is noted of forecasts and by what other settings would have said. #}

{#
    The change filter from each tutor's first session on: one row per tutor and day with sessions before `until`, with the
    last day for which its probability holds. `wanted` is a condition over all of it.
#}
{% macro filter_steps(until, wanted='true') %}
    select
        tutors.tutor_id,
        step.day as from_day,
        least(
            coalesce(lead(step.day) over (partition by tutors.tutor_id order by step.day) - 1, {{ until }} - 1),
            step.day + {{ var('evidence_days') - 1 }}
        ) as to_day,
        step.probability
    from (
        select
            tutor_id,
            array_agg(counted_on order by counted_on) as days,
            array_agg(sessions::double precision order by counted_on) as trials,
            array_agg(let_downs::double precision order by counted_on) as events
        from intermediate.int_tutor_days
        where counted_on < {{ until }} and {{ wanted }}
        group by tutor_id
    ) as tutors
    cross join intermediate.int_filter_parameters as parameters
    cross join lateral intermediate.filter_days(
        parameters.start,
        null,
        tutors.days,
        tutors.trials,
        tutors.events,
        parameters.after_a_jump,
        parameters.log_rates,
        parameters.log_complements,
        parameters.design_effect
    ) as step
{%- endmacro %}


{# Whether a concern is raised with this probability, and these last days with a high and with a low one; null counts as no. #}
{% macro is_raised(probability, last_high, last_low) %}
    (
        {{ probability }} >= {{ var('high_risk_probability') }}
        or (
            {{ probability }} >= {{ var('watch_probability') }}
            and {{ last_high }} > coalesce({{ last_low }}, '-infinity')
        )
    )
{%- endmacro %}


{# The last day with a high probability, or with a low one, among those of a window. #}
{% macro last_high(day, probability) -%}
    max({{ day }}) filter (where {{ probability }} >= {{ var('high_risk_probability') }})
{%- endmacro %}
{% macro last_low(day, probability) -%}
    max({{ day }}) filter (where {{ probability }} < {{ var('watch_probability') }})
{%- endmacro %}
