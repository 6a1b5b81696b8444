{{ config(severity='warn', tags=['thorough'], meta={'dagster': {'ref': {'name': 'int_score_reference'}}}) }}

-- The reference stays until `tutorq score --new-reference`. Where today's tutors differ from it, the change filter's
-- probabilities are a little off: they start from rates that are no longer usual.

with reference as (
    select * from {{ ref('int_score_reference') }}
    where reference_id is not null
),

parameters as (
    select * from {{ ref('int_filter_parameters') }}
),

today as (
    select
        masses.start,
        effect.design_effect
    from {{ ref('int_concern_priors') }} as priors
    cross join
        lateral intermediate.filter_parameters(
            priors.prior_alpha, priors.prior_beta, priors.broad_alpha, priors.broad_beta, priors.rate_limit
        ) as masses
    cross join {{ ref('int_design_effect') }} as effect
    where priors.concern = 'unreliable' and not priors.is_closed
),

differences as (
    select
        reference.reference_id,
        -- The part of the probability that lies on other rates.
        (
            select sum(abs(cells.now_mass - cells.then_mass)) / 2
            from unnest(today.start, parameters.start) as cells (now_mass, then_mass)
        ) as of_prior,
        abs(today.design_effect / reference.design_effect - 1) as of_design_effect
    from reference
    cross join parameters
    cross join today
)

select * from differences
where of_prior > {{ var('reference_tolerance') }} or of_design_effect > {{ var('reference_tolerance') }}
