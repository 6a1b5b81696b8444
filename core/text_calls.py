"""SQL of calls of a language model (`app.explanation_calls`) and of the texts that it wrote (`app.explanations`).

The table is the daily budget, the single flight over all processes and the rest after failures. Its rows are added
under a lock, and no connection is held while a call lasts (decision 26). Arguments are positional, as in asyncpg and
`psycopg.RawCursor`.
"""

from core import locks

# While the language model is down, nobody waits for it, and no budget is spent on it.
REST_SECONDS = 30

# $1 key of the text.
FIND = "select body from app.explanations where cache_key = $1"
# $1 key, $2 version of the prompt, $3 the texts as JSON.
KEEP = """
insert into app.explanations (cache_key, source, prompt_version, body) values ($1, 'model', $2, $3::jsonb)
on conflict (cache_key) do nothing
"""
# Held to the end of the transaction: calls are counted and added by one process at a time.
ONE_AT_A_TIME = f"select pg_advisory_xact_lock({locks.EXPLANATION})"
# $1 key, $2 time zone of the day, $3 calls a day, $4 seconds of rest: is_under_way, is_kept, is_resting, is_spent.
STATE = """
select
    count(*) filter (where cache_key = $1 and outcome is null and ends_at > clock_timestamp()) > 0 as is_under_way,
    exists (select from app.explanations where cache_key = $1) as is_kept,
    count(*) filter (
        where (outcome = 'failed' or (outcome = 'unusable' and cache_key = $1))
            and ended_at > clock_timestamp() - make_interval(secs => $4)
    ) > 0 as is_resting,
    count(*) filter (where started_at >= date_trunc('day', clock_timestamp(), $2)) >= $3 as is_spent
from app.explanation_calls
where started_at > clock_timestamp() - interval '25 hours'
"""
# $1 key, $2 seconds that the call may last.
BEGIN = """
insert into app.explanation_calls (cache_key, ends_at) values ($1, clock_timestamp() + make_interval(secs => $2))
returning call_id
"""
# $1 the call, $2 written, unusable or failed, $3 why there is no text.
END = """
update app.explanation_calls set ended_at = clock_timestamp(), outcome = $2, reason = $3 where call_id = $1
"""
