{# The planner takes what a view aggregates for one row, and would loop over all pairs of tutors and days (minutes for 300 tutors). #}
{% macro prefer_hash_joins() %} set local enable_nestloop = off {% endmacro %}
