{#
    How dbt puts a new table in the place of an old one: it renames both, commits, and drops the old one with
    everything that reads it. A view would go with it, and be away until its own model is built anew, or for good if
    it is nobody's model. So in the transaction of the renaming, views of the old table become views of the new one,
    and nothing is left to go.
#}
{% macro postgres__rename_relation(from_relation, to_relation) %}
    {% set backup_relation = make_backup_relation(to_relation, 'table') %}
    {% set makes_room = to_relation.identifier == make_backup_relation(from_relation, 'table').identifier %}
    {% set takes_place = from_relation.identifier == make_intermediate_relation(to_relation).identifier %}
    {% call statement('rename_relation') %}
        {% if makes_room %} {{ lock_with_views(from_relation) }} {% endif %}
        alter table {{ from_relation }} rename to {{ adapter.quote(to_relation.identifier) }};
        {% if takes_place %} {{ move_views(backup_relation, to_relation) }} {% endif %}
    {% endcall %}
{% endmacro %}


{# Views that read a table themselves and are ours to change, as rows (oid, name, owner, options). #}
{% macro views_of(relation) %}
    select distinct
        views.oid,
        views.oid::regclass::text as name,
        views.relowner::regrole::text as owner,
        coalesce('with (' || array_to_string(views.reloptions, ', ') || ')', '') as options
    from pg_depend
    inner join pg_rewrite on pg_depend.classid = 'pg_rewrite'::regclass and pg_depend.objid = pg_rewrite.oid
    inner join pg_class as views on pg_rewrite.ev_class = views.oid and views.relkind = 'v'
    where
        pg_depend.refclassid = 'pg_class'::regclass
        and pg_depend.refobjid = to_regclass('{{ relation }}')
        and pg_has_role(views.relowner, 'usage')
{% endmacro %}


{#
    Lock a table and its views, all or none: readers lock a view before its table, some lock several views, and
    whoever holds one while it waits for another might do so for ever. After half a minute among readers who leave
    no gap it waits like everybody else.
#}
{% macro lock_with_views(relation) %}
    do $locking$
    declare
        patience text := current_setting('lock_timeout');
        reader record;
    begin
        for attempt in 1..60 loop
            begin
                -- Less than deadlock_timeout, after which Postgres would end one of the two.
                perform set_config('lock_timeout', case when attempt < 60 then '500ms' else patience end, true);
                -- Changes nothing, and locks the view alone, where `lock table` would lock all that it reads.
                for reader in {{ views_of(relation) }} order by oid loop
                    execute format('alter view %s owner to %s', reader.name, reader.owner);
                end loop;
                lock table {{ relation }} in access exclusive mode;
                exit;
            exception when lock_not_available then
                perform pg_sleep(0.01);
            end;
        end loop;
        perform set_config('lock_timeout', patience, true);
    end
    $locking$;
{% endmacro %}


{# Have the views of one table read another one. A view that does not fit to its columns stays as it is. #}
{% macro move_views(old, new) %}
    do $moving$
    declare
        reader record;
    begin
        for reader in {{ views_of(old) }} order by oid loop
            begin
                execute format(
                    'create or replace view %s %s as %s',
                    reader.name,
                    reader.options,
                    replace(pg_get_viewdef(reader.oid), '{{ old.identifier }}', '{{ new.identifier }}')
                );
            exception when syntax_error_or_access_rule_violation then
                null;
            end;
        end loop;
    end
    $moving$;
{% endmacro %}
