"""SQL of the fairness audit: rows of `marts.fairness_groups`, and their words."""

from pydantic import BaseModel

from api.database import VERSION, Statement
from api.fairness.schemas import Fairness, FairnessResponse
from api.publication import META_SQL, Meta
from core.fairness import (
    CAUSED_DAYS,
    LEAST_TUTORS,
    FairnessGroup,
    FairnessPerson,
    GroupDimension,
    Measure,
    label,
    sentences,
)

COMPARED = "tutors, is_too_few, events, share, low, high, other_share, q_value, is_difference"
DIMENSIONS = ", ".join(f"'{dimension}'" for dimension in GroupDimension)


def _groups(measure: Measure) -> str:
    return f"""(
        select coalesce(json_agg(found order by array_position(array[{DIMENSIONS}], dimension), place, level), '[]')
        from (
            select
                dimension, level, trials, {COMPARED}, let_down_rate, other_let_down_rate,
                case when dimension in ('tenure', 'volume', 'age') then level::integer end as place
            from marts.fairness_groups where measure = '{measure}'
        ) as found
    )"""


PEOPLE = f"""(
    select coalesce(json_agg(found order by excuses desc, person), '[]')
    from (
        select
            in_case.person, in_case.trials as excuses, {", ".join(f"in_case.{name}" for name in COMPARED.split(", "))},
            given.share as given_share, given.low as given_low, given.high as given_high
        from marts.fairness_groups as in_case
        inner join marts.fairness_groups as given
            on in_case.level = given.level and given.measure = 'excuses_given'
        where in_case.measure = '{Measure.EXCUSED_IN_CASE}'
    ) as found
)"""

FAIRNESS = Statement(f"""
select
    {VERSION},
    json_build_object(
        'raised', {_groups(Measure.RAISED)},
        'excused', {_groups(Measure.EXCUSED)},
        'people', {PEOPLE},
        'meta', json_build_object({META_SQL})
    )
from marts.publication
""")


class Facts(BaseModel):
    """What the query gives."""

    raised: list[FairnessGroup]
    excused: list[FairnessGroup]
    people: list[FairnessPerson]
    meta: Meta


def describe(facts_json: bytes) -> bytes:
    """The body of the answer (`FairnessResponse`) from the body of the query (`Facts`)."""
    facts = Facts.model_validate_json(facts_json)
    raised, excused = ([_labelled(group) for group in groups] for groups in (facts.raised, facts.excused))
    data = Fairness(
        sentences=sentences(raised, excused, facts.people),
        days=CAUSED_DAYS,
        least_tutors=LEAST_TUTORS,
        raised=raised,
        excused=excused,
        people=facts.people,
    )
    return FairnessResponse(data=data, meta=facts.meta).model_dump_json().encode()


def _labelled(group: FairnessGroup) -> FairnessGroup:
    return group.model_copy(update={"label": label(group)})
