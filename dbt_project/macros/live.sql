{#
    Live scores: a writer of sessions refreshes the scores of its tutors in its own transaction, by
    marts.refresh_sessions(ids). The functions below are made beside the tables from the models' own compiled SQL,
    so that each formula stands in its model only; a changed model changes its function in the next run.

    refresh_sessions ─► redo_int_session_facts ─► redo_int_tutor_days, redo_int_pairs ─► live_tutor_scores

    An incremental model reads what its queue names (macros/queues.sql); its function hides the queue's temporary
    table behind a CTE of the same name. tutor_scores reads everybody; its function sees the given tutors only, and
    what comes from all tutors (priors, the as-of day) as the last run of tutor_scores has stored it.

    raw.changes keeps what was refreshed live: the next run does it again, with the same result.

    Locks, in this order (see core/locks.py for all of them; nobody who holds a later one waits for an earlier one):
      1. rows of raw, taken by the writer before it calls
      2. the gates of the incremental models: shared by live writers, taken alone by the model's transaction
      3. marts.tutor_scores: row exclusive by live writers, access exclusive by the swap of the table
      4. the tutors, in the order of their hashes, so that two writers of one tutor see each other's rows
      5. marts.dim_tutors, which a run swaps
      6. the row of marts.publication
#}

{% macro gate(model) -%}
    7461004, {{ ['int_session_facts', 'int_tutor_days', 'int_pairs'].index(model) }}
{%- endmacro %}


{% macro tutor_lock() -%} 7461005 {%- endmacro %}


{# Before an incremental model: wait until no live writer is at work, and keep others out until the commit. #}
{% macro keep_live_writers_out() %}
    select pg_advisory_xact_lock({{ gate(this.identifier) }})
{% endmacro %}


{#
    SQL with tables as "schema"."table", where dbt writes "database"."schema"."table". A function keeps its text, and
    would fail in a database that was renamed or restored under another name.
#}
{% macro without_database(sql) %}
    {% set name = modules.re.escape(adapter.quote(target.dbname)) %}
    {{ return(modules.re.sub(name ~ '[.](?="[^"]+"[.]")', '', sql)) }}
{% endmacro %}


{# Make a function, unless it is there and the same: making it anew would cost every session its plans. #}
{% macro create_function(schema, name, parameters, definition, grantee=none) %}
    {% set definition = without_database(definition) %}
    {% set signature %}{{ schema }}.{{ name }}({% for type in parameters.values() %}{{ ', ' if not loop.first }}{{ type }}{% endfor %}){% endset %}
    {% set header %}create function {{ schema }}.{{ name }}({% for parameter, type in parameters.items() %}{{ ', ' if not loop.first }}{{ parameter }} {{ type }}{% endfor %}){% endset %}
    {% set comment = 'Made by dbt from its models; version ' ~ local_md5(header ~ definition) %}
    {% set known = run_query("select obj_description(to_regprocedure('" ~ signature ~ "'), 'pg_proc')").rows[0][0] %}
    {% if known != comment %}
        drop function if exists {{ signature }};
        {{ header }}
        {{ definition }};
        revoke all on function {{ signature }} from public;
        {% if grantee %} grant execute on function {{ signature }} to {{ grantee }}; {% endif %}
        comment on function {{ signature }} is '{{ comment }}';
    {% endif %}
{% endmacro %}


{#
    After an incremental model: redo_<model>(an array for each key) computes the rows of these keys anew.

    Args:
        queue: the temporary table that the model reads its keys from.
        keys: for each column of the queue, the column of the model; in the order of the arrays.
#}
{% macro create_redo(queue, keys) %}
    {% if execute %}
    {% set columns = adapter.get_columns_in_relation(this) %}
    {% set names = columns | map(attribute='quoted') | join(', ') %}
    {% set parameters = {} %}
    {% for key in keys.values() %}
        {% do parameters.update({key ~ '_keys': (columns | selectattr('name', 'equalto', key) | first).data_type ~ '[]'}) %}
    {% endfor %}
    {% set given %}unnest({% for column in keys.values() %}{{ ', ' if not loop.first }}{{ column }}_keys{% endfor %}) as given ({{ keys.keys() | join(', ') }}){% endset %}
    {% set definition %}
        returns void
        language plpgsql
        set plan_cache_mode = force_generic_plan
        set jit = off
        as $live$
        #variable_conflict use_column
        begin
            delete from {{ this }} as redone using {{ given }}
            where {% for queued, column in keys.items() %}{{ 'and ' if not loop.first }}redone.{{ column }} = given.{{ queued }} {% endfor %};
            insert into {{ this }} ({{ names }})
            with {{ queue }} as (select * from {{ given }})
            select {{ names }} from (
                {{ render(model.raw_code | replace('is_incremental()', 'true')) }}
            ) as model;
        end
        $live$
    {% endset %}
    {{ create_function(this.schema, 'redo_' ~ this.identifier, parameters, definition) }}
    {% endif %}
{% endmacro %}


{# Where the last run of tutor_scores has left what it took from a model that is about all tutors. #}
{% macro stored(name) -%}
    intermediate.stored_{{ name }}
{%- endmacro %}


{#
    Before tutor_scores, in its transaction: compute what it takes from all tutors, and keep it. Then the scores of
    this run and the live ones after it start from the same numbers, to the last bit. What several of its statements
    begin with is computed once for all of them.
#}
{% macro store_inputs() %}
    {% if execute %}
    {% set ctes = model.extra_ctes | map(attribute='sql') | join(', ') %}
    {% for name in config.get('meta').once %}
        create temporary table {{ once(name) }} on commit drop as with {{ ctes }} select * from __dbt__cte__{{ name }};
        analyze {{ once(name) }};
    {% endfor %}
    {% for name in config.get('meta').stored %}
        {% if 'model.' ~ project_name ~ '.' ~ name in model.extra_ctes | map(attribute='id') %}
            {% set query = 'with ' ~ ctes ~ ' select * from __dbt__cte__' ~ name %}
        {% else %}
            {% set query = 'select * from ' ~ ref(name) %}
        {% endif %}
        {% set wanted = get_column_schema_from_query(query) | map(attribute='dtype') | list %}
        {% set table = api.Relation.create(database=this.database, schema='intermediate', identifier='stored_' ~ name) %}
        {% set found = get_column_schema_from_query('select * from ' ~ table) | map(attribute='dtype') | list if load_relation(table) %}
        {# Emptied and filled, not made anew: the plans that read it live on. #}
        {% if found == wanted %}
            delete from {{ stored(name) }};
            insert into {{ stored(name) }} {{ from_once(query) }};
        {% else %}
            drop table if exists {{ stored(name) }};
            create table {{ stored(name) }} as {{ from_once(query) }};
        {% endif %}
    {% endfor %}
    {% endif %}
{% endmacro %}


{# Where a model is computed for the statements of one transaction of tutor_scores. #}
{% macro once(name) -%}
    once_{{ name }}
{%- endmacro %}


{# Compiled SQL of this model, with tables in place of the code of ephemeral models: a dict of name and table. #}
{% macro with_tables(sql, tables) %}
    {% set result = namespace(sql=sql) %}
    {% for cte in model.extra_ctes %}
        {% set name = cte.id.split('.')[-1] %}
        {% if name in tables %}
            {% if cte.sql not in result.sql and ('__dbt__cte__' ~ name) in result.sql %}
                {{ exceptions.raise_compiler_error('the code of ' ~ name ~ ' is not in that of ' ~ this.identifier) }}
            {% endif %}
            {% set result.sql = result.sql | replace(cte.sql, ' __dbt__cte__' ~ name ~ ' as (select * from ' ~ tables[name] ~ ')') %}
        {% endif %}
    {% endfor %}
    {{ return(result.sql) }}
{% endmacro %}


{# Compiled SQL of this model on what was stored, by itself or by the model whose stored inputs it reuses. #}
{% macro from_stored(sql) %}
    {% set tables = {} %}
    {% set meta = config.get('meta', {}) %}
    {% for name in meta.get('stored', meta.get('reuses', [])) %}
        {% do tables.update({name: stored(name)}) %}
    {% endfor %}
    {{ return(with_tables(sql, tables)) }}
{% endmacro %}


{# Compiled SQL of this model on what was computed once. #}
{% macro from_once(sql) %}
    {% set tables = {} %}
    {% for name in config.get('meta').once %}
        {% do tables.update({name: once(name)}) %}
    {% endfor %}
    {{ return(with_tables(sql, tables)) }}
{% endmacro %}


{#
    Compiled SQL of this model for the tutors in the array `tutors` alone: of every table that it reads, their rows,
    or what was stored of it.
#}
{% macro narrowed(sql) %}
    {% set stored_models = config.get('meta', {}).get('stored', []) %}
    {% set result = namespace(sql=from_stored(sql), ctes=[]) %}
    {% for node in graph.nodes.values() if node.resource_type == 'model' and node.relation_name and node.relation_name in result.sql %}
        {% set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) %}
        {% if node.name in stored_models %}
            {% set result.sql = result.sql | replace(node.relation_name, stored(node.name)) %}
        {% elif 'tutor_id' in adapter.get_columns_in_relation(relation) | map(attribute='name') %}
            {% set result.sql = result.sql | replace(node.relation_name, 'narrow_' ~ node.alias) %}
            {% do result.ctes.append('narrow_' ~ node.alias ~ ' as not materialized (select * from ' ~ relation ~ ' where tutor_id = any(tutors))') %}
        {% else %}
            {{ exceptions.raise_compiler_error(node.name ~ ' is not about single tutors: name it in meta.stored of ' ~ this.identifier) }}
        {% endif %}
    {% endfor %}
    {{ return('with ' ~ result.ctes | join(', ') ~ ' select * from (' ~ result.sql ~ ') as model') }}
{% endmacro %}


{#
    After dim_tutors: add_dim_tutors(ids) adds those of them who are not there yet, so that a tutor's first session
    is seen as soon as any other. Those who came while the table was being made are added at once.
#}
{% macro create_add_rows() %}
    {% if execute %}
    {% set names = model.columns.values() | map(attribute='name') | join(', ') %}
    {% set definition %}
        returns void
        language plpgsql
        set plan_cache_mode = force_generic_plan
        as $live$
        #variable_conflict use_column
        declare
            tutors uuid[] := array(
                select given.tutor_id from unnest(tutor_ids) as given (tutor_id)
                where not exists (select from {{ this }} as known where known.tutor_id = given.tutor_id)
            );
        begin
            if cardinality(tutors) > 0 then
                insert into {{ this }} ({{ names }})
                select {{ names }} from (
                    {{ narrowed(model.compiled_code) }}
                ) as live
                on conflict do nothing;
            end if;
        end
        $live$
    {% endset %}
    {{ create_function(this.schema, 'add_' ~ this.identifier, {'tutor_ids': 'uuid[]'}, definition) }}
    select {{ this.schema }}.add_{{ this.identifier }}(array(select distinct tutor_id from intermediate.live_refreshes));
    {% endif %}
{% endmacro %}


{# marts.live_tutor_scores(ids): rows as this model would have them now, with percentiles among the given tutors only. #}
{% macro create_live_rows(sql) %}
    {% set definition %}
        returns table ({% for column in model.columns.values() %}{{ ', ' if not loop.first }}{{ column.name }} {{ column.data_type }}{% endfor %})
        language plpgsql
        stable
        set plan_cache_mode = force_generic_plan
        set jit = off
        set enable_nestloop = off
        as $live$
        #variable_conflict use_column
        begin
            return query
            select {% for column in model.columns.values() %}{{ ', ' if not loop.first }}{{ column.name }}::{{ column.data_type }}{% endfor %}
            from (
                {{ narrowed(sql) }}
            ) as live;
        end
        $live$
    {% endset %}
    {{ create_function(this.schema, 'live_' ~ this.identifier, {'tutors': 'uuid[]'}, definition) }}
{% endmacro %}


{#
    Write the live rows of the tutors in `tutors`, an expression, over those in `relation`.
    Columns that need all tutors keep their values until the next run.
#}
{% macro write_live_rows(relation, tutors) %}
    {% set names = model.columns.values() | map(attribute='name') | list %}
    insert into {{ relation }} ({{ names | join(', ') }})
    select {% for name in names %}{{ ', ' if not loop.first }}{{ 'null' if name in config.get('meta').waiting else 'live.' ~ name }}{% endfor %}
    from {{ this.schema }}.live_{{ this.identifier }}({{ tutors }}) as live
    order by tutor_id
    on conflict (tutor_id) do update set
    {% for name in names if name not in config.get('meta').waiting %}{{ ', ' if not loop.first }}{{ name }} = excluded.{{ name }}{% endfor %}
{% endmacro %}


{#
    Take over what was refreshed live since the snapshot of this run, so that the new table does not fall behind
    the one that it replaces. Fifty tutors at a time, since the function's plan is made for few.
#}
{% macro catch_up(relation, most) %}
    do $catch_up$
    declare
        few uuid[];
    begin
        for few in
            with taken as (
                delete from intermediate.live_refreshes returning tutor_id
            ),

            noted as (
                insert into intermediate.live_sample select distinct tutor_id from taken
            )

            select array_agg(tutor_id)
            from (select tutor_id, row_number() over () as place from (select distinct tutor_id from taken) as tutors) as numbered
            where place <= {{ most }}
            group by place / 50
        loop
            {{ write_live_rows(relation, 'few') }};
        end loop;
    end
    $catch_up$
{% endmacro %}


{# Before tutor_scores, in its transaction: what was refreshed live until now is in what it is about to read. #}
{% macro take_live_refreshes() %}
    delete from intermediate.live_sample;
    with taken as (
        delete from intermediate.live_refreshes returning tutor_id
    )

    insert into intermediate.live_sample select distinct tutor_id from taken
{% endmacro %}


{#
    How dbt fills a table. One that has live rows is filled from stored inputs, gets its function, and catches up
    with what was refreshed live meanwhile; a last time after the swap, when nobody else can write (catch_up as a
    post-hook). One that reuses stored inputs is filled from them.
#}
{% macro postgres__get_create_table_as_sql(temporary, relation, sql) %}
    {% if config.get('meta', {}).get('stored') and not temporary %}
        {{ default__get_create_table_as_sql(temporary, relation, from_stored(from_once(sql))) }};
        {{ create_live_rows(sql) }}
        {{ catch_up(relation, 10000) }}
    {% elif config.get('meta', {}).get('reuses') and not temporary %}
        {{ default__get_create_table_as_sql(temporary, relation, from_stored(sql)) }}
    {% else %}
        {{ default__get_create_table_as_sql(temporary, relation, sql) }}
    {% endif %}
{% endmacro %}


{#
    marts.refresh_sessions(ids): everything that a reader sees of these sessions, and of the tutors who had or have
    them, up to date with the caller's own transaction. Returns the number of tutors. It waits for locks, and a
    caller who cannot wait sets lock_timeout.
#}
{% macro create_refresh() %}
    {% if execute %}
    {% set definition %}
        returns integer
        language plpgsql
        security definer
        set search_path = pg_catalog, pg_temp
        set plan_cache_mode = force_generic_plan
        set jit = off
        as $live$
        #variable_conflict use_column
        declare
            tutors uuid[];
            tutor_keys uuid[];
            student_keys uuid[];
            day_keys date[];
            hash integer;
        begin
            {% for model in ['int_session_facts', 'int_tutor_days', 'int_pairs'] %}
                perform pg_advisory_xact_lock_shared({{ gate(model) }});
            {% endfor %}
            lock table {{ this }} in row exclusive mode;
            select array_agg(distinct tutor_id) into tutors
            from (
                select tutor_id from intermediate.int_session_facts where session_id = any(sessions)
                union all
                select tutor_id from staging.stg_raw__sessions where session_id = any(sessions)
            ) as had_or_have;
            for hash in select distinct hashtext(tutor_id::text) as hash from unnest(tutors) as tutor_id order by hash loop
                perform pg_advisory_xact_lock({{ tutor_lock() }}, hash);
            end loop;

            select array_agg(tutor_id), array_agg(student_id), array_agg(counted_on)
            into tutor_keys, student_keys, day_keys
            from intermediate.int_session_facts
            where session_id = any(sessions);
            perform intermediate.redo_int_session_facts(sessions);
            select tutor_keys || array_agg(tutor_id), student_keys || array_agg(student_id), day_keys || array_agg(counted_on)
            into tutor_keys, student_keys, day_keys
            from intermediate.int_session_facts
            where session_id = any(sessions);
            if not tutor_keys <@ tutors then
                raise lock_not_available using message = 'another writer has given a session to another tutor';
            end if;
            perform intermediate.redo_int_tutor_days(tutor_keys, day_keys);
            perform intermediate.redo_int_pairs(tutor_keys, student_keys);
            -- The next run will find no trace of the days that a session has left.
            insert into intermediate.touched_weeks
            select distinct {{ week_of('counted_on') }} from unnest(day_keys) as counted_on;

            perform {{ this.schema }}.add_dim_tutors(tutors);
            {{ write_live_rows(this, 'tutors') }};
            insert into intermediate.live_refreshes select tutor_id from unnest(tutors) as tutor_id;
            -- One step at least, whatever the clock says: what readers cache by must not stand still.
            update marts.publication
            set refreshed_at = greatest(clock_timestamp(), refreshed_at + interval '1 microsecond');
            return cardinality(tutors);
        end
        $live$
    {% endset %}
    {{ create_function(this.schema, 'refresh_sessions', {'sessions': 'uuid[]'}, definition, grantee='tutorq_api') }}
    {% endif %}
{% endmacro %}
