with windows as (
    select * from {{ ref('int_tutor_windows') }}
),

final as (
    select
        as_of,
        (sum(rating_sum_90d) / nullif(sum(ratings_90d), 0))::double precision as platform_rating_mean
    from windows
    group by as_of
)

select * from final
