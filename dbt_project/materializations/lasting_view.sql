{#
    Views are replaced in place. dbt would make a new one and drop the old with all views that read it, so that
    views of people and predictions were gone for the seconds between a view below and themselves. Only where the
    columns are other ones than before is a view dropped, and what reads it is made anew later in the same run.
#}
{% materialization view, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if existing is not none and not existing.is_view %}
        {{ adapter.drop_relation(existing) }}
    {% endif %}
    {% call statement('main') %}
        do $replacing$ begin
            {{ get_replace_view_sql(target_relation, sql) }}
        exception when invalid_table_definition then
            drop view {{ target_relation }} cascade;
            {{ get_replace_view_sql(target_relation, sql) }}
        end $replacing$
    {% endcall %}
    {% do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing, full_refresh_mode=True)) %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
