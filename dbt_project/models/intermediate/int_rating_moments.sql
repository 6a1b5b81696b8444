-- The prior of tutors' mean ratings, by the method of moments on effective ratings n²/v. Sums are made in numeric, so
-- that the order of rows cannot change a digit.

with evidence as (
    select * from {{ ref('int_tutor_evidence') }}
    where rating_trials > 0
),

units as (
    select
        concern_day,
        rating_trials * rating_trials / rating_squares as effective,
        rating_total / rating_trials as mean,
        rating_trials - rating_squares / rating_trials as freedom,
        greatest(0, rating_total_of_squares - rating_total * rating_total / rating_trials) as scatter,
        rating_total_of_squares
    from evidence
),

sums as (
    select
        concern_day,
        count(*) as units,
        sum(effective::numeric) as effective,
        sum((effective * mean)::numeric) as total,
        sum((effective * mean * mean)::numeric) as total_of_squares,
        sum((effective * effective)::numeric) as squared,
        sum(freedom::numeric) as freedom,
        sum(scatter::numeric) as scatter,
        sum(rating_total_of_squares::numeric) as weighted_squares
    from units
    group by concern_day
),

moments as (
    select
        concern_day,
        units,
        (total / effective)::double precision as prior_mean,
        (total_of_squares - total * total / effective)::double precision as spread,
        (effective - squared / effective)::double precision as spare,
        -- Rounding leaves a trace of scatter where all ratings of each tutor are equal.
        case
            when units >= 2 and scatter > 1e-9 * greatest(weighted_squares, 1)
                then (scatter / freedom)::double precision
        end as within_variance
    from sums
),

final as (
    select
        concern_day,
        prior_mean,
        case
            when within_variance is null then {{ var('rating_fallback_spread') }} ^ 2
            else greatest({{ var('rating_least_spread') }} ^ 2, (spread - (units - 1) * within_variance) / spare)
        end::double precision as between_variance,
        coalesce(within_variance, {{ var('rating_fallback_variance') }}::double precision) as within_variance
    from moments
)

select * from final
