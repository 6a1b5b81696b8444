{#
    Views are replaced in place, and only if their SQL has changed. dbt would make a new one each time and drop the old
    with all views that read it, so that views of people and predictions were gone for the seconds between a view below
    and themselves; and every session would make its plans anew.
#}
{% materialization view, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks) }}
    {% if existing is not none and not existing.is_view %}
        {{ adapter.drop_relation(existing) }}
    {% endif %}
    {{ replace_view(target_relation, sql) }}
    {% do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing, full_refresh_mode=True)) %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{#
    Make a view, unless it is there and the same. Only where the columns are other ones than before is a view dropped,
    and what reads it is made anew later in the same run.
#}
{% macro replace_view(relation, sql) %}
    {# Without the database's name, so that a copy under another name is known to be the same. #}
    {% set version = 'Made by dbt; version ' ~ local_md5(sql | replace('"' ~ relation.database ~ '".', '')) %}
    {% set known = run_query("select obj_description(to_regclass('" ~ relation ~ "'), 'pg_class')").rows[0][0] %}
    {% if known == version %}
        {% call statement('main') %} select 'unchanged' {% endcall %}
    {% else %}
        {% call statement('main') %}
            do $replacing$ begin
                {{ get_replace_view_sql(relation, sql) }}
            exception when invalid_table_definition then
                drop view {{ relation }} cascade;
                {{ get_replace_view_sql(relation, sql) }}
            end $replacing$;
            comment on view {{ relation }} is '{{ version }}'
        {% endcall %}
    {% endif %}
{% endmacro %}
