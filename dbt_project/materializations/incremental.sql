{#
    A table that a run changes in place, and that live writers (functions/marts/refresh_sessions.sql) may change between
    two runs. A model is plain SQL for all rows. From it come a view, intermediate.<model>_definition, which says what the
    table's rows have to be, and the table. config:
      queue       {from, key: {column of the queue: column of the model}, where}. A run, in one transaction, takes all
                  rows out of the queue and does the rows of these keys again. So a run that dies leaves everything as it
                  was, and what commits meanwhile stays queued. Without a queue all rows are done again. With `together`
                  (a column), keys that differ in it alone are done at once. `bulk_share`: the share of the rows beyond
                  which all are made anew (0.2).
      passes_on   {queue: [expressions]}. What the rows that go and come say of them is put into that queue.
      batches     instead of a queue: only rows that differ are written, of so many tutors in a transaction; see in_batches. With
                  `key` (a column), `batch_only` (columns that live writers leave as they are), `batch_part` (columns that
                  both make: {column: SQL over `stored`, a row of theirs, and `differing`, ours}), `after_batch` (SQL in
                   which $tutors are those of the batch, or null for all).
      without_nested_loops  when the table is made anew; for models whose CTEs Postgres takes for far smaller than they are.
      gate        the number of a lock that live writers share and that the run's transaction takes alone.
    The table is made anew and put in the old one's place with --full-refresh, if its columns are other ones than the
    definition's, if its queue names many of its rows, or if it has a queue and was made with other SQL (its own, or that of
    views that it reads) or indexes. With full_refresh=false it never is: new columns are added, null in the rows there are.
