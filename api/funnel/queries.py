"""SQL of the funnel plot. Only what is drawn: thousands of points must stay a small answer."""

from api.database import VERSION, Statement, columns
from api.funnel.schemas import FunnelPoint
from api.publication import META_SQL
from api.tutors.queries import condition, versioned
from api.tutors.schemas import TutorConditions

FUNNEL = f"""
with points as (
    select {columns(FunnelPoint, "scores")}
    from marts.tutor_scores as scores
    where scores.sessions_90d > 0 and {{conditions}}
    order by scores.sessions_90d desc, scores.tutor_id
),

subjects as (
    select teaching.subject, count(*) as tutors
    from marts.tutor_scores
    cross join lateral unnest(tutor_scores.subjects) as teaching (subject)
    group by teaching.subject
    order by teaching.subject
)

select
    {VERSION},
    json_build_object(
        'data', json_build_object(
            'points', coalesce((select json_agg(points) from points), '[]'),
            'platform_let_down_rate_90d', (select let_down_rate_90d from marts.platform_baseline),
            'risk_threshold', publication.risk_threshold,
            'subjects', coalesce((select json_agg(subjects) from subjects), '[]')
        ),
        'meta', json_build_object({META_SQL})
    )
from marts.publication
"""


def funnel(conditions: TutorConditions) -> Statement:
    """Every tutor that fits, as a point."""
    fits, arguments = condition(conditions)
    return versioned(FUNNEL.replace("{conditions}", fits), arguments, conditions.team_of)
