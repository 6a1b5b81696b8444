{#
    How dbt puts a new table in the place of an old one: it renames both, commits, and drops the old one with everything
    that reads it. A view would go with it, and be away until its own model is built anew, or for good if it is nobody's
    model. So in the transaction of the renaming, views of the old table become views of the new one, and nothing is left
    to go.
#}
{% macro postgres__rename_relation(from_relation, to_relation) %}
    {% set old = make_backup_relation(to_relation, 'table') %}
    {% set makes_room = to_relation.identifier == make_backup_relation(from_relation, 'table').identifier %}
    {% set takes_place = from_relation.identifier == make_intermediate_relation(to_relation).identifier %}
    {% call statement('rename_relation') %}
        {% if makes_room %}
            select intermediate.lock_with_views('{{ from_relation.include(database=false) }}');
        {% endif %}
        alter table {{ from_relation }} rename to {{ adapter.quote(to_relation.identifier) }};
        {% if takes_place %}
            select intermediate.move_views('{{ old.include(database=false).render() | replace('"', '') }}', '{{ to_relation.include(database=false).render() | replace('"', '') }}');
        {% endif %}
    {% endcall %}
{% endmacro %}
