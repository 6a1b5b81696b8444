{{ config(severity='warn', tags=['nightly'], meta={'dagster': {'ref': {'name': 'score_calibration'}}}) }}

-- Of the last year, all in all: what came is compared with what was to come.

with sums as (
    select
        sum(forecasts) as forecasts,
        sum(covered) as covered,
        sum(covered_expected) as covered_expected,
        sum(judged) as judged,
        sum(above) as above,
        sum(above_expected) as above_expected
    from {{ ref('score_calibration') }}
),

shares as (
    select parts.*
    from sums
    cross join
        lateral (
            values
            ('intervals that held what came', sums.forecasts, sums.covered, sums.covered_expected),
            ('tutors above the limit', sums.judged, sums.above, sums.above_expected)
        ) as parts (share_of, counted, came, expected)
)

select * from shares -- noqa: AM04
where
    counted >= {{ var('calibration_least') }}
    and abs(came - expected) > {{ var('calibration_tolerance') }} * counted
