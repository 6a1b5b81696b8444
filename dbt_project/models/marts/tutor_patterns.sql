{{ config(tags=['nightly'], indexes=[{'columns': ['tutor_id']}]) }}

-- Each tutor is compared with the tutor's own other sessions, so that a tutor with many let-downs has no pattern by
-- that alone; the platform, in rows without a tutor, with its own.
-- depends_on: {{ ref('dim_tutors') }}

with slots as (
    select * from {{ ref('int_slots') }}
),

reference as (
    select * from {{ ref('int_score_reference') }}
),

counts as (
    select
        slots.tutor_id,
        cell.dimension,
        cell.level,
        count(*) as sessions,
        count(*) filter (where slots.is_let_down) as let_downs,
        max(slots.as_of) as as_of
    from slots
    cross join
        lateral (
            values
            ('weekday', slots.weekday::text),
            ('daypart', slots.daypart),
            ('subject', slots.subject),
            ('lesson', case when slots.is_first then 'first' else 'repeated' end)
        ) as cell (dimension, level)
    where cell.level is not null
    group by grouping sets ((slots.tutor_id, cell.dimension, cell.level), (cell.dimension, cell.level))
),

totals as (
    select
        tutor_id,
        count(*) as sessions,
        count(*) filter (where is_let_down) as let_downs
    from slots
    group by grouping sets ((tutor_id), ())
),

cells as (
    select
        counts.*,
        totals.sessions as sessions_in_all,
        totals.let_downs as let_downs_in_all,
        counts.sessions * totals.let_downs::double precision / totals.sessions as let_downs_expected,
        totals.let_downs::double precision / totals.sessions as rate_in_all
    from counts
    inner join totals on counts.tutor_id is not distinct from totals.tutor_id
    where
        counts.sessions >= {{ var('pattern_least_sessions') }}
        and counts.sessions < totals.sessions
        and totals.let_downs >= {{ var('pattern_least_let_downs') }}
        and totals.let_downs < totals.sessions
),

-- By the hypergeometric distribution, that of drawing so many sessions from all of the tutor's, widened by the design
-- effect.
tested as (
    select
        cells.*,
        {{ function('normal_cdf') }}(
            -(cells.let_downs - cells.let_downs_expected - 0.5) / sqrt(
                reference.design_effect * cells.let_downs_expected * (1 - cells.rate_in_all)
                * (cells.sessions_in_all - cells.sessions) / (cells.sessions_in_all - 1)
            )
        ) as p_value
    from cells
    cross join reference
),

-- Benjamini and Hochberg (JRSS B 57, 1995), over all cells of tutors, and over those of the platform.
ranked as (
    select
        *,
        p_value * count(*) over (partition by tutor_id is null)
        / count(*) over (partition by tutor_id is null order by p_value) as false_share_so_far
    from tested
),

adjusted as (
    select
        *,
        least(1, min(false_share_so_far) over (partition by tutor_id is null order by p_value desc)) as q_value
    from ranked
),

final as (
    select
        coalesce(tutor_id::text, 'platform') || ' ' || dimension || ' ' || level as pattern_key,
        tutor_id,
        as_of,
        dimension,
        level,
        sessions,
        let_downs,
        let_downs::double precision / sessions as rate,
        sessions_in_all - sessions as other_sessions,
        let_downs_in_all - let_downs as other_let_downs,
        (let_downs_in_all - let_downs)::double precision / (sessions_in_all - sessions) as other_rate,
        (let_downs + {{ var('pattern_prior_sessions') }} * rate_in_all)
        / (sessions + {{ var('pattern_prior_sessions') }}) as rate_expected,
        p_value,
        q_value,
        q_value <= {{ var('pattern_false_share') }} as is_pattern
    from adjusted
)

select * from final
