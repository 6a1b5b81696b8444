{# A rate drawn towards a fixed prior [alpha, beta], as much as that many trials would: never null. #}
{% macro shrunk_rate(successes, trials, prior) -%}
    (({{ successes }}) + {{ prior[0] }})::double precision / (({{ trials }}) + {{ prior[0] }} + {{ prior[1] }})::double precision
{%- endmacro %}

{# What shrunk_rate gives without any trial. #}
{% macro prior_mean(prior) -%}
    {{ prior[0] }}::double precision / ({{ prior[0] }} + {{ prior[1] }})::double precision
{%- endmacro %}

{# The day on which a session's reschedule was known for good: the session is over, and the reschedule asked for. #}
{% macro known_on(session) -%}
    greatest({{ session }}.scheduled_on, {{ session }}.requested_on)
{%- endmacro %}

{# The day whose eve a prediction for a session may look back from: that of its booking, its own where that is unknown. #}
{% macro booked_on(session) -%}
    coalesce(least({{ reporting_date(session ~ '.booked_at') }}, {{ session }}.scheduled_on), {{ session }}.scheduled_on)
{%- endmacro %}

{# A date as a number, for windows of days: Postgres moves them faster than those of dates and intervals. #}
{% macro day_number(day) -%}
    ({{ day }} - date '2000-01-01')
{%- endmacro %}

{# How likely a tutor lets a session down, by the limit and the platform's usual rate; never low beside a raised concern. #}
{% macro let_down_level(scores, platform) -%}
    case
        when {{ scores }}.let_down_rate_expected is null then null
        when {{ scores }}.let_down_rate_expected > {{ var('risk_threshold') }} then 'high'
        when {{ scores }}.let_down_rate_expected > {{ platform }}.let_down_rate_90d then 'medium'
        when {{ scores }}.concerns && array['unreliable', 'getting_worse', 'no_shows'] then 'medium'
        else 'low'
    end
{%- endmacro %}
