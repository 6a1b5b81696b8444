"""Groups of tutors, and who excuses."""

from pydantic import BaseModel, Field

from api.fields import Count
from api.publication import Meta
from core.fairness import CAUSED_DAYS, LEAST_TUTORS, FairnessGroup, FairnessPerson


class Fairness(BaseModel):
    """What was compared, and what it says."""

    sentences: list[str] = Field(description="What is more than chance, and how much was compared.")
    days: Count = Field(description="Sessions of so many days may be excused.", examples=[CAUSED_DAYS])
    least_tutors: Count = Field(description="Smaller groups have no figures.", examples=[LEAST_TUTORS])
    raised: list[FairnessGroup] = Field(
        description="Active tutors of whom enough is known: those with a concern raised. By dimension, then level."
    )
    excused: list[FairnessGroup] = Field(
        description="Sessions that the tutor moved, cancelled or missed: those that are excused. By dimension."
    )
    people: list[FairnessPerson] = Field(description="Who excuses, most excuses first.")


class FairnessResponse(BaseModel):
    """The fairness audit."""

    data: Fairness
    meta: Meta
