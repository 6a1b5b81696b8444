{{ config(materialized='view') }}

-- A tutor needs attention for as long as any concern is raised: of several, or of one that follows on the other, one
-- period. On the first day that was looked at, nobody knows who began then, so the weeks begin with the one after it.

with flags as (
    select * from {{ ref('tutor_flags') }}
    where cleared_on is null or cleared_on > raised_on
),

as_of as (
    select as_of from {{ ref('int_as_of') }}
),

looked_at as (
    select first_day from {{ ref('int_first_concern_day') }}
    where first_day is not null
),

covered as (
    select
        tutor_id,
        raised_on,
        coalesce(cleared_on, 'infinity') as cleared_on,
        max(coalesce(cleared_on, 'infinity')) over (
            partition by tutor_id
            order by raised_on, flag_key
            rows between unbounded preceding and 1 preceding
        ) as covered_until
    from flags
),

numbered as (
    select
        *,
        count(*) filter (where covered_until is null or raised_on > covered_until) over (
            partition by tutor_id
            order by raised_on
        ) as period
    from covered
),

periods as (
    select
        tutor_id,
        min(raised_on) as began_on,
        max(cleared_on) as ended_on
    from numbered
    group by tutor_id, period
),

weeks as (
    select
        mondays.monday::date as week_start,
        least(mondays.monday::date + 6, as_of.as_of) as last_day,
        mondays.monday::date + 7 <= as_of.as_of as is_complete
    from as_of
    cross join looked_at
    cross join
        lateral generate_series(
            greatest(
                {{ week_of('looked_at.first_day') }} + 7,
                {{ week_of('as_of.as_of') }} - 7 * ({{ var('attention_weeks') }} - 1)
            )::timestamp,
            {{ week_of('as_of.as_of') }}::timestamp,
            '7 days'
        ) as mondays (monday)
    where exists (select from periods)
),

final as (
    select
        weeks.week_start,
        weeks.is_complete,
        count(*) filter (where periods.began_on between weeks.week_start and weeks.last_day) as began,
        count(*) filter (where periods.ended_on between weeks.week_start and weeks.last_day) as ended,
        count(*) filter (where periods.began_on <= weeks.last_day and periods.ended_on > weeks.last_day) as tutors
    from weeks
    cross join periods
    group by weeks.week_start, weeks.is_complete
)

select * from final
