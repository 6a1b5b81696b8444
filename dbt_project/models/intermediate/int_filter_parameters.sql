-- What the change filter steps with, as the last run has left it. The table is filled by int_filter_checkpoints, in the
-- transaction in which checkpoints change.

select
    checkpoint_on,
    rate_limit,
    start,
    after_a_jump,
    log_rates,
    log_complements,
    design_effect
from intermediate.filter_parameters
