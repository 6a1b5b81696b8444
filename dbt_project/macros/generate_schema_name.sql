{# Schemas are named by layer alone (`marts`, not `<target>_marts`), so that readers have stable names. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
