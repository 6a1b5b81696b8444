{#
    How incremental models (materializations/incremental.sql) take over what changed, exactly once.

    raw.changes ─► int_session_facts ─► touched_tutor_days ─► int_tutor_days ─► touched_weeks ─► int_tutor_weeks
                                    └─► touched_pairs      ─► int_pairs

    Each arrow is a queue, named in the configuration of the models. Whoever takes changes over also leaves a mark in
    unpublished; publication, the last model, wipes it out. So a run that dies after its last queue is empty is known to
    have left something undone.

    The tables here are named as they are, and not as refs or sources: they are no lineage.
#}

{% macro prepare_queues() %}
    create table if not exists intermediate.touched_tutor_days (tutor_id uuid not null, counted_on date not null);
    create table if not exists intermediate.touched_pairs (tutor_id uuid not null, student_id uuid not null);
    create table if not exists intermediate.touched_weeks (week_start date not null);
    create table if not exists intermediate.weeks_up_to (as_of date not null);
    create table if not exists intermediate.unpublished (taken_at timestamptz not null default now());
    create table if not exists intermediate.scoring_days (as_of date not null, is_as_of boolean not null);
    create table if not exists intermediate.days_to_record (as_of date not null);
    create table if not exists intermediate.day_before (
        as_of date not null, tutor_id uuid not null, risk_status text not null, risk_status_since date
    );
    create index if not exists day_before_tutor_id on intermediate.day_before (tutor_id);
    {# Of versions before: what is there now is made by the models. #}
    drop table if exists
        intermediate.built_with, intermediate.live_refreshes, intermediate.live_sample,
        intermediate.stored_int_as_of, intermediate.stored_int_rate_priors, intermediate.stored_int_rating_means;
    {# Any model may swap its table. #}
    {% for name in ['views_of', 'lock_with_views', 'move_views'] if execute %}
        {% set function = graph.functions['function.tutorq.' ~ name] %}
        {{ function_sql(function, function.raw_code) }}
    {% endfor %}
{% endmacro %}


{# The Monday of a date's week. #}
{% macro week_of(date) -%} date_trunc('week', {{ date }}::timestamp)::date {%- endmacro %}


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
