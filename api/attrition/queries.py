"""SQL of the prediction for one tutor."""

from collections.abc import Sequence

from api.attrition.schemas import TutorAttrition
from api.database import Statement, columns
from api.matching.version import MATCH_META_SQL, MATCH_VERSION, MATCH_VERSION_QUERY, SOURCE
from api.paths import NO_TUTOR
from api.tutors.queries import NAMED

ATTRITION = f"""
select
    {MATCH_VERSION},
    (
        select json_build_object(
            'data', (
                select known from (
                    select {columns(TutorAttrition, "predicted")}
                    from marts.tutor_attrition as predicted
                    where predicted.tutor_id = scores.tutor_id
                ) as known
            ),
            'meta', json_build_object(
                'is_predicted', exists (select from marts.tutor_attrition), {MATCH_META_SQL}
            )
        )
        from marts.dim_tutors as scores
        where {NAMED}
        limit 1
    )
from {SOURCE}
"""


def attrition(names: Sequence[str | None]) -> Statement:
    """How probable it is that one tutor stops; the tutor need not have had a session."""
    return Statement(ATTRITION, (names,), NO_TUTOR, version_sql=MATCH_VERSION_QUERY)
