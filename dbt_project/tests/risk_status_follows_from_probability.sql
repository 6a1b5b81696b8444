{{ config(meta={'dagster': {'ref': {'name': 'tutor_scores'}}}) }}

-- The status of every tutor is what its sessions, its probability and the published cuts say: at the level of watching
-- it may be held by the days before.

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
        scores.attention,
        scores.concerns,
        scores.as_of,
        scores.risk_status_since,
        case
            when scores.sessions_90d < publication.min_sessions or scores.risk_probability is null
                then array['insufficient_data']
            when scores.risk_probability >= publication.high_risk_probability then array['high_risk']
            when scores.risk_probability >= publication.watch_probability then array['watch', 'high_risk']
            else array['ok']
        end as possible_statuses
    from scores
    cross join publication
)

select * from judged
where
    risk_status <> all(possible_statuses)
    or is_high_risk <> (risk_status = 'high_risk')
    or is_high_risk <> ('unreliable' = any(concerns))
    or attention <> (cardinality(concerns) > 0)
    or risk_status_since > as_of
