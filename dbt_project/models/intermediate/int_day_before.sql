-- What score_history has of the day before the as-of day. The table is filled by int_platform and tutor_scores.

select
    as_of,
    tutor_id,
    risk_status,
    risk_status_since
from intermediate.day_before
