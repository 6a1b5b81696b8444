"""What the matching endpoints take and give."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from api.bodies import WHOLE, Body
from api.fields import Id, LongText, Name, Subject
from api.publication import Meta, PageMeta
from api.tutors.schemas import Count, Fraction, SearchText
from ingest.contract import LONGEST_TEXT

TeachingStyle = Literal["structured", "flexible", "interactive"]
RiskLevel = Literal["low", "medium", "high"]
SortOrder = Literal["asc", "desc"]
Pace = Annotated[int, Field(ge=1, le=5, description="1 slow to 5 fast.", examples=[3]), WHOLE]
Communication = Annotated[int, Field(ge=1, le=5, description="1 formal to 5 casual.", examples=[4]), WHOLE]
Urgency = Annotated[int, Field(ge=1, le=5, description="1 relaxed to 5 urgent.", examples=[2]), WHOLE]
Age = Annotated[int, Field(ge=0, le=130, examples=[14]), WHOLE]
Capacity = Annotated[
    int, Field(ge=0, le=1000, description="Students the tutor can take at a time.", examples=[12]), WHOLE
]


def _fits_in_a_cell(subjects: list[str]) -> list[str]:
    if len(";".join(subjects)) > LONGEST_TEXT:
        raise ValueError(f"List should have at most {LONGEST_TEXT} characters in all")
    return subjects


Subjects = Annotated[list[Subject], AfterValidator(_fits_in_a_cell), Field(examples=[["maths", "physics"]])]


# ---- people


class MatchStudent(BaseModel):
    """A student as matching sees them: attributes as of now, history as last stored."""

    student_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["P-230"])
    name: str | None = Field(examples=["Lea Berg"])
    age: int | None = Field(examples=[14])
    subjects: list[str] = Field(examples=[["maths"]])
    preferred_teaching_style: TeachingStyle | None
    preferred_pace: int | None = Field(description="1 slow to 5 fast.", examples=[3])
    communication_style: int | None = Field(description="1 formal to 5 casual.", examples=[4])
    urgency_level: int | None = Field(description="1 relaxed to 5 urgent.", examples=[2])
    is_stub: bool = Field(description="True while the student is known only from sessions.")
    is_active: bool = Field(description="Described, and new or with a session in the last 180 days; else not matched.")
    student_first_meetings: Count = Field(description="Tutors the student had met.")
    student_continuation_rate: Fraction = Field(
        description="Estimated share of these meetings that were followed by another session in time."
    )
    last_session_on: date | None = Field(description="Day of the newest session, in the reporting zone.")


class MatchTutor(BaseModel):
    """A tutor as matching sees them: attributes as of now, history as last stored."""

    tutor_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["T-1042"])
    name: str | None = Field(examples=["Ada Novak"])
    subjects: list[str] = Field(examples=[["maths", "physics"]])
    is_active: bool = Field(description="False for tutors who left, and while known only from sessions.")
    capacity: int | None = Field(description="Students the tutor can take at a time.", examples=[12])
    age: int | None = Field(examples=[34])
    experience_years: float | None = Field(examples=[6.5])
    teaching_style: TeachingStyle | None
    preferred_pace: int | None = Field(description="1 slow to 5 fast.", examples=[3])
    communication_style: int | None = Field(description="1 formal to 5 casual.", examples=[4])
    tutor_sessions_90d: Count = Field(description="Sessions in the last 90 days.")
    tutor_reschedule_rate: Fraction = Field(description="Estimated share of sessions the tutor reschedules.")
    tutor_no_show_rate: Fraction = Field(description="Estimated share of sessions the tutor misses.")
    tutor_continuation_rate: Fraction = Field(description="Estimated share of new students who stay.")
    tutor_rating: float = Field(description="Estimated mean rating, 1-5.", examples=[4.5])
    active_students: Count = Field(description="Students with a session in the last 30 days, or scheduled.")
    free_capacity: int | None = Field(description="Capacity less active students; null if unknown.", examples=[3])


class MatchMeta(Meta):
    """The publication and the state of predictions behind an answer."""

    prediction_version: int = Field(
        description="Rises with every change of predictions, and of people through the API.", examples=[97]
    )


class MatchPageMeta(PageMeta):
    """The same behind a list, and where in the list this page is."""

    prediction_version: int = Field(
        description="Rises with every change of predictions, and of people through the API.", examples=[97]
    )


class MatchStudentList(BaseModel):
    """A page of students."""

    data: list[MatchStudent]
    meta: MatchPageMeta


class MatchStudentResponse(BaseModel):
    """One student."""

    data: MatchStudent
    meta: MatchMeta


class MatchTutorList(BaseModel):
    """A page of tutors."""

    data: list[MatchTutor]
    meta: MatchPageMeta


class MatchTutorResponse(BaseModel):
    """One tutor."""

    data: MatchTutor
    meta: MatchMeta


STUDENTS_SORTABLE = (
    "name", "age", "urgency_level", "student_first_meetings", "student_continuation_rate", "last_session_on",
)  # fmt: skip
TUTORS_SORTABLE = (
    "name", "age", "experience_years", "capacity", "free_capacity", "active_students", "tutor_sessions_90d",
    "tutor_reschedule_rate", "tutor_no_show_rate", "tutor_continuation_rate", "tutor_rating",
)  # fmt: skip


class _One:
    """Validator: one of these names. The message lists them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __call__(self, name: str) -> str:
        if name not in self._names:
            raise ValueError(f"Input should be one of: {', '.join(self._names)}")
        return name


