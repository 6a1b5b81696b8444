"""Groups of tutors, and who excuses."""

from pydantic import BaseModel, Field

from api.fields import Count
from api.publication import Meta
from core.fairness import CAUSED_DAYS, LEAST_TUTORS, FairnessGroup, FairnessPerson


class Fairness(BaseModel):
    """The comparisons and their conclusions."""

    sentences: list[str] = Field(description="Differences that are more than chance, and the number of comparisons.")
    days: Count = Field(description="Number of days of sessions in the comparison of excuses.", examples=[CAUSED_DAYS])
    least_tutors: Count = Field(description="Smaller groups have no figures.", examples=[LEAST_TUTORS])
    raised: list[FairnessGroup] = Field(
        description="Active tutors with enough sessions: share with a raised concern. By dimension, then level."
    )
    excused: list[FairnessGroup] = Field(
        description="Sessions that the tutor moved, cancelled or missed: share excused. By dimension."
    )
    people: list[FairnessPerson] = Field(description="People who excuse, most excuses first.")


class FairnessResponse(BaseModel):
    """The fairness audit."""

    data: Fairness
    meta: Meta
