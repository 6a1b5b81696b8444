{#
    Marts for analysts: for each one a view in the schema analytics, of the same name and columns, in which columns
    that are marked `personal` (config.meta in the mart's YAML) read as *** unless the reader is a member of
    tutorq_analyst_names. Analysts cannot read the marts themselves.
#}

{#
    After a mart, in its transaction: make its view, or point it at the table that has just been put in the place of
    the old one, which takes all that still reads it with it when it is dropped. A mart that is a view itself is
    replaced in place, so a view of it that is the same is left alone: locking the two now, the mart first, this run
    and a reader could wait for each other.
#}
{% macro show_to_analysts() %}
    {% if execute %}
    {% set view = 'analytics.' ~ this.identifier %}
    {% set definition %}
        create or replace view {{ view }} as
        select
        {% for column in model.columns.values() %}
            {% if column.config.meta.personal %}
                {# Asked once per query. Nobody's name stays nobody's. #}
                case
                    when (select pg_has_role('tutorq_analyst_names', 'usage')) or {{ column.name }} is null then {{ column.name }}
                    else '***'
                end as {{ column.name }}
            {% else %}
                {{ column.name }}
            {% endif %}
            {{ ',' if not loop.last }}
        {% endfor %}
        from {{ this }};
    {% endset %}
    {% set comment = model.name ~ ' for analysts, made by dbt; version ' ~ local_md5(definition) %}
    {% set known = run_query("select obj_description(to_regclass('" ~ view ~ "'), 'pg_class')").rows[0][0] %}
    {% if config.get('materialized') != 'view' or known != comment %}
        do $view$ begin
            {{ definition }}
        exception when invalid_table_definition then
            drop view {{ view }};  -- other columns than before
            {{ definition }}
        end $view$;
        grant select on {{ view }} to tutorq_analyst;
        comment on view {{ view }} is '{{ comment }}';
    {% endif %}
    {% endif %}
{% endmacro %}


{#
    Before a mart is swapped: lock its view and then itself, in the order in which readers of the view do. The other
    way round, a reader and this run could wait for each other.
#}
{% macro postgres__rename_relation(from_relation, to_relation) %}
    {% if from_relation.schema == 'marts' %}
        {% call statement('lock_view') %}
            do $lock$ begin
                if to_regclass('analytics.{{ from_relation.identifier }}') is not null then
                    lock table analytics.{{ from_relation.identifier }} in access exclusive mode;
                end if;
            end $lock$
        {% endcall %}
    {% endif %}
    {{ return(default__rename_relation(from_relation, to_relation)) }}
{% endmacro %}
