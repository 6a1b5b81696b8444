{% set _ = function('normal_cdf') %}
select
    narrow_share * intermediate.normal_cdf((rating - narrow_mean) / narrow_deviation)
    + (1 - narrow_share) * intermediate.normal_cdf((rating - broad_mean) / broad_deviation)
