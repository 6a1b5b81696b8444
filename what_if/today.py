"""The as-of day with the settings of a shadow, against what is published."""

from typing import Any, Final

from core.concerns import ConcernName
from what_if.shadow import Shadow

MOST_CHANGES: Final = 1000
ORDER: Final = list(ConcernName)

# By the name of a table in quotes, the published one is meant, and not the shadow.
BY_CONCERN = """
select
    concern,
    count(*) filter (where is_raised_now) as raised_now,
    count(*) filter (where is_raised_then) as raised_then,
    count(*) filter (where is_raised_then and not is_raised_now) as raised,
    count(*) filter (where is_raised_now and not is_raised_then) as cleared
from compared
group by concern
"""
COMPARED = """
create temporary table compared on commit drop as
select
    coalesce(published.tutor_id, wanted.tutor_id) as tutor_id,
    coalesce(published.concern, wanted.concern) as concern,
    coalesce(published.status = 'raised' and not published.superseded, false) as is_raised_now,
    coalesce(wanted.status = 'raised' and not wanted.superseded, false) as is_raised_then,
    published.status as status_now,
    wanted.status as status_then,
    published.probability as probability_now,
    wanted.probability as probability_then
from "marts" . "tutor_concerns" as published
full join marts.tutor_concerns as wanted
    on published.tutor_id = wanted.tutor_id and published.concern = wanted.concern
"""
CHANGES = """
select tutor_id::text, concern, is_raised_then, status_now, status_then, probability_now, probability_then
from compared
where is_raised_now <> is_raised_then
order by is_raised_then desc, abs(coalesce(probability_then, 0) - coalesce(probability_now, 0)) desc, tutor_id, concern
limit %s
"""
TUTORS = """
select
    count(*) filter (where raised_now) as raised_now,
    count(*) filter (where raised_then) as raised_then
from (
    select bool_or(is_raised_now) as raised_now, bool_or(is_raised_then) as raised_then
    from compared
    group by tutor_id
) as tutors
"""
QUALITY = """
select
    count(*) filter (where wanted.quality_score is distinct from published.quality_score) as changed,
    count(wanted.quality_score) as scored,
    coalesce(max(abs(wanted.quality_score - published.quality_score)), 0) as greatest_change
from "marts" . "tutor_scores" as published
inner join marts.tutor_scores as wanted on published.tutor_id = wanted.tutor_id
"""
PUBLISHED = 'select as_of, generation from "marts" . "publication"'


def compare(shadow: Shadow) -> dict[str, Any]:
    """Who would be raised or cleared today: tutors, concerns, quality scores; as JSON.

    changes: at most 1,000 concerns that would be raised or cleared, the greatest differences first.
    """
    shadow.execute(COMPARED)
    tutors = shadow.execute(TUTORS).fetchone() or (0, 0)
    quality = shadow.execute(QUALITY).fetchone() or (0, 0, 0)
    by_concern = sorted(shadow.execute(BY_CONCERN).fetchall(), key=lambda row: ORDER.index(row[0]))
    names = ("raised_now", "raised_then", "raised", "cleared")
    return {
        "raised_now": tutors[0],
        "raised_then": tutors[1],
        "by_concern": [
            {"concern": concern, **dict(zip(names, counts, strict=True))} for concern, *counts in by_concern
        ],
        "changes": [
            {
                "tutor_id": tutor_id,
                "concern": concern,
                "change": "raised" if is_raised_then else "cleared",
                "status_now": status_now,
                "status_then": status_then,
                "probability_now": probability_now,
                "probability_then": probability_then,
            }
            for tutor_id, concern, is_raised_then, status_now, status_then, probability_now, probability_then in (
                shadow.execute(CHANGES, [MOST_CHANGES]).fetchall()
            )
        ],
        "quality": dict(zip(("changed", "scored", "greatest_change"), quality, strict=True)),
    }
