{{ config(meta={'dagster': {'ref': {'name': 'tutor_scores'}}}) }}

-- The status of every tutor is what its sessions, its probability and the published cuts say.

with scores as (
    select * from {{ ref('tutor_scores') }}
),

publication as (
    select * from {{ ref('publication') }}
),

judged as (
    select
        scores.tutor_id,
        scores.risk_status,
        scores.is_high_risk,
        scores.sessions_to_clear,
        scores.as_of,
        scores.risk_status_since,
        case
            when scores.sessions_90d < publication.min_sessions then 'insufficient_data'
            when scores.risk_probability >= publication.high_risk_probability then 'high_risk'
            when scores.risk_probability >= publication.watch_probability then 'watch'
            else 'ok'
        end as expected_status
    from scores
    cross join publication
)

select * from judged
where
    risk_status <> expected_status
    or is_high_risk <> (risk_status = 'high_risk')
    or (sessions_to_clear is not null and risk_status not in ('watch', 'high_risk'))
    or sessions_to_clear < 1
    or risk_status_since > as_of
