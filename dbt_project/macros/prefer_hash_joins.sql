{#
    For models that join their way through ephemeral ones: the planner knows nothing of a CTE's rows, takes them
    for one, and would loop over all pairs of tutors and days. (Measured: 300 tutors on 30 days took minutes.)
#}
{% macro prefer_hash_joins() %}
    set local enable_nestloop = off
{% endmacro %}
