-- What app.score_reference has, or what is shipped. The table is filled by int_platform and tutor_scores, in the
-- transactions from which on it counts.

with newest as (
    select
        max(reference_id) as reference_id,
        max(reference_id) filter (where means is not null) as quality_reference_id
    from app.score_reference
),

final as (
    select
        newest.reference_id,
        of_filter.as_of,
        coalesce(of_filter.filter_prior, array{{ var('shipped_filter_prior') }}::double precision[]) as filter_prior,
        coalesce(of_filter.design_effect, {{ var('shipped_design_effect') }}) as design_effect,
        coalesce(of_quality.means, array{{ var('shipped_quality_means') }}::double precision[]) as means,
        coalesce(of_quality.covariance, array{{ var('shipped_quality_covariance') }}::double precision[])
            as covariance
    from newest
    left join app.score_reference as of_filter on newest.reference_id = of_filter.reference_id
    left join app.score_reference as of_quality on newest.quality_reference_id = of_quality.reference_id
)

select * from final