class _Page(BaseModel, extra="forbid"):
    limit: int = Field(default=50, ge=1, le=500)
    offset: int = Field(default=0, ge=0, le=10_000_000)


class _PeopleFilters(_Page):
    search: SearchText | None = Field(
        default=None, description="Part of the name or of the external id, in upper or lower case."
    )
    subject: SearchText | None = Field(default=None, description="One of the person's subjects, spelt exactly.")
    is_active: bool | None = None
    sort_order: SortOrder = "asc"


class StudentFilters(_PeopleFilters):
    """Which students, in which order, and which page of them."""

    sort_by: Annotated[str, AfterValidator(_One(STUDENTS_SORTABLE))] = Field(
        default="name", description="Null comes last.", json_schema_extra={"enum": list(STUDENTS_SORTABLE)}
    )


class TutorMatchFilters(_PeopleFilters):
    """Which tutors, in which order, and which page of them."""

    has_capacity: bool | None = Field(
        default=None, description="Whether another student would fit; a tutor without a known capacity always can."
    )
    sort_by: Annotated[str, AfterValidator(_One(TUTORS_SORTABLE))] = Field(
        default="name", description="Null comes last.", json_schema_extra={"enum": list(TUTORS_SORTABLE)}
    )


class StudentPost(Body):
    """A new student; what is left out is unknown."""

    student_id: Id = Field(description="A UUID, or any other id.", examples=["P-231"])
    name: Name | None = Field(default=None, examples=["Lea Berg"])
    age: Age | None = None
    subjects: Subjects = Field(default=[])
    preferred_teaching_style: TeachingStyle | None = None
    preferred_pace: Pace | None = None
    communication_style: Communication | None = None
    urgency_level: Urgency | None = None
    learning_goals: LongText | None = Field(
        default=None, description="Kept, and never shown or sent to anybody by matching."
    )


class StudentPatch(Body):
    """What to change; what is left out stays, null clears."""

    age: Age | None = None
    subjects: Subjects | None = None
    preferred_teaching_style: TeachingStyle | None = None
    preferred_pace: Pace | None = None
    communication_style: Communication | None = None
    urgency_level: Urgency | None = None


class TutorPatch(Body):
    """What to change; what is left out stays, null clears."""

    age: Age | None = None
    subjects: Subjects | None = None
    is_active: bool = Field(default=True, description="An inactive tutor gets no new students; cannot be null.")
    capacity: Capacity | None = None
    teaching_style: TeachingStyle | None = None
    preferred_pace: Pace | None = None
    communication_style: Communication | None = None


# ---- predictions


class Prediction(BaseModel):
    """How likely it is that a pair does not go on after its first session."""

    student_id: UUID
    tutor_id: UUID
    churn_probability: Fraction = Field(description="Probability of no second session within 30 days of the first.")
    risk_level: RiskLevel
    compatibility_score: Fraction = Field(
        description="1 is the best fit of preferences, 0 the worst; 0.5 if no preference of the two can be compared."
    )
    pace_mismatch: float | None = Field(description="0 to 4; null if a preference is unknown.", examples=[1])
    style_mismatch: float | None = Field(description="0 same, 0.5 if either is flexible, else 1.", examples=[0.5])
    communication_mismatch: float | None = Field(description="0 to 4.", examples=[2])
    age_mismatch: float | None = Field(description="Years between the two.", examples=[20])
    model_version: str = Field(examples=["rules-v1"])
    predicted_at: AwareDatetime


