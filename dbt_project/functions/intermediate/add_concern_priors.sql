{% set _ = function('rate_cells') %}
declare
    kept boolean := closed and exists (select from app.concern_priors where concern_day = day);
begin
    insert into intermediate.concern_priors
    select
        day,
        closed,
        parameters.concern,
        parameters.rate_limit,
        parameters.prior_alpha,
        parameters.prior_beta,
        parameters.broad_alpha,
        parameters.broad_beta,
        cells.log_masses,
        cells.log_rates,
        cells.log_complements,
        parameters.rating_mean,
        parameters.between_variance,
        parameters.within_variance
    from intermediate.int_concern_parameters as parameters
    left join lateral intermediate.rate_cells(
        parameters.prior_alpha, parameters.prior_beta, parameters.broad_alpha, parameters.broad_beta, parameters.possible_limit
    ) as cells on parameters.concern <> 'low_ratings'
    where parameters.concern_day = day and parameters.is_kept = kept;
end
