{#
    How incremental models (materializations/incremental.sql) take over what changed, exactly once.

    raw.changes ─► int_session_facts ─► touched_tutor_days ─► int_tutor_days ─► touched_weeks ─► int_tutor_weeks
                                    ├─► touched_pairs      ─► int_pairs
                                    └─► touched_histories  ─► touched_pair_histories ─► int_pair_histories
    int_tutor_days ─► touched_concerns ─► touched_filter_checkpoints ─► int_filter_checkpoints
                                      └─► touched_concern_days       ─► int_concern_days
    Each arrow is a queue, named in the configuration of the models and not as ref or source: it is no lineage. Whoever
    takes changes over also leaves a mark in unpublished; publication, the last model, wipes it out. So a run that dies
    after its last queue is empty is known to have left something undone.
#}

{# Before every run: the tables above, and functions that any model may need before its turn. #}
{% macro prepare_queues() %}
    {% for name in ['prepare_tables', 'views_of', 'lock_with_views', 'move_views'] if execute %}
        {{ function_sql(graph.functions['function.tutorq.' ~ name], graph.functions['function.tutorq.' ~ name].raw_code) }}
    {% endfor %}
    set local client_min_messages = warning; -- not of tables that are there
    select intermediate.prepare_tables()
{% endmacro %}


{# The Monday of a date's week. #}
{% macro week_of(date) -%} date_trunc('week', {{ date }}::timestamp)::date {%- endmacro %}


{# Before every mart: readers learn of it by a new publication; of predictions, by ml.prediction_version. #}
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
        and not exists (select from intermediate.touched_concerns)
        and not exists (select from intermediate.touched_concern_days)
        and not exists (select from intermediate.touched_weeks);
{% endmacro %}


{# After publication, in its transaction. #}
{% macro tell_publication() %}
    insert into app.events (kind, payload)
    select
        'publication.done',
        jsonb_build_object('generation', generation, 'as_of', as_of, 'published_at', published_at)
    from {{ this }}
{% endmacro %}
