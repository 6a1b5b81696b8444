-- The as-of day, as int_platform has left it: in its transaction everything changes that is about all tutors.
-- score_history adds the days that it records, for the time of its own transaction.
-- depends_on: {{ ref('int_as_of') }}

select
    as_of,
    is_as_of
from intermediate.scoring_days
