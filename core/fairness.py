"""Groups of tutors beside all others, in words that a lead reads. Nothing is computed here."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from core.words import percent, plural

Share = Annotated[float, Field(ge=0, le=1, examples=[0.14])]
Number = Annotated[int, Field(ge=0)]

# The vars of dbt_project.yml; where bands begin after the first.
LEAST_TUTORS = 20
CAUSED_DAYS = 180
TENURE_BANDS = (90, 365, 1095)
VOLUME_BANDS = (20, 60, 150)
AGE_BANDS = (25, 40, 55)

TENURES = {"0": "under 3 months", "90": "3 to 12 months", "365": "1 to 3 years", "1095": "3 years or more"}


class Measure(StrEnum):
    """What is compared: tutors with a concern raised, sessions that are excused, excuses given in an open case."""

    RAISED = "raised"
    EXCUSED = "excused"
    EXCUSED_IN_CASE = "excused_in_case"


class GroupDimension(StrEnum):
    """How tutors are grouped."""

    ALL = "all"
    SUBJECT = "subject"
    TENURE = "tenure"
    VOLUME = "volume"
    TIME_ZONE = "time_zone"
    AGE = "age"


class Compared(BaseModel):
    """Some share beside that of all others."""

    tutors: Number = Field(description="Number of tutors with data.", examples=[64])
    is_too_few: bool = Field(description="Fewer than 20 tutors: figures are null.")
    events: Number | None = Field(description="Number of events among the trials.", examples=[9])
    share: Share | None = Field(description="events / trials.")
    low: Share | None = Field(description="Lower end of its 95% interval.", examples=[0.08])
    high: Share | None = Field(description="Upper end of its 95% interval.", examples=[0.25])
    other_share: Share | None = Field(description="Share of all others; null without a comparison.", examples=[0.07])
    q_value: Share | None = Field(
        description="Expected share of false ones among all differences as large; null without a comparison.",
        examples=[0.04],
    )
    is_difference: bool = Field(description="More than chance: q_value is at most 0.1.")


class FairnessGroup(Compared):
    """Tutors with something in common: rows of `marts.fairness_groups`."""

    dimension: GroupDimension
    level: str = Field(description="The group; for bands, their lower end.", examples=["60"])
    label: str = Field(default="", description="The same in words.", examples=["60 to 149"])
    trials: Number = Field(description="Number of tutors or sessions.", examples=[64])
    let_down_rate: Share | None = Field(
        default=None, description="For raised concerns: let-downs per session in 90 days.", examples=[0.09]
    )
    other_let_down_rate: Share | None = Field(default=None, description="The same of all others.", examples=[0.06])


class FairnessPerson(Compared):
    """A person who excuses; events are excuses given while the tutor had an open case."""

    person: str = Field(description="As in the audit log.", examples=["Ann Lee (person 3)"])
    excuses: Number = Field(description="Excused sessions of the last 180 days.", examples=[31])
    given_share: Share | None = Field(description="Share of all excuses.", examples=[0.4])
    given_low: Share | None = Field(description="Lower end of its 95% interval.", examples=[0.3])
    given_high: Share | None = Field(description="Upper end of its interval.", examples=[0.52])


def label(group: FairnessGroup) -> str:
    """`Maths`, `3 to 12 months`, `20 to 59`, `under 25`."""
    match group.dimension:
        case GroupDimension.ALL:
            return "All tutors"
        case GroupDimension.TENURE:
            return TENURES[group.level]
        case GroupDimension.VOLUME:
            return _band(int(group.level), VOLUME_BANDS)
        case GroupDimension.AGE:
            return _band(int(group.level), AGE_BANDS)
        case _:
            return group.level


def sentences(
    raised: Sequence[FairnessGroup], excused: Sequence[FairnessGroup], people: Sequence[FairnessPerson]
) -> list[str]:
    """What is more than chance, and how much was compared; the first sentence is the most important."""
    found: list[Compared] = [*raised, *excused, *people]
    compared = sum(each.q_value is not None for each in found)
    small = sum(each.is_too_few for each in found)
    if not compared:
        return [
            f"Nothing can be compared yet: a group needs {LEAST_TUTORS} tutors, so do all others together, and some of "
            f"them must be raised or excused."
        ]
    said = [
        *(_raised(group) for group in raised if group.is_difference),
        *(_excused(group) for group in excused if group.is_difference),
        *(_excuses(person) for person in people if person.is_difference),
    ]
    counted = f"{plural(compared, 'comparison')}" + (
        f"; {plural(small, 'group')} with fewer than {LEAST_TUTORS} tutors left out." if small else "."
    )
    if not said:
        return ["No difference is more than chance.", counted]
    return [*said, f"{counted} About one in ten differences named here may be chance."]


def _raised(group: FairnessGroup) -> str:
    return (
        f"{_who(group)}: {percent(group.share)} have a concern raised ({percent(group.low)} to {percent(group.high)}), "
        f"other tutors {percent(group.other_share)}. Let-downs: {percent(group.let_down_rate)} of their sessions, of "
        f"others' {percent(group.other_let_down_rate)}."
    )


def _excused(group: FairnessGroup) -> str:
    return (
        f"{_who(group)}: {percent(group.share)} of the sessions that they moved, cancelled or missed are excused "
        f"({percent(group.low)} to {percent(group.high)}), of other tutors' {percent(group.other_share)}."
    )


def _excuses(person: FairnessPerson) -> str:
    return (
        f"{person.person}: {percent(person.share)} of their excuses were given while the tutor had an open case "
        f"({percent(person.low)} to {percent(person.high)}), of other people's {percent(person.other_share)}."
    )


def _who(group: FairnessGroup) -> str:
    match group.dimension:
        case GroupDimension.SUBJECT:
            return f"Tutors who mostly teach {group.level}"
        case GroupDimension.TENURE:
            return f"Tutors hired {label(group)} ago"
        case GroupDimension.VOLUME:
            return f"Tutors with {label(group)} sessions in 90 days"
        case GroupDimension.TIME_ZONE:
            return f"Tutors in {group.level}"
        case GroupDimension.AGE:
            return f"Tutors aged {label(group)}"
        case GroupDimension.ALL:
            return "All tutors"


def _band(first: int, bands: Sequence[int]) -> str:
    after = [band for band in bands if band > first]
    if first == 0:
        return f"under {after[0]}"
    return f"{first} to {after[0] - 1}" if after else f"{first} or more"