#}
{% materialization incremental, adapter='postgres' %}
    {% set target = this.incorporate(type='table') %}
    {% set definition = api.Relation.create(database=this.database, schema='intermediate', identifier=this.identifier ~ '_definition', type='view') %}
    {% set fresh = make_intermediate_relation(target) %}
    {% set old = make_backup_relation(target, 'table') %}
    {% set queue = config.get('queue') %}
    {{ drop_relation_if_exists(load_cached_relation(fresh)) }}
    {{ drop_relation_if_exists(load_cached_relation(old)) }}
    {{ replace_view(definition, sql) }}
    {{ commit_and_begin() }}
    {% set existing = load_cached_relation(this) %}
    {% set is_kept = config.get('full_refresh') is false %}
    {% set version = version_of_table(sql) %}
    {% if existing is not none and is_kept %}
        {% for column in adapter.get_missing_columns(definition, target) %}
            {% do run_query('alter table ' ~ target ~ ' add column ' ~ column.quoted ~ ' ' ~ column.data_type) %}
        {% endfor %}
        {{ commit_and_begin() }}
    {% elif existing is not none %}
        {% set built_with = run_query("select obj_description(to_regclass('" ~ this ~ "'), 'pg_class')").rows[0][0] %}
        {% set is_rebuilt = flags.FULL_REFRESH or (queue and built_with != version) or columns_of(definition) != columns_of(target) %}
    {% endif %}
    {% if config.get('batches') and existing is not none and not is_rebuilt %}
        {{ in_batches(definition, target) }}
    {% else %}
        {{ wait_for_live_writers() }}
        {{ run_hooks(pre_hooks) }}
        {% if queue %} {{ take_queue(queue) }} {% endif %}
        {% if existing is none or is_rebuilt or (queue and not is_kept and is_bulk(target, queue.bulk_share or 0.2)) %}
            {% if existing is not none %} {{ pass_on(target) }} {% endif %}
            {% set ordered = ' order by ' ~ config.get('order_by') if config.get('order_by') else '' %}
            {% if config.get('without_nested_loops') %} {% do run_query('set local enable_nestloop = off') %} {% endif %}
            {% call statement('main') %} {{ get_create_table_as_sql(False, fresh, 'select * from ' ~ definition ~ ordered) }} {% endcall %}
            {% do run_query('reset enable_nestloop') %}
            {% do create_indexes(fresh) %}
            {# As migration 0049 has it: queries ask for the newest rows, of which old statistics know nothing. #}
            {% do run_query('alter table ' ~ fresh ~ ' set (autovacuum_analyze_scale_factor = 0.01)') %}
            {{ pass_on(fresh) }}
            {% if existing is not none %} {% do adapter.rename_relation(target, old) %} {% endif %}
            {% do adapter.rename_relation(fresh, target) %}
            {% if config.get('after_batch') %} {% do run_query(config.get('after_batch') | replace('$tutors', 'null')) %} {% endif %}
            {% do run_query('comment on table ' ~ target ~ " is '" ~ version ~ "'") %}
            {# Rows go from one to the other by the place of their columns. #}
            {% if columns_of(definition) != columns_of(target) %}
                {{ exceptions.raise_compiler_error('the columns of ' ~ this.identifier ~ ' are not those of its contract, in this order') }}
            {% endif %}
        {% elif queue %}
            {{ redo(definition, target, queue.key.values()) }}
        {% else %}
            {% do run_query('delete from ' ~ target) %}
            {% call statement('main') %} insert into {{ target }} select * from {{ definition }} {% endcall %}
        {% endif %}
        {# What reads it later in this run needs statistics now. (Without: 229 s for 75,000 rows of int_pairs; with: 1 s.) #}
        {% if not queue or existing is none or is_rebuilt or is_bulk(target) %} {% do run_query('analyze ' ~ target) %} {% endif %}
    {% endif %}
    {% do apply_grants(target, config.get('grants'), should_revoke=should_revoke(existing, full_refresh_mode=True)) %}
    {% do persist_docs(target, model) %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ drop_relation_if_exists(load_cached_relation(old)) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{# A table's comment: what it was made with, as far as that may change what is in it. #}
{% macro version_of_table(sql) %}
    {% set parts = [sql | replace('"' ~ this.database ~ '".', ''), config.get('indexes') | string] %}
    {% set views = [] %}
    {% do note_views(model, views) %}
    {% if views %}
        {% do parts.append(run_query("select string_agg(obj_description(to_regclass(name), 'pg_class'), ' ' order by name) from unnest(array['" ~ views | join("', '") ~ "']) as name").rows[0][0]) %}
    {% endif %}
    {{ return('Made by dbt; version ' ~ local_md5(parts | join)) }}
{% endmacro %}


{# Views that a model reads, and those that they read: a setting may stand several views below. #}
{% macro note_views(node, views) %}
    {% for id in node.depends_on.nodes if id in graph.nodes and graph.nodes[id].config.materialized == 'view' %}
        {% set name = graph.nodes[id].relation_name | replace('"' ~ this.database ~ '".', '') %}
        {% if name not in views %}
            {% do views.append(name) %}
            {% do note_views(graph.nodes[id], views) %}
        {% endif %}
    {% endfor %}
{% endmacro %}


{# From the catalog: dbt asks information_schema, which takes ten times as long, and a run asks forty times. #}
{% macro columns_of(relation) %}
    {% set names = "select string_agg('\"' || attname || '\"', ', ' order by attnum) from pg_attribute" %}
    {% set where = " where attrelid = to_regclass('" ~ relation ~ "') and attnum > 0 and not attisdropped" %}
    {{ return(run_query(names ~ where).rows[0][0]) }}
{% endmacro %}


{# dbt leaves the beginning to its driver, which does so once per connection. #}
{% macro commit_and_begin() %}
    {% do adapter.commit() %}
    {% call statement() %} begin {% endcall %}
{% endmacro %}


{% macro wait_for_live_writers() %}
    {% if config.get('gate') is not none %}
        {% call statement() %} select pg_advisory_xact_lock(7461004, {{ config.get('gate') }}) {% endcall %}
    {% endif %}
{% endmacro %}


{# Move all rows of the queue into the temporary table `taken`, whose columns are named as the model's. #}
{% macro take_queue(queue) %}
    {% set queued = queue.key.keys() | join(', ') %}
    {% call statement() %}
        {{ 'insert into intermediate.unpublished default values;' if config.get('passes_on') }}
        create temporary table taken ({{ queue.key.values() | join(', ') }}) on commit drop as select {{ queued }} from {{ queue.from }} where false;
        with given as (delete from {{ queue.from }} where {{ queue.where or 'true' }} returning {{ queued }})
        insert into taken select distinct * from given;
        {# Queues are of any length, so both a probe per row and a hash of all rows must be within the planner's reach. #}
        create index on taken ({{ queue.key.values() | join(', ') }});
        analyze taken;
    {% endcall %}
{% endmacro %}


{# Whether there are many keys; with a share, whether doing so many one by one would take longer than making the table anew. #}
{% macro is_bulk(target, share=0) %}
    {% set many = 'select (select count(*) from taken) > greatest(10000, ' ~ share ~ ' * reltuples)' %}
    {{ return(run_query(many ~ " from pg_class where oid = to_regclass('" ~ target ~ "')").rows[0][0]) }}
{% endmacro %}


{# Do the rows of the keys in `taken` again. Key by key, because with a key a definition of any form is read by index. #}
{% macro redo(definition, target, columns) %}
    {% set keys = columns | join(', ') %}
    {% set together = config.get('queue').together %}
    {% set others = columns | reject('equalto', together) | join(', ') %}
    {% set names = columns_of(definition) %}
    {% call statement() %}
        with gone as (delete from {{ target }} where ({{ keys }}) in (select {{ keys }} from taken) returning *)
        {{ passed_on('gone') }}
    {% endcall %}
    {% call statement('main') %}
        with come as (
            insert into {{ target }} ({{ names }})
            select wanted.*
            from {{ '(select ' ~ others ~ ', array_agg(' ~ together ~ ') as ' ~ together ~ ' from taken group by ' ~ others ~ ') as' if together }} taken
            cross join lateral (
                select {{ names }} from {{ definition }} as defined
                where {% for column in columns %} {{ 'and' if not loop.first }} defined.{{ column }} = {{ 'any' if column == together }} (taken.{{ column }}) {% endfor %}
                offset 0 -- or Postgres would join the whole definition
            ) as wanted
            returning *
        )
        {{ passed_on('come') }}
    {% endcall %}
{% endmacro %}


{# The end of a statement that has a CTE `rows`: what these say goes into the queues of other models. #}
{% macro passed_on(rows) %}
    {% for queue, columns in config.get('passes_on', {}).items() %}
        , {{ rows }}_{{ loop.index }} as (insert into {{ queue }} select distinct {{ columns | join(', ') }} from {{ rows }})
    {% endfor %}
    select count(*) from {{ rows }}
{% endmacro %}


{% macro pass_on(relation) %}
    {% call statement() %} with everything as (select * from {{ relation }}) {{ passed_on('everything') }} {% endcall %}
{% endmacro %}


{#
    Bring the table up to what its definition says in one look at it, a batch of rows after the other. Live writers wait
    for a batch at most, and none of their rows is written over: a row that somebody has written since that look is another
    version of it (`xmin`). It was made from the same numbers of all tutors, because those who began earlier are waited
    for. Only `batch_only` columns, which live writers leave as they are, are written into such a row, too, and `batch_part`
    columns from what is theirs and what is ours.
#}
{% macro in_batches(definition, target) %}
    {% set key = config.get('key') %}
    {% set names = columns_of(target).split(', ') %}
    {{ run_hooks(pre_hooks) }}
    {{ wait_for_live_writers() }}
    {{ commit_and_begin() }}
    {# Of a run that failed on this connection. #}
    {% do run_query('drop table if exists pg_temp.differing') %}
    {% call statement('main') %}
        create temporary table differing as
        select
            (dense_rank() over (order by coalesce(wanted.tutor_id, stored.tutor_id)) - 1) / {{ config.get('batches') }} as batch,
            stored.{{ key }} as stored_key,
            stored.tutor_id as stored_tutor_id,
            stored.xmin as seen,
            wanted.*
        from {{ definition }} as wanted
        full join {{ target }} as stored on wanted.{{ key }} = stored.{{ key }}
        where {% for name in names %} {{ 'or' if not loop.first }} wanted.{{ name }} is distinct from stored.{{ name }} {% endfor %}
    {% endcall %}
    {# Not of all columns: of 140 it took a tenth of a second. #}
    {% do run_query('create index on differing (batch); analyze differing (batch, stored_key)') %}
    {% for batch in range(run_query('select coalesce(max(batch), -1) + 1 from differing').rows[0][0] | int) %}
        {{ wait_for_live_writers() }}
        {% call statement() %}
            {% set is_seen = 'differing.batch = ' ~ batch ~ ' and stored.' ~ key ~ ' = differing.stored_key and stored.xmin = differing.seen' %}
            update {{ target }} as stored
            set {% for name in names %} {{ ',' if not loop.first }} {{ name }} = differing.{{ name }} {% endfor %}
            from differing where {{ is_seen }} and differing.{{ key }} is not null;
            {% set late = {} %}
            {% for name in config.get('batch_only', []) %} {% do late.update({name: 'differing.' ~ name}) %} {% endfor %}
            {% do late.update(config.get('batch_part', {})) %}
            {% for name, value in late.items() %}
                update {{ target }} as stored set {{ name }} = {{ value }}
                from differing
                where differing.batch = {{ batch }} and stored.{{ key }} = differing.{{ key }} and stored.{{ name }} is distinct from {{ value }};
            {% endfor %}
            delete from {{ target }} as stored using differing where {{ is_seen }} and differing.{{ key }} is null;
            insert into {{ target }} select {{ names | join(', ') }} from differing where batch = {{ batch }} and stored_key is null
            on conflict do nothing;
            {{ config.get('after_batch', '') | replace('$tutors', 'array(select coalesce(tutor_id, stored_tutor_id) from differing where batch = ' ~ batch ~ ')') }}
        {% endcall %}
        {{ commit_and_begin() }}
    {% endfor %}
    {% do run_query('drop table differing') %}
{% endmacro %}
