{{ config(tags=['nightly']) }}

with notice as (
    select * from {{ ref('tutor_notice') }}
),

edges as (
    select {{ notice_edges() }} as edges
),

bands as (
    select
        numbers.notice_band,
        -- Beyond its ends, an array has nulls.
        edges.edges[numbers.notice_band - 1] as from_hours,
        edges.edges[numbers.notice_band] as to_hours
    from edges
    cross join lateral generate_series(0, cardinality(edges.edges) + 1) as numbers (notice_band)
),

final as (
    select
        bands.notice_band,
        bands.from_hours,
        case when bands.notice_band > 0 then bands.to_hours end as to_hours,
        coalesce(sum(notice.moved), 0)::bigint as moved,
        coalesce(sum(notice.cancelled), 0)::bigint as cancelled,
        coalesce(sum(notice.called_off), 0)::bigint as called_off,
        count(notice.tutor_id) as tutors
    from bands
    left join notice on bands.notice_band = notice.notice_band
    group by bands.notice_band, bands.from_hours, bands.to_hours
)

select * from final