class Match(Prediction):
    """A prediction, and who the other person is."""

    external_id: str | None = Field(description="The other person's id as delivered, where it was not a UUID.")
    name: str | None = Field(description="The other person's name.", examples=["Ada Novak"])
    subjects: list[str] = Field(description="The other person's subjects.", examples=[["maths"]])
    free_capacity: int | None = Field(
        description="If the other person is a tutor with a known capacity: places that are free.", examples=[3]
    )


class MatchList(BaseModel):
    """A page of the predictions for one person."""

    data: list[Match]
    meta: MatchPageMeta


class _MatchFilters(_Page):
    risk_level: list[RiskLevel] = Field(default=[], description="Any of these; may be given several times.")
    min_compatibility: float | None = Field(default=None, ge=0, le=1, description="Least compatibility_score.")
    subject: SearchText | None = Field(default=None, description="One of the other person's subjects, spelt exactly.")
    sort_by: Literal["churn_probability", "compatibility_score", "name"] = "churn_probability"
    sort_order: SortOrder | None = Field(
        default=None, description="By default the best first: asc, and desc for compatibility_score."
    )


class MatchesOfTutorFilters(_MatchFilters):
    """Which students, in which order, and which page of them."""


class MatchesOfStudentFilters(_MatchFilters):
    """Which tutors, in which order, and which page of them."""

    shares_subject: bool = Field(
        default=True,
        description="Only tutors of one of the student's subjects, if there are any; `subject` goes first.",
    )
    has_capacity: bool | None = Field(
        default=None, description="Whether another student would fit; a tutor without a known capacity always can."
    )


class PredictionModel(BaseModel):
    """What made a prediction."""

    version: str = Field(examples=["match-20260131T120004"])
    kind: Literal["model", "rules"] = Field(description="`rules` until a trained model has been promoted.")
    trained_at: AwareDatetime | None = Field(description="Null for rules.")


class Contribution(BaseModel):
    """What one feature adds to the prediction."""

    feature: str = Field(examples=["pace_mismatch"])
    label: str = Field(examples=["Difference in pace"])
    value: float | None = Field(description="Null if unknown.", examples=[3])
    contribution: float = Field(description="In log-odds of churn: above 0 raises the risk.", examples=[0.41])


class Mismatch(BaseModel):
    """How far the two are apart in one respect."""

    name: Literal["pace_mismatch", "style_mismatch", "communication_mismatch", "age_mismatch"]
    label: str = Field(examples=["Pace"])
    value: float | None = Field(description="Null if a preference is unknown.", examples=[3])
    max: float = Field(description="The most it can be, or that counts.", examples=[4])
    severity: Literal["none", "low", "medium", "high"] | None = Field(description="Null if unknown.")


class Alternative(BaseModel):
    """Another tutor of the student's subject with a free place and a lower risk."""

    tutor_id: UUID
    name: str | None = Field(examples=["Ada Novak"])
    churn_probability: Fraction
    risk_level: RiskLevel
    compatibility_score: Fraction
    free_capacity: int | None = Field(description="Null if the capacity is unknown.", examples=[3])


class MatchExplanation(BaseModel):
    """A prediction in words for both sides, with all that it rests on."""

    source: Literal["model", "rules"] = Field(
        description="Who wrote the texts: a language model, or rules on the same numbers."
    )
    for_student: str = Field(description="Two to three sentences: why the tutor suits the student or may not.")
    for_tutor: str = Field(description="Two to three sentences: what the tutor should know.")
    contributions: list[Contribution] = Field(description="Strongest first.")
    mismatches: list[Mismatch]
    alternatives: list[Alternative] = Field(description="At most three, lowest risk first.")


class PairPrediction(Prediction):
    """The prediction for one pair, and what made it."""

    student_name: str | None = Field(examples=["Lea Berg"])
    tutor_name: str | None = Field(examples=["Ada Novak"])
    is_stored: bool = Field(description="False if it was computed for this answer.")
    model: PredictionModel
    explanation: MatchExplanation | None = Field(description="Null unless asked for.")


