"""Which tutors a group of students should get."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.bodies import WHOLE, Body
from api.fields import Count, Fraction, Id
from api.matching.schemas.people import TutorConcerns
from api.matching.schemas.predictions import RiskLevel

MOST_STUDENTS = 10_000
MOST_TUTORS = 5_000


class CapacityOverride(Body):
    """Number of students a tutor may get, in place of the stored capacity."""

    tutor_id: Id = Field(examples=["T-17"])
    capacity: Annotated[int, Field(ge=0, le=1000, examples=[5]), WHOLE]


class AssignmentPair(Body):
    """A student and a tutor."""

    student_id: Id = Field(examples=["P-230"])
    tutor_id: Id = Field(examples=["T-17"])


class AssignmentRequest(Body):
    """Students and tutors to assign, and the conditions. Ids are UUIDs, or external ids as delivered."""

    student_ids: list[Id] | None = Field(
        default=None, max_length=MOST_STUDENTS, description="Default: all active students."
    )
    needs_tutor: bool = Field(
        default=False,
        description="Without `student_ids`: only students without a session with an active tutor in 30 days or "
        "planned, and without an accepted pair since.",
    )
    tutor_ids: list[Id] | None = Field(
        default=None,
        max_length=MOST_TUTORS,
        description="Default: all active tutors; inactive ones cannot be chosen.",
    )
    capacities: list[CapacityOverride] = Field(
        default=[],
        max_length=MOST_TUTORS,
        description="Default: the free capacity of each tutor. Accepted pairs without a session yet take a place.",
    )
    default_capacity: Annotated[
        int, Field(ge=0, le=1000, description="For tutors without a given or known capacity."), WHOLE
    ] = 1
    fixed: list[AssignmentPair] = Field(
        default=[], max_length=MOST_STUDENTS, description="Pairs that the plan must contain."
    )
    forbidden: list[AssignmentPair] = Field(
        default=[], max_length=10 * MOST_STUDENTS, description="Pairs that the plan must not contain."
    )
    require_subject: bool = Field(
        default=True, description="Whether the two must share a subject; people without subjects fit everybody."
    )
    exploration_share: float = Field(
        default=0, ge=0, le=1, description="Share of students to assign to tutors with little history."
    )
    seed: Annotated[
        int,
        Field(
            ge=0,
            le=2**32 - 1,
            description="Seed of random choices: the same request with the same seed gets the same answer.",
        ),
        WHOLE,
    ] = 0


class AssignedPair(TutorConcerns):
    """A student and the tutor they should get."""

    student_id: UUID
    student_name: str | None
    tutor_id: UUID
    tutor_name: str | None
    churn_probability: Fraction
    risk_level: RiskLevel
    rank: Count = Field(
        description="Rank of the tutor by churn_probability, 1 is the lowest, among tutors who fit by subject, full "
        "or not."
    )
    rank_of: Count = Field(description="Number of these tutors.", examples=[27])
    compatibility_score: Fraction
    is_fixed: bool
    is_exploration: bool = Field(description="Assigned to a tutor with little history, to learn about them.")
    reasons: list[str] = Field(examples=[["Both prefer the same pace", "Same teaching style"]])


class UnassignedStudent(BaseModel):
    """A student without a tutor, and why."""

    student_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["P-230"])
    student_name: str | None
    subjects: list[str] = Field(examples=[["maths"]])
    why: Literal["no_eligible_tutor", "forbidden", "no_capacity", "places_taken"] = Field(
        description="Nobody teaches the subject; the request forbids all who do; they have no free place; or other "
        "students got their places."
    )
    reason: str = Field(description="The same in a sentence.", examples=["All tutors who could be chosen are full."])


class PlanFigures(BaseModel):
    """One figure for different ways to choose tutors under the same conditions."""

    assigned: float = Field(description="As in this answer.", examples=[41.2])
    greedy: float = Field(description="Repeatedly taking the best remaining pair.", examples=[44.7])
    random: float = Field(description="By chance.", examples=[61.0])


class Assignment(BaseModel):
    """The assignment with the least expected churn."""

    plan_id: UUID = Field(description="Identifies this answer when you accept it; new for each answer.")
    pairs: list[AssignedPair]
    unassigned: list[UnassignedStudent]
    expected_churn: PlanFigures = Field(
        description="Expected number of students who leave after the first session: the sum over the pairs."
    )
    students_with_tutor: PlanFigures = Field(
        description="Number of pairs. A plan with fewer pairs has less expected churn only because of that."
    )
    students: Count = Field(description="Students to be assigned.")
    tutors: Count = Field(description="Tutors to choose from.")
    model_version: str = Field(description="Version of the model that predicted churn.", examples=["rules-v1"])
    seconds: float = Field(description="Time it took to compute.", examples=[1.2])
