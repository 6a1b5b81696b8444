{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook=["{{ keep_live_writers_out() }}", "{{ take_touched_tutor_days() }}"],
        post_hook=[
            "{{ analyze_after_bulk('touched_days') }}",
            "{{ create_redo('touched_days', {'tutor_id': 'tutor_id', 'counted_on': 'counted_on'}) }}",
        ],
        indexes=[
            {'columns': ['tutor_id', 'counted_on'], 'unique': true},
            {'columns': ['counted_on']},
            {'columns': ['tutor_id', 'last_completed_at']},
        ],
    )
}}

with sessions as (
    select * from {{ ref('int_session_facts') }}
    where
        is_final
        {% if is_incremental() %}
            and (tutor_id, counted_on) in (
                select
                    touched_days.tutor_id,
                    touched_days.counted_on
                from touched_days
            )
        {% endif %}
),

final as (
    select
        tutor_id,
        counted_on,
        count(*) as sessions,
        count(*) filter (where has_reschedule) as reschedules,
        count(*) filter (where is_tutor_reschedule) as tutor_reschedules,
        count(*) filter (where is_tutor_no_show) as tutor_no_shows,
        count(*) filter (where is_short_notice) as short_notice_reschedules,
        count(rating) as ratings,
        coalesce(sum(rating), 0) as rating_sum,
        max(scheduled_time) filter (where status = 'completed') as last_completed_at,
        -- Moves asked for on one day for one reason are one episode.
        array_agg(
            distinct to_char(coalesce(requested_on, counted_on), 'YYYY-MM-DD') || coalesce(' ' || reason_code, '')
        ) filter (where is_tutor_reschedule) as episodes
    from sessions
    group by tutor_id, counted_on
)

select * from final
{# As they come by themselves from now on, so that the recent rows lie together. #}
{{ 'order by counted_on' if not is_incremental() }}
