{#
    Marts for analysts: for each one a view in the schema analytics, of the same name and columns, in which columns
    that are marked `personal` (config.meta in the mart's YAML) read as *** unless the reader is a member of
    tutorq_analyst_names. Analysts cannot read the marts themselves.
#}

{#
    After a mart: make its view, unless it is there and the same. A view goes on as a view of the new table when the
    mart is swapped (macros/swaps.sql), so most runs have nothing to do here.
#}
{% macro show_to_analysts() %}
    {% if execute %}
    {% set view = 'analytics.' ~ this.identifier %}
    {# Without the database's name, so that a copy under another name is known to be the same. #}
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
        from {{ this.include(database=false) }};
    {% endset %}
    {% set descriptions %}
        {% for column in model.columns.values() %}
            comment on column {{ view }}.{{ column.name }} is $text${{ column.description }}$text$;
        {% endfor %}
    {% endset %}
    {# Types, too: a view whose columns change theirs does not go on as a view of the new table. #}
    {% set types = model.columns.values() | map(attribute='data_type') | join(', ') %}
    {% set version = local_md5(definition ~ types ~ descriptions) %}
    {% set comment = model.description | trim ~ ' (Made by dbt; version ' ~ version ~ '.)' %}
    {% set known = run_query("select obj_description(to_regclass('" ~ view ~ "'), 'pg_class')").rows[0][0] %}
    {% if known != comment %}
        do $view$ begin
            {{ definition }}
        exception when invalid_table_definition then
            drop view {{ view }} cascade;  -- other columns than before
            {{ definition }}
        end $view$;
        grant select on {{ view }} to tutorq_analyst;
        {{ descriptions }}
        comment on view {{ view }} is $text${{ comment }}$text$;
    {% endif %}
    {% endif %}
{% endmacro %}
