"""Students and tutors as matching sees them, their lists, and what may be changed of them."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from api.fields import Count, Fraction
from api.paging import PageFilters
from api.people.schemas import TeachingStyle
from api.publication import Meta, PageMeta
from api.text_search import SEARCHED
from api.tutors.schemas import SearchText
from core.concerns import ConcernName

SortOrder = Literal["asc", "desc"]


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
    is_active: bool = Field(
        description="Described (not a stub), and new or with a session in the last 180 days; otherwise not matched."
    )
    student_first_meetings: Count = Field(description="Number of tutors the student has met.")
    student_pending_meetings: Count = Field(
        description="Of these, meetings without another session whose 30 days are not over."
    )
    student_continuation_rate: Fraction = Field(
        description="Estimated share of these meetings that were followed by another session in time."
    )
    student_sessions_per_pair: float = Field(
        description="Estimated sessions of the student with each tutor.", examples=[6.5]
    )
    student_rating_given: float = Field(
        description="Estimated mean of the ratings the student gave, 1-5.", examples=[4.3]
    )
    last_session_on: date | None = Field(description="Day of the newest session, in the reporting zone.")
    needs_tutor: bool = Field(
        description="No session with an active tutor in the last 30 days or planned; sessions posted since the last "
        "run count."
    )


class RaisedConcerns(BaseModel):
    """What is of concern about a tutor."""

    attention: bool = Field(description="Whether any concern about the tutor is raised.")
    concerns: list[ConcernName] = Field(description="Raised concerns, in a fixed order.")


class TutorConcerns(BaseModel):
    """The same of a row that is not about a tutor alone."""

    tutor_attention: bool = Field(description="Whether any concern about the tutor is raised.")
    tutor_concerns: list[ConcernName] = Field(description="Raised concerns, in a fixed order.")


class MatchTutor(RaisedConcerns):
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
    let_down_probability: Fraction | None = Field(
        description="Probability that the tutor moves, cancels or misses a session; null without sessions."
    )
    let_down_level: Literal["low", "medium", "high"] | None = Field(
        description="Like `risk_level` of upcoming sessions."
    )
    tutor_sessions_90d: Count = Field(
        description="Sessions planned for the last 90 days. `sessions_90d` of the scores counts a moved one on the day "
        "of its move, so the two may differ by a few."
    )
    tutor_let_down_rate: Fraction = Field(
        description="Estimated share of the sessions of 90 days that the tutor moved, cancelled or missed. A model "
        "feature; pages show `let_down_probability`."
    )
    tutor_reschedule_rate: Fraction = Field(description="Estimated share of sessions the tutor reschedules.")
    tutor_no_show_rate: Fraction = Field(description="Estimated share of sessions the tutor misses.")
    tutor_continuation_rate: Fraction = Field(description="Estimated share of new students who stay.")
    tutor_rating: float = Field(description="Estimated mean rating of 90 days, 1-5.", examples=[4.5])
    tutor_rating_all_time: float = Field(description="Estimated mean rating of all time, 1-5.", examples=[4.5])
    active_students: Count = Field(description="Students with a session in the last 30 days, or scheduled.")
    free_capacity: int | None = Field(description="Capacity less active students; null if unknown.", examples=[3])


PredictionVersion = Annotated[
    int, Field(description="Increases with every change of predictions, and of people through the API.", examples=[97])
]
PredictedAt = Annotated[
    AwareDatetime | None,
    Field(description="When all pairs were last predicted; null before the first time, when there are no matches."),
]


class MatchMeta(Meta):
    """The publication and the state of predictions behind an answer."""

    prediction_version: PredictionVersion
    predicted_at: PredictedAt


class MatchPageMeta(PageMeta):
    """The same for a list, with the position of the page."""

    prediction_version: PredictionVersion
    predicted_at: PredictedAt


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


class _PeopleFilters(PageFilters):
    search: SearchText | None = Field(default=None, description=SEARCHED)
    subject: SearchText | None = Field(default=None, description="One of the person's subjects, spelt exactly.")
    is_active: bool | None = None
    sort_order: SortOrder = "asc"


class StudentFilters(_PeopleFilters):
    """Which students, in which order, and which page of them."""

    needs_tutor: bool | None = Field(
        default=None,
        description="Only students without a session with an active tutor in the last 30 days or planned (true), or "
        "only others (false).",
    )

    sort_by: Annotated[str, AfterValidator(_One(STUDENTS_SORTABLE))] = Field(
        default="name", description="Null comes last.", json_schema_extra={"enum": list(STUDENTS_SORTABLE)}
    )


class TutorMatchFilters(_PeopleFilters):
    """Which tutors, in which order, and which page of them."""

    has_capacity: bool | None = Field(
        default=None,
        description="Only tutors with room for another student; a tutor with unknown capacity always has room.",
    )
    sort_by: Annotated[str, AfterValidator(_One(TUTORS_SORTABLE))] = Field(
        default="name", description="Null comes last.", json_schema_extra={"enum": list(TUTORS_SORTABLE)}
    )
