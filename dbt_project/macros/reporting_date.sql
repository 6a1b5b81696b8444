{# The calendar date of an instant in the reporting time zone. #}
{% macro reporting_date(instant) -%}
    ({{ instant }} at time zone '{{ var("timezone") }}')::date
{%- endmacro %}


{# An instant as clocks in the reporting time zone show it. #}
{% macro local_time(instant) -%}
    ({{ instant }} at time zone '{{ var("timezone") }}')
{%- endmacro %}
