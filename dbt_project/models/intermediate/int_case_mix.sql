{{
    config(
        materialized='incremental',
        tags=['nightly'],
        post_hook=[
            "delete from intermediate.case_mix",
            "insert into intermediate.case_mix select tutor_id, expected from intermediate.int_case_mix",
        ],
    )
}}

-- tutor_scores reads the copy, which is there before the first night.

with slots as (
    select * from {{ ref('int_slots') }}
    where counted_on > as_of - 90
),

odds as (
    select * from {{ ref('int_case_mix_odds') }}
),

counts as (
    select
        tutor_id,
        coalesce(subject, '') as subject,
        weekday,
        daypart,
        count(*) as sessions,
        count(*) filter (where is_let_down) as let_downs
    from slots
    group by tutor_id, coalesce(subject, ''), weekday, daypart
),

cells as (
    select
        counts.*,
        of_subject.odds * of_weekday.odds * of_daypart.odds as odds
    from counts
    inner join odds as of_subject on of_subject.dimension = 'subject' and counts.subject = of_subject.level
    inner join odds as of_weekday on of_weekday.dimension = 'weekday' and counts.weekday::text = of_weekday.level
    inner join odds as of_daypart on of_daypart.dimension = 'daypart' and counts.daypart = of_daypart.level
),

-- The odds of a slot with nothing but reference levels, so that all expected let-downs are as many as came.
-- Materialized: once, and not once per cell.
base as materialized (
    select
        {{ function('base_odds') }}(
            array_agg(odds order by odds), array_agg(sessions order by odds), sum(let_downs)::double precision
        ) as odds
    from (
        select
            odds,
            sum(sessions)::double precision as sessions,
            sum(let_downs)::double precision as let_downs
        from cells
        group by odds
    ) as by_odds
),

final as (
    select
        cells.tutor_id,
        -- More digits would be those of the bisection.
        round(
            sum((cells.sessions * (base.odds * cells.odds / (1 + base.odds * cells.odds)))::numeric)
            / sum(cells.sessions),
            12
        )::double precision as expected
    from cells
    cross join base
    group by cells.tutor_id
)

select * from final
