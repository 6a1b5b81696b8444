-- Permuted blocks: of every four cases in a row that a week opens, two are talked to now. The caller holds the lock of the
-- draw (core/locks.py), so that each draw sees those before it.
select
    case
        when random() * (4 - drawn % 4) < 2 - (now_arms - 2 * (drawn / 4)) then 'now'
        else 'later'
    end
from (
    select
        count(*) as drawn,
        count(*) filter (where arm = 'now') as now_arms
    from app.cases
    where
        arm is not null
        and opened_on >= date_trunc('week', opening::timestamp)::date
        and opened_on < date_trunc('week', opening::timestamp)::date + 7
) as week
