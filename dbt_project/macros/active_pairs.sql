{# Whether a session makes its student and tutor an active pair: held in the last days, or yet to come. #}
{% macro is_active_pair(sessions, as_of) -%}
    (
        (
            {{ sessions }}.status = 'completed'
            and {{ sessions }}.scheduled_on > {{ as_of }} - {{ var('active_pair_days') }}
            and {{ sessions }}.scheduled_on <= {{ as_of }}
        )
        or ({{ sessions }}.status = 'scheduled' and {{ sessions }}.scheduled_on >= {{ as_of }})
    )
{%- endmacro %}
