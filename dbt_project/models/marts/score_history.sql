{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        full_refresh=false,
        pre_hook=["{{ forget_scored_days(ref('int_as_of')) }}", "{{ prefer_hash_joins() }}"],
        post_hook="{{ join_on_status_stretches(ref('int_as_of')) }}",
        indexes=[{'columns': ['as_of']}],
    )
}}

with windows as (
    select * from {{ ref('int_tutor_windows') }}
),

posteriors as (
    select * from {{ ref('int_tutor_posteriors') }}
),

quality as (
    select * from {{ ref('int_tutor_quality') }}
),

final as (
    select
        windows.tutor_id,
        windows.as_of,
        windows.sessions_90d,
        windows.tutor_reschedules_90d,
        windows.tutor_reschedules_90d::double precision / windows.sessions_90d as reschedule_rate_90d,
        posteriors.reschedule_rate_expected,
        posteriors.reschedule_rate_low,
        posteriors.reschedule_rate_high,
        posteriors.risk_probability,
        posteriors.risk_status,
        quality.quality_score,
        -- Put right by the post-hook, which sees the days before and after.
        windows.as_of as risk_status_since
    from windows
    inner join posteriors on windows.as_of = posteriors.as_of and windows.tutor_id = posteriors.tutor_id
    inner join quality on windows.as_of = quality.as_of and windows.tutor_id = quality.tutor_id
)

select * from final
