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

{# The same of a session that was moved or cancelled. #}
{% macro called_off_known_on(session) -%}
    greatest({{ session }}.scheduled_on, {{ session }}.called_off_on)
{%- endmacro %}

{# The same of a let-down, by the first fact that makes it one: a move that is recorded after a cancellation changes nothing. #}
{% macro let_down_known_on(session) -%}
    {%- set facts = {
        'reschedules': ('is_tutor_reschedule', 'requested_on'),
        'cancellations': ('is_tutor_cancellation', 'cancelled_on'),
        'no_shows': ('is_tutor_no_show', 'scheduled_on'),
    } -%}
    greatest({{ session }}.scheduled_on, least(
        {%- for cause in var('reliability_counts') -%}
            {{ ', ' if not loop.first }}
            case when {{ session }}.{{ facts[cause][0] }}
                then coalesce({{ session }}.{{ facts[cause][1] }}, {{ session }}.scheduled_on) end
        {%- endfor %}
    ))
{%- endmacro %}

{# Whether the student missed a session, excuses apart; null where a no-show names nobody and the setting does not either. #}
{% macro is_missed_by_student(session) -%}
    case
        when {{ session }}.status <> 'no_show' or {{ session }}.is_excused then false
        when {{ session }}.initiator is not null then {{ session }}.initiator = 'student'
        else {{ 'true' if var('unnamed_no_shows') == 'student' else 'null::boolean' }}
    end
{%- endmacro %}

{# Whether the student moved or cancelled a session, excuses apart. #}
{% macro is_called_off_by_student(session) -%}
    coalesce({{ session }}.caused_by = 'student', false)
    and not {{ session }}.is_excused
    and ({{ session }}.has_reschedule or {{ session }}.status = 'cancelled')
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

{# How far a student and a tutor are apart in pace, style, communication or age; null where one has not stated it. #}
{% macro mismatch(name, student, tutor) -%}
    {%- set columns = {'pace': 'preferred_pace', 'communication': 'communication_style', 'age': 'age'} -%}
    {%- if name == 'style' -%}
    case
        when {{ student }}.preferred_teaching_style is null or {{ tutor }}.teaching_style is null then null
        when {{ student }}.preferred_teaching_style = {{ tutor }}.teaching_style then 0::real
        when 'flexible' in ({{ student }}.preferred_teaching_style, {{ tutor }}.teaching_style) then 0.5::real
        else 1::real
    end
    {%- else -%}
    abs({{ student }}.{{ columns[name] }} - {{ tutor }}.{{ columns[name] }})
    {%- endif -%}
{%- endmacro %}

{#
    1 less the weighted mean of the mismatches (SQL by name), each as a share of the most it can be. What is unknown drops
    out and the other weights are scaled up. Operations are those of ml/features.py in their order, to the last bit.
#}
{% macro compatibility_score(mismatches) -%}
    {%- set shares = {'pace': ' / 4', 'style': '', 'communication': ' / 4', 'age': ' / 50'} -%}
    coalesce(1 - (
        {%- for name, distance in mismatches.items() -%}
            {%- set weight = var('match_' ~ name ~ '_weight') ~ '::double precision' -%}
            {%- set counted = 'least(' ~ distance ~ ', 50)' if name == 'age' else distance -%}
            {{ ' + ' if not loop.first }}
            case when {{ distance }} is null then 0 else {{ weight }} * {{ counted }}{{ shares[name] }} end
        {%- endfor -%}
    ) / nullif(
        {%- for name, distance in mismatches.items() -%}
            {%- set weight = var('match_' ~ name ~ '_weight') ~ '::double precision' -%}
            {{ ' + ' if not loop.first }}
            case when {{ distance }} is null then 0 else {{ weight }} end
        {%- endfor -%}, 0
    ), {{ var('match_unknown_compatibility') }})
{%- endmacro %}
