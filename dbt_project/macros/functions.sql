{#
    How dbt makes a function, unless it is there and the same: making it anew would cost every session its plans.
    Besides dbt's own properties there are, in config.meta: `language` (sql), `attributes` as Postgres has them, and
    `execute`, the one role that may call it besides the owner (anybody, if there is none).
#}
{% macro postgres__scalar_function_sql(target_relation) %}
    {{ function_sql(model, model.compiled_code) | trim or "select 'unchanged'" }}
{% endmacro %}


{% macro function_sql(node, code) %}
    {% set meta = node.config.meta or {} %}
    {% set parameters = [] %}
    {% for argument in node.arguments %} {% do parameters.append(argument.name ~ ' ' ~ argument.data_type) %} {% endfor %}
    {% set name = node.schema ~ '.' ~ node.name %}
    {% set signature = name ~ '(' ~ node.arguments | map(attribute='data_type') | join(', ') ~ ')' %}
    {% set definition %}
        create or replace function {{ name }} ({{ parameters | join(', ') }})
        returns {{ node.returns.data_type }}
        language {{ meta.language or 'sql' }}
        {{ {'deterministic': 'immutable', 'stable': 'stable', 'non-deterministic': 'volatile'}[node.config.volatility] }} {{ meta.attributes }}
        as $function$
        {{ code }}
        $function$;
    {% endset %}
    {% set comment = node.description | trim ~ ' (Made by dbt; version ' ~ local_md5(definition) ~ '.)' %}
    {% if run_query("select obj_description(to_regprocedure('" ~ signature ~ "'), 'pg_proc')").rows[0][0] != comment %}
        do $replacing$ begin
            {{ definition }}
        exception when invalid_function_definition then
            drop function {{ signature }} cascade;  -- it returned something else
            {{ definition }}
        end $replacing$;
        {% if meta.execute %}
            revoke all on function {{ signature }} from public;
            grant execute on function {{ signature }} to {{ meta.execute }};
        {% endif %}
        comment on function {{ signature }} is $comment${{ comment }}$comment$;
    {% endif %}
{% endmacro %}
