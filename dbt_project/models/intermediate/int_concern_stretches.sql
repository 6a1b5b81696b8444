-- What runs have kept of the days before the as-of day: int_concern_days fills the table, in its transaction.

select
    tutor_id,
    concern,
    raised_on,
    cleared_on,
    probability_when_raised,
    probability_when_cleared
from app.concern_stretches
