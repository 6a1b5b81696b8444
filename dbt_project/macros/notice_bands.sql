{# Where bands of notice begin, in hours. Bands have numbers: 0 for a notice that nobody knows, 1 for one below the first edge. #}
{% macro notice_edges() -%}
    {%- set edges = (var('notice_edges') + [var('short_notice_hours')]) | unique | sort -%}
    '{ {{- edges | join(', ') -}} }'::double precision[]
{%- endmacro %}

{% macro notice_band(hours) -%}
    coalesce(width_bucket({{ hours }}, {{ notice_edges() }}) + 1, 0)
{%- endmacro %}
