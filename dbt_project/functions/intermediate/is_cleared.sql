{#
    Whether a concern that has been raised without a break up to the day before is no longer raised: needs are not met, the
    probability is below the watch level, or it has been below the level of raising for 30 days.
#}
select
    not has_needs
    or probability < {{ var('watch_probability') }}
    or (probability < {{ var('high_risk_probability') }} and days_since_high >= {{ var('concern_days') }})
