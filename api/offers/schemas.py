"""What is asked for, offered and accepted."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from api.bodies import WHOLE, Body
from api.fields import Count, Fraction, Id, Subject
from api.matching.schemas.assignments import MOST_STUDENTS, MOST_TUTORS, CapacityOverride
from ml.offers import MOST_PLACES


class OfferRequest(Body):
    """The number of tutors to offer, and the subject."""

    count: Annotated[int, Field(ge=1, le=MOST_PLACES, description="Maximum number of tutors."), WHOLE] = 3
    subject: Subject | None = Field(
        default=None, description="Default: any subject of the student.", examples=["maths"]
    )
    # A UUID as text: bodies are strict.
    slate_id: str | None = Field(
        default=None,
        pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        description="Your own id for the slate, a random UUID: a repeated request with it returns the same slate.",
        examples=["5f0c6a52-7a0e-4f5f-9d0e-6f5a4c3b2a10"],
    )


class OfferedTutor(BaseModel):
    """A tutor of a slate."""

    place: int = Field(description="Position in the slate; show 1 first.", examples=[1])
    tutor_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["T-17"])
    churn_probability: Fraction = Field(description="Prediction at the time of the offer.")
    propensity: float | None = Field(
        description="Probability, before the draw, of this tutor at this place; null if not known.", examples=[0.92]
    )
    accepted_at: AwareDatetime | None = Field(description="When the choice of this tutor was reported.")


class OfferSlate(BaseModel):
    """Tutors to show to a student, in this order."""

    slate_id: UUID
    student_id: UUID
    subject: str | None
    policy: Literal["model", "rules", "chance", "assignment", "by_hand"] = Field(
        description="The order that is followed, except for exploration."
    )
    model_version: str = Field(description="Version of the model that predicted churn.", examples=["rules-v1"])
    exploration_share: Fraction = Field(description="Share of slates that do not follow this order.")
    is_holdout: bool = Field(
        description="Whether this subject and week is held out, so that the model does not decide."
    )
    offered_at: AwareDatetime
    offers: list[OfferedTutor]


class OfferAcceptance(Body):
    """Which tutor of a slate was chosen."""

    tutor_id: Id = Field(examples=["T-17"])


class AcceptedPair(Body):
    """A pair of an assignment, as in the answer."""

    student_id: Id = Field(examples=["P-230"])
    tutor_id: Id = Field(examples=["T-17"])
    churn_probability: Fraction
    is_fixed: bool = False


class AssignmentAcceptance(Body):
    """Acceptance of an assignment, with all or some of its pairs."""

    plan_id: str = Field(
        pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        description="`plan_id` of the assignment. It is accepted once; sending it again changes nothing.",
        examples=["8d1b5f0e-53c4-4f0e-8f57-0f6b1f0f3a55"],
    )
    model_version: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$", examples=["rules-v1"])]
    exploration_share: float = Field(default=0, ge=0, le=1, description="As in the request for the assignment.")
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="As in the request for the assignment."), WHOLE] = 0
    pairs: list[AcceptedPair] = Field(min_length=1, max_length=MOST_STUDENTS)
    capacities: list[CapacityOverride] = Field(
        default=[],
        max_length=MOST_TUTORS,
        description="As in the request for the assignment; default: the free capacity.",
    )
    default_capacity: Annotated[
        int, Field(ge=0, le=1000, description="For tutors without a given or known capacity."), WHOLE
    ] = 1

    @model_validator(mode="after")
    def _each_student_once(self) -> "AssignmentAcceptance":
        if len({pair.student_id for pair in self.pairs}) < len(self.pairs):
            raise ValueError("names a student more than once")
        return self


class AcceptedAssignment(BaseModel):
    """The result of accepting."""

    plan_id: UUID
    pairs: Count = Field(description="Pairs accepted with this id.")
    is_new: bool = Field(description="False if the assignment was accepted before.")
