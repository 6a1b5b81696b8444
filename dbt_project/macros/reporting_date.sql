{# The calendar date of an instant in the reporting time zone. #}
{% macro reporting_date(instant) -%}
    ({{ instant }} at time zone '{{ var("timezone") }}')::date
{%- endmacro %}
