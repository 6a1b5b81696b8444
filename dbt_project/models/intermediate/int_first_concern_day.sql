-- What is kept of closed days goes back to the first one that a run has looked at; intermediate.concern_priors goes
-- back by 30 days.

select min(concern_day) as first_day
from app.concern_priors
