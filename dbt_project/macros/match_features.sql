{#
    What a student and a tutor have in common, and what not. `student` and `tutor` are rows of the staging models.
    A preference that one of the two has not stated makes its mismatch null.
#}
{% macro pace_mismatch(student, tutor) -%}
    abs({{ student }}.preferred_pace - {{ tutor }}.preferred_pace)::double precision
{%- endmacro %}

{% macro style_mismatch(student, tutor) -%}
    case
        when {{ student }}.preferred_teaching_style is null or {{ tutor }}.teaching_style is null then null
        when {{ student }}.preferred_teaching_style = {{ tutor }}.teaching_style then 0
        when 'flexible' in ({{ student }}.preferred_teaching_style, {{ tutor }}.teaching_style) then 0.5
        else 1
    end::double precision
{%- endmacro %}

{% macro communication_mismatch(student, tutor) -%}
    abs({{ student }}.communication_style - {{ tutor }}.communication_style)::double precision
{%- endmacro %}

{% macro age_mismatch(student, tutor) -%}
    abs({{ student }}.age - {{ tutor }}.age)::double precision
{%- endmacro %}

{#
    Compatibility from 0 to 1, of a row with the four mismatches: 1 less their weighted mean, each as a share of the
    most it can be. What is unknown drops out and the other weights are scaled up; 0.5 where nothing is known.
#}
{% macro compatibility_score(row) -%}
    {%- set shares = {
        'pace': row ~ '.pace_mismatch / 4',
        'style': row ~ '.style_mismatch',
        'communication': row ~ '.communication_mismatch / 4',
        'age': 'least(' ~ row ~ '.age_mismatch, 50) / 50',
    } -%}
    coalesce(1 - (
        {% for name, share in shares.items() %}
            {{ '+ ' if not loop.first }}
            case when {{ row }}.{{ name }}_mismatch is null then 0 else {{ var('match_' ~ name ~ '_weight') }} * {{ share }} end
        {% endfor %}
    )::double precision / nullif(
        {% for name in shares %}
            {{ '+ ' if not loop.first }}
            case when {{ row }}.{{ name }}_mismatch is null then 0 else {{ var('match_' ~ name ~ '_weight') }} end
        {% endfor %}, 0
    )::double precision, {{ var('match_unknown_compatibility') }})
{%- endmacro %}

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

{#
    Before a table that views read is filled anew: empty it in the same transaction, so that the table itself stays.
    dbt would put another in its place, and drop the views with the old one.
#}
{% macro empty_this() %}
    {% if is_incremental() %}
        delete from {{ this }}
    {% endif %}
{% endmacro %}
