"""SQL of today's sessions."""

from api.database import Statement
from api.matching.version import MATCH_VERSION, MATCH_VERSION_QUERY, SOURCE
from api.publication import META_SQL
from api.todays_sessions.schemas import SessionCounts

# A session that was moved to today and held is held, whatever it counts as.
CONDITIONS = {
    "high": "outcome = 'planned' and risk_level = 'high'",
    "medium": "outcome = 'planned' and risk_level = 'medium'",
    "low": "outcome = 'planned' and risk_level = 'low'",
    "unknown": "outcome = 'planned' and risk_level is null",
    "held": "outcome = 'held'",
    "let_down": "outcome not in ('planned', 'held') and is_let_down",
    "other": "outcome not in ('planned', 'held') and not is_let_down",
}
COUNTS = ", ".join(f"count(*) filter (where {CONDITIONS[name]}) as {name}" for name in SessionCounts.model_fields)

TODAY = f"""
with sessions as materialized (
    select * from marts.todays_sessions
),

hours as (
    select hour, {COUNTS} from sessions group by hour order by hour
),

totals as (
    select {COUNTS} from sessions
)

select
    {MATCH_VERSION},
    json_build_object(
        'data', json_build_object(
            'timezone', publication.timezone,
            'sessions', (select count(*) from sessions),
            'totals', (select to_json(totals) from totals),
            'hours', coalesce((select json_agg(hours) from hours), '[]')
        ),
        'meta', json_build_object({META_SQL})
    )
from {SOURCE}
"""


def todays_sessions() -> Statement:
    """The sessions of the as-of day, by hour."""
    return Statement(TODAY, version_sql=MATCH_VERSION_QUERY, reads_sessions=True)