class PairPredictionResponse(BaseModel):
    """The prediction for one pair."""

    data: PairPrediction
    meta: MatchMeta


class PredictOptions(BaseModel, extra="forbid"):
    """What beside the numbers."""

    explain: bool = Field(default=False, description="Whether to explain it; takes up to eight seconds.")


# ---- generate-all


class GenerationAccepted(BaseModel):
    """The run that predicts all pairs anew."""

    run_id: str = Field(examples=["0b5e2c8e-7f0d-4a3e-9f43-3f0c6f1f2a11"])
    status_url: str = Field(examples=["/api/matching/generate-all/0b5e2c8e-7f0d-4a3e-9f43-3f0c6f1f2a11"])


class GenerationStatus(BaseModel):
    """How far that run has come."""

    run_id: str
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None


# ---- assignments

MOST_STUDENTS = 10_000
MOST_TUTORS = 5_000


class CapacityOverride(Body):
    """How many students a tutor may get, whatever is stored."""

    tutor_id: Id = Field(examples=["T-17"])
    capacity: Annotated[int, Field(ge=0, le=1000, examples=[5]), WHOLE]


class AssignmentPair(Body):
    """A student and a tutor."""

    student_id: Id = Field(examples=["P-230"])
    tutor_id: Id = Field(examples=["T-17"])


class AssignmentRequest(Body):
    """Who is to be assigned, and under which conditions. Ids are UUIDs, or external ids as delivered."""

    student_ids: list[Id] | None = Field(
        default=None, max_length=MOST_STUDENTS, description="By default all active students."
    )
    tutor_ids: list[Id] | None = Field(
        default=None,
        max_length=MOST_TUTORS,
        description="By default all active tutors; inactive ones cannot be chosen.",
    )
    capacities: list[CapacityOverride] = Field(
        default=[], max_length=MOST_TUTORS, description="By default the free capacity of each tutor."
    )
    default_capacity: Annotated[
        int, Field(ge=0, le=1000, description="For tutors whose capacity is neither given nor known."), WHOLE
    ] = 1
    fixed: list[AssignmentPair] = Field(default=[], max_length=MOST_STUDENTS, description="Pairs that must be.")
    forbidden: list[AssignmentPair] = Field(
        default=[], max_length=10 * MOST_STUDENTS, description="Pairs that must not be."
    )
    require_subject: bool = Field(
        default=True, description="Whether the two must share a subject; a student without any fits every tutor."
    )
    exploration_share: float = Field(
        default=0, ge=0, le=1, description="Share of the students that go to tutors with little history."
    )
    seed: Annotated[
        int, Field(ge=0, le=2**32 - 1, description="The same request with it gives the same answer."), WHOLE
    ] = 0


class AssignedPair(BaseModel):
    """A student and the tutor they should get."""

    student_id: UUID
    student_name: str | None
    tutor_id: UUID
    tutor_name: str | None
    churn_probability: Fraction
    risk_level: RiskLevel
    compatibility_score: Fraction
    is_fixed: bool
    is_exploration: bool = Field(description="Given to a tutor with little history, to learn how it goes.")
    reasons: list[str] = Field(examples=[["Both prefer the same pace", "Same teaching style"]])


class UnassignedStudent(BaseModel):
    """A student without a tutor, and why."""

    student_id: UUID
    student_name: str | None
    reason: str = Field(examples=["No tutor of these subjects has a free place."])


class PlanFigures(BaseModel):
    """One figure, by how tutors are chosen under the same conditions."""

    assigned: float = Field(description="As in this answer.", examples=[41.2])
    greedy: float = Field(description="The best pair that is left, again and again.", examples=[44.7])
    random: float = Field(description="By chance.", examples=[61.0])


class Assignment(BaseModel):
    """The assignment with the least expected churn."""

    pairs: list[AssignedPair]
    unassigned: list[UnassignedStudent]
    expected_churn: PlanFigures = Field(
        description="Students expected not to go on after the first session: the sum over the pairs."
    )
    students_with_tutor: PlanFigures = Field(
        description="Pairs in all. A plan with fewer of them has less expected churn for the wrong reason."
    )
    students: Count = Field(description="Students to be assigned.")
    tutors: Count = Field(description="Tutors to choose from.")
    model_version: str = Field(description="What predicted the churn.", examples=["rules-v1"])
    seconds: float = Field(description="Time it took to compute.", examples=[1.2])
