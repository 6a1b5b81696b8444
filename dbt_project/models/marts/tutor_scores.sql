{{
    config(
        materialized='incremental',
        batches=var('scores_per_batch'),
        key='tutor_id',
        batch_only=['peer_percentile', 'planned_sessions_7d', 'harm_students', 'case_mix_expected'],
        batch_part={'harm_sessions': 'differing.planned_sessions_7d * stored.let_down_rate_expected'},
        after_batch='select marts.keep_tutor_rows($tutors); select marts.note_refresh()',
        gate=4,
        pre_hook=[
            "
                select marts.keep_tutor_rows(null) from pg_proc
                where
                    oid = 'marts.keep_tutor_rows(uuid[])'::regprocedure
                    and right(obj_description(to_regclass('intermediate.tutor_rows')), 32) is distinct from md5(prosrc)
            ",
            "select intermediate.take_over_day_before()",
            "select intermediate.set_quality_reference()",
        ],
        indexes=[
            {'columns': ['risk_status']},
            {'columns': ['risk_probability desc nulls last', 'tutor_id']},
        ],
    )
}}

-- Batch-only columns come last: live writers take the others as int_tutor_scores has them (refresh_sessions).
-- depends_on: {{ function('take_over_day_before') }}, {{ function('refresh_sessions') }}
-- depends_on: {{ function('refresh_tutors') }}, {{ function('share_gates') }}, {{ function('lock_tutors') }}
-- depends_on: {{ function('tell_refreshed') }}, {{ function('tell_missed_sessions') }}
-- depends_on: {{ function('note_refresh') }}, {{ function('set_quality_reference') }}, {{ ref('tutor_concerns') }}
-- depends_on: {{ function('keep_tutor_rows') }}

with scores as (
    select * from {{ ref('int_tutor_scores') }}
),

as_of as (
    select as_of from {{ ref('int_platform') }}
),

sessions as (
    select * from {{ ref('stg_raw__sessions') }}
),

rated as (
    select
        tutor_id,
        percent_rank() over (order by quality_score) as peer_percentile
    from scores
    where risk_status <> 'insufficient_data'
),

planned as (
    select
        sessions.tutor_id,
        count(*) as sessions,
        count(distinct sessions.student_id) as students
    from as_of
    inner join sessions
        on
            sessions.scheduled_time >= ((as_of.as_of + 1)::timestamp at time zone '{{ var("timezone") }}')
            and sessions.scheduled_time < ((as_of.as_of + 8)::timestamp at time zone '{{ var("timezone") }}')
    where not sessions.is_final
    group by sessions.tutor_id
),

case_mix as (
    select * from {{ ref('int_case_mix_kept') }}
),

final as (
    select
        scores.*,
        rated.peer_percentile,
        coalesce(planned.sessions, 0) as planned_sessions_7d,
        coalesce(planned.sessions, 0) * scores.let_down_rate_expected as harm_sessions,
        coalesce(planned.students, 0) as harm_students,
        case when scores.sessions_90d > 0 then case_mix.expected end as case_mix_expected
    from scores
    left join rated on scores.tutor_id = rated.tutor_id
    left join planned on scores.tutor_id = planned.tutor_id
    left join case_mix on scores.tutor_id = case_mix.tutor_id
)

select * from final -- noqa: AM04
