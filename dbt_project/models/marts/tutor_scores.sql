{{
    config(
        materialized='incremental',
        batches=var('scores_per_batch'),
        key='tutor_id',
        batch_only=['peer_percentile'],
        after_batch='select marts.note_refresh()',
        gate=4,
        pre_hook=["select intermediate.take_over_day_before()", "{{ prefer_hash_joins() }}"],
        indexes=[{'columns': ['risk_status']}],
    )
}}

-- depends_on: {{ function('take_over_day_before') }}, {{ function('refresh_sessions') }}
-- depends_on: {{ function('note_refresh') }}

with scores as (
    select * from {{ ref('int_tutor_scores') }}
),

rated as (
    select
        tutor_id,
        percent_rank() over (order by quality_score) as peer_percentile
    from scores
    where risk_status <> 'insufficient_data'
),

final as (
    select
        scores.*,
        rated.peer_percentile
    from scores
    left join rated on scores.tutor_id = rated.tutor_id
)

select * from final -- noqa: AM04
