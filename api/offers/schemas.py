"""What is asked for, offered and accepted."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from api.bodies import WHOLE, Body
from api.fields import Count, Fraction, Id, Subject
from api.matching.schemas.assignments import MOST_STUDENTS, MOST_TUTORS, CapacityOverride
from ml.offers import MOST_PLACES


class OfferRequest(Body):
    """How many tutors are to be offered, and for what."""

    count: Annotated[int, Field(ge=1, le=MOST_PLACES, description="Tutors at most; fewer if fewer fit."), WHOLE] = 3
    subject: Subject | None = Field(
        default=None, description="By default, tutors of any subject of the student.", examples=["maths"]
    )
    # A UUID as text: bodies are strict.
    slate_id: str | None = Field(
        default=None,
        pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        description="A name of your own for the slate, a random UUID: asked for again under it, it is the same slate.",
        examples=["5f0c6a52-7a0e-4f5f-9d0e-6f5a4c3b2a10"],
    )


class OfferedTutor(BaseModel):
    """A tutor of a slate."""

    place: int = Field(description="1 is to be shown first.", examples=[1])
    tutor_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["T-17"])
    churn_probability: Fraction = Field(description="As predicted when it was offered.")
    propensity: float | None = Field(
        description="Probability, before the draw, of this tutor at this place; null if not known.", examples=[0.92]
    )
    accepted_at: AwareDatetime | None = Field(description="When somebody said that this tutor was chosen.")


class OfferSlate(BaseModel):
    """Tutors to be shown to a student, in this order."""

    slate_id: UUID
    student_id: UUID
    subject: str | None
    policy: Literal["model", "rules", "chance", "assignment", "by_hand"] = Field(
        description="Whose order this is, but for exploration."
    )
    model_version: str = Field(description="What predicted the churn.", examples=["rules-v1"])
    exploration_share: Fraction = Field(description="Share of such slates that are drawn otherwise.")
    is_holdout: bool = Field(description="Whether this subject and week is held out, and not offered by the model.")
    offered_at: AwareDatetime
    offers: list[OfferedTutor]


class OfferAcceptance(Body):
    """Which tutor of a slate was chosen."""

    tutor_id: Id = Field(examples=["T-17"])


class AcceptedPair(Body):
    """A pair of an assignment, as it was answered."""

    student_id: Id = Field(examples=["P-230"])
    tutor_id: Id = Field(examples=["T-17"])
    churn_probability: Fraction
    is_fixed: bool = False


class AssignmentAcceptance(Body):
    """An assignment that is accepted: what was answered, all of it or some of its pairs."""

    plan_id: str = Field(
        pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        description="Of the assignment. It is accepted once; sent again, nothing changes.",
        examples=["8d1b5f0e-53c4-4f0e-8f57-0f6b1f0f3a55"],
    )
    model_version: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$", examples=["rules-v1"])]
    exploration_share: float = Field(default=0, ge=0, le=1, description="As it was asked for.")
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="As it was asked for."), WHOLE] = 0
    pairs: list[AcceptedPair] = Field(min_length=1, max_length=MOST_STUDENTS)
    capacities: list[CapacityOverride] = Field(
        default=[], max_length=MOST_TUTORS, description="As they were asked for; by default the free capacity."
    )
    default_capacity: Annotated[
        int, Field(ge=0, le=1000, description="For tutors whose capacity is neither given nor known."), WHOLE
    ] = 1

    @model_validator(mode="after")
    def _each_student_once(self) -> "AssignmentAcceptance":
        if len({pair.student_id for pair in self.pairs}) < len(self.pairs):
            raise ValueError("names a student more than once")
        return self


class AcceptedAssignment(BaseModel):
    """What became of it."""

    plan_id: UUID
    pairs: Count = Field(description="Pairs accepted under this id.")
    is_new: bool = Field(description="False if it had been accepted before.")
