{#
    How incremental models take over what changed, exactly once.

    raw.changes ─► int_session_facts ─► touched_tutor_days ─► int_tutor_days ─► touched_weeks ─► int_tutor_weeks
                                    └─► touched_pairs      ─► int_pairs

    Whoever takes changes over also leaves a mark in unpublished; publication, the last model, wipes it out.
    So a run that dies after its last queue is empty is known to have left something undone.

    Each arrow is a queue. A model empties its queue, rewrites the rows concerned and fills the next queue
    in one transaction (dbt runs hooks marked as transactional, which is the default, inside the model's own).
    A run that dies leaves everything as it was before the model it died in; the next run goes on from there.
    A change that commits while a run is going on was not visible to the emptying, so it stays queued.

    Queues are named here and nowhere else, and not as refs or sources: they are no lineage.
#}

{% macro prepare_queues() %}
    create table if not exists intermediate.touched_tutor_days (tutor_id uuid not null, counted_on date not null);
    create table if not exists intermediate.touched_pairs (tutor_id uuid not null, student_id uuid not null);
    create table if not exists intermediate.touched_weeks (week_start date not null);
    create table if not exists intermediate.weeks_up_to (as_of date not null);
    create table if not exists intermediate.built_with (timezone text not null);
    create table if not exists intermediate.unpublished (taken_at timestamptz not null default now());
    create table if not exists intermediate.live_refreshes (tutor_id uuid not null);
    create table if not exists intermediate.live_sample (tutor_id uuid not null);
{% endmacro %}


{# Move all rows of a queue into a temporary table of distinct rows that lives as long as the transaction. #}
{% macro take_queue(queue, columns, into, condition="true") %}
    create temporary table {{ into }} on commit drop as
    select {{ columns }} from {{ queue }} where false;
    with taken as (
        delete from {{ queue }} where {{ condition }} returning {{ columns }}
    )
    insert into {{ into }} select distinct {{ columns }} from taken;
    {# Queues are of any length, so both a probe per row and a hash of all rows must be within the planner's reach. #}
    create index on {{ into }} ({{ columns }});
    analyze {{ into }};
{% endmacro %}


{#
    After a model has taken many rows in: what reads it later in this run needs statistics now, sooner than
    autovacuum makes them. (Measured: without them int_pairs took 229 s for 75,000 pairs, with them 1 s.)
#}
{% macro analyze_after_bulk(taken) %}
    {% if not is_incremental() or run_query("select count(*) > 10000 from " ~ taken).rows[0][0] %}
        analyze {{ this }};
    {% endif %}
{% endmacro %}


{# Before int_session_facts: note where the changed sessions counted until now, and take them out. #}
{% macro take_changed_sessions() %}
    {% if is_incremental() %}
        {{ take_queue("raw.changes", "entity_id", "changed_sessions", "entity = 'session'") }}
        with removed as (
            delete from {{ this }} as facts using changed_sessions
            where facts.session_id = changed_sessions.entity_id
            returning facts.tutor_id, facts.student_id, facts.counted_on
        ),

        days as (
            insert into intermediate.touched_tutor_days
            select distinct tutor_id, counted_on from removed
        )

        insert into intermediate.touched_pairs
        select distinct tutor_id, student_id from removed;
    {% else %}
        delete from raw.changes where entity = 'session';
        {# Everything may have moved: what depends on the old rows must be computed anew. #}
        {% set tutor_days = adapter.get_relation(this.database, this.schema, "int_tutor_days") %}
        {% if tutor_days %}
            insert into intermediate.touched_tutor_days select tutor_id, counted_on from {{ tutor_days }};
        {% endif %}
        {% set pairs = adapter.get_relation(this.database, this.schema, "int_pairs") %}
        {% if pairs %}
            insert into intermediate.touched_pairs select tutor_id, student_id from {{ pairs }};
        {% endif %}
    {% endif %}
{% endmacro %}


{# After int_session_facts: note where the changed sessions count from now on. #}
{% macro pass_on_changed_sessions() %}
    insert into intermediate.unpublished default values;
    insert into intermediate.touched_tutor_days
    select distinct tutor_id, counted_on from {{ this }}
    {% if is_incremental() %} where session_id in (select entity_id from changed_sessions) {% endif %};
    insert into intermediate.touched_pairs
    select distinct tutor_id, student_id from {{ this }}
    {% if is_incremental() %} where session_id in (select entity_id from changed_sessions) {% endif %};
    {% if not is_incremental() %}
        {# Last of all: dbt asks should_full_refresh again after the rows are in, to make the indexes. #}
        delete from intermediate.built_with;
        insert into intermediate.built_with values ('{{ var("timezone") }}');
    {% endif %}
    {{ analyze_after_bulk("changed_sessions") }}
{% endmacro %}


{# Before int_tutor_days: take the touched tutor-days out. #}
{% macro take_touched_tutor_days() %}
    {% if is_incremental() %}
        {{ take_queue("intermediate.touched_tutor_days", "tutor_id, counted_on", "touched_days") }}
        delete from {{ this }} as days using touched_days
        where days.tutor_id = touched_days.tutor_id and days.counted_on = touched_days.counted_on;
        insert into intermediate.touched_weeks select distinct {{ week_of('counted_on') }} from touched_days;
    {% else %}
        delete from intermediate.touched_tutor_days;
        {# No week can be relied on. #}
        delete from intermediate.weeks_up_to;
    {% endif %}
{% endmacro %}


{# The Monday of a date's week. #}
{% macro week_of(date) -%} date_trunc('week', {{ date }}::timestamp)::date {%- endmacro %}


{#
    Before int_tutor_weeks: take the weeks out that were touched, that are older than 52 weeks, and that another as_of
    than the one they were made for has opened, closed or cut in two.
#}
{% macro take_touched_weeks() %}
    {% set as_of = "(select as_of from " ~ ref('int_as_of') ~ ")" %}
    {% if is_incremental() %}
        create temporary table touched on commit drop as
        with taken as (
            delete from intermediate.touched_weeks returning week_start
        ),

        wanted as (
            select
                days.as_of,
                {{ week_of('days.as_of') }} - 7 * weeks_ago as week_start
            from {{ ref('int_as_of') }} as days
            cross join generate_series(0, 51) as weeks_ago
        )

        select wanted.week_start
        from wanted
        left join intermediate.weeks_up_to as made on true
        where
            wanted.week_start in (select taken.week_start from taken)
            or made.as_of is null
            or made.as_of <> wanted.as_of
            and (
                wanted.week_start = {{ week_of('wanted.as_of') }}
                or wanted.week_start >= {{ week_of('made.as_of') }}
                or wanted.week_start < {{ week_of('made.as_of') }} - 7 * 51
            );
        delete from {{ this }}
        where
            week_start in (select week_start from touched)
            or week_start > {{ as_of }}
            or week_start < {{ week_of(as_of) }} - 7 * 51;
        analyze touched;
    {% else %}
        delete from intermediate.touched_weeks;
    {% endif %}
    delete from intermediate.weeks_up_to;
    insert into intermediate.weeks_up_to select as_of from {{ ref('int_as_of') }};
{% endmacro %}


{# Before int_pairs: take the touched pairs out. #}
{% macro take_touched_pairs() %}
    {% if is_incremental() %}
        {{ take_queue("intermediate.touched_pairs", "tutor_id, student_id", "touched") }}
        delete from {{ this }} as pairs using touched
        where pairs.tutor_id = touched.tutor_id and pairs.student_id = touched.student_id;
    {% else %}
        delete from intermediate.touched_pairs;
    {% endif %}
{% endmacro %}


{# Before dim_students: take out the students who changed. There are as many as the history is long. #}
{% macro take_changed_students() %}
    {% if is_incremental() %}
        {{ take_queue("raw.changes", "entity_id", "changed_students", "entity = 'student'") }}
        delete from {{ this }} as students using changed_students
        where students.student_id = changed_students.entity_id;
    {% else %}
        {{ forget_changes('student') }}
    {% endif %}
{% endmacro %}


{# Before a dimension is rebuilt: its changes are about to be taken over. #}
{% macro forget_changes(entity) %}
    delete from raw.changes where entity = '{{ entity }}';
{% endmacro %}


{#
    Before every mart: readers must learn of it by a new publication, whoever builds it. What belongs to matching is
    no part of the publication; readers of predictions go by ml.prediction_version.
#}
{% macro note_unpublished() %}
    {% if 'matching' not in model.tags %}
        insert into intermediate.unpublished default values;
    {% endif %}
{% endmacro %}


{# Before publication, in its transaction: what was taken over is now to be seen. #}
{% macro mark_as_published() %}
    delete from intermediate.unpublished
    where
        not exists (select from intermediate.touched_tutor_days)
        and not exists (select from intermediate.touched_pairs)
        and not exists (select from intermediate.touched_weeks);
{% endmacro %}


{# Dates depend on the reporting zone, so another zone means that the facts are rebuilt. #}
{% macro should_full_refresh() %}
    {% set configured = config.get("full_refresh") %}
    {% if configured is not none %}
        {{ return(configured) }}
    {% endif %}
    {% if flags.FULL_REFRESH or not config.get("meta", {}).get("depends_on_timezone") or not execute %}
        {{ return(flags.FULL_REFRESH) }}
    {% endif %}
    {% set built_with = run_query("select timezone from intermediate.built_with") %}
    {{ return(built_with.rows | length > 0 and built_with.rows[0][0] != var("timezone")) }}
{% endmacro %}
