"""Tutors and students as they are sent, and as they are stored. Their fields are the columns of landing files."""

import re
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field, WithJsonSchema

from api.bodies import WHOLE, Body, whole
from api.fields import Id, LongText, Name, Subject
from api.paging import PageFilters, PagePlace
from api.problems import FieldError
from api.text_search import SEARCHED
from ingest.cells import EMAIL, read_email
from ingest.contract import LONGEST_ID, LONGEST_TEXT, NO_NUL, NOT_BLANK, TUTORS
from ingest.posts import LARGEST_NUMBER

MAX_SEARCH = 200
EXPERIENCE = TUTORS.column("experience_years")

TeachingStyle = Literal["structured", "flexible", "interactive"]
Pace = Annotated[int, Field(ge=1, le=5, description="1 slow to 5 fast.", examples=[3]), WHOLE]
Communication = Annotated[int, Field(ge=1, le=5, description="1 formal to 5 casual.", examples=[4]), WHOLE]
Urgency = Annotated[int, Field(ge=1, le=5, description="1 relaxed to 5 urgent.", examples=[2]), WHOLE]
Age = Annotated[int, Field(ge=0, le=130, examples=[14]), WHOLE]
Capacity = Annotated[
    int, Field(ge=0, le=1000, description="Students the tutor can take at a time.", examples=[12]), WHOLE
]
Experience = Annotated[float, Field(ge=EXPERIENCE.low, le=EXPERIENCE.high, examples=[6.5])]


def _fits_in_a_cell(subjects: list[str]) -> list[str]:
    if len(";".join(subjects)) > LONGEST_TEXT:
        raise ValueError(f"List should have at most {LONGEST_TEXT} characters in all")
    return subjects


Subjects = Annotated[list[Subject], AfterValidator(_fits_in_a_cell), Field(examples=[["maths", "physics"]])]


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _read_day(value: object) -> object:
    # The models are strict, and JSON has no dates. Python also reads `2026-W05-6`.
    return date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else value


Day = Annotated[date, BeforeValidator(_read_day), Field(examples=["2024-09-01"])]


def number_as_text(value: object) -> object:
    """A whole number, `12` or `12.0`, as the id that it is; anything else as it is."""
    value = whole(value)
    is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER
    return str(value) if is_number else value


PersonId = Annotated[
    Id,
    BeforeValidator(number_as_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": LONGEST_ID, "pattern": NOT_BLANK},
                {"type": "integer", "exclusiveMinimum": -LARGEST_NUMBER, "exclusiveMaximum": LARGEST_NUMBER},
            ]
        }
    ),
]


def _read_email(text: str) -> str | None:
    """As a landing file has it: `Ada <ada@novak.example>` is the address, `none` is empty."""
    if re.fullmatch(EMAIL, text):
        return text
    reading = read_email(text)
    if reading is None:
        raise ValueError("Input should be one e-mail address such as ada@example.org")
    return reading.text


Email = Annotated[Name, AfterValidator(_read_email)]
IsActive = Annotated[bool, Field(description="False for tutors who left: they get no new students; cannot be null.")]


class StudentPreferences(Body):
    """Fields for matching to change; others stay, null clears."""

    age: Age | None = None
    subjects: Subjects | None = None
    preferred_teaching_style: TeachingStyle | None = None
    preferred_pace: Pace | None = None
    communication_style: Communication | None = None
    urgency_level: Urgency | None = None


class StudentPatch(StudentPreferences):
    """Fields to change; others stay, null clears."""

    name: Name | None = Field(default=None, examples=["Lea Berg"])
    learning_goals: LongText | None = Field(default=None, description="Stored; matching never shows or sends it.")


class StudentPost(StudentPatch):
    """A student; a missing field is unknown, or in a batch stays unchanged."""

    student_id: PersonId = Field(description="A UUID, or any other id.", examples=["P-231"])


class TutorPreferences(Body):
    """Fields for matching to change; others stay, null clears."""

    age: Age | None = None
    subjects: Subjects | None = None
    is_active: IsActive = True
    capacity: Capacity | None = None
    teaching_style: TeachingStyle | None = None
    preferred_pace: Pace | None = None
    communication_style: Communication | None = None


class TutorPatch(TutorPreferences):
    """Fields to change; others stay, null clears."""

    name: Name | None = Field(default=None, examples=["Ada Novak"])
    email: Email | None = Field(
        default=None, description="Address for the monthly snapshot.", examples=["ada.novak@example.org"]
    )
    hired_at: Day | None = None
    experience_years: Experience | None = None
    time_zone: Name | None = Field(
        default=None, description="The tutor's time zone; a group of the fairness audit.", examples=["Europe/Vienna"]
    )


class TutorPost(TutorPatch):
    """A tutor; a missing field is unknown, or in a batch stays unchanged."""

    tutor_id: PersonId = Field(description="A UUID, or any other id.", examples=["T-17"])


class _Record(BaseModel):
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["P-230"])
    name: str | None = Field(examples=["Lea Berg"])
    age: int | None = Field(examples=[14])
    subjects: list[str] = Field(examples=[["maths"]])
    preferred_pace: int | None = Field(description="1 slow to 5 fast.", examples=[3])
    communication_style: int | None = Field(description="1 formal to 5 casual.", examples=[4])
    is_stub: bool = Field(description="True while the person is known only from sessions.")
    created_at: AwareDatetime
    updated_at: AwareDatetime = Field(description="When the content last changed.")


class StudentRecord(_Record):
    """A student as stored."""

    student_id: UUID
    preferred_teaching_style: TeachingStyle | None
    urgency_level: int | None = Field(description="1 relaxed to 5 urgent.", examples=[2])
    learning_goals: str | None


class TutorRecord(_Record):
    """A tutor as stored."""

    tutor_id: UUID
    email: str | None = Field(examples=["ada.novak@example.org"])
    is_active: bool
    hired_at: date | None
    capacity: int | None = Field(description="Students the tutor can take at a time.", examples=[12])
    experience_years: float | None = Field(examples=[6.5])
    teaching_style: TeachingStyle | None
    time_zone: str | None = Field(examples=["Europe/Vienna"])


class StudentRecordResponse(BaseModel):
    """One student."""

    data: StudentRecord


class TutorRecordResponse(BaseModel):
    """One tutor."""

    data: TutorRecord


class StudentRecordFilters(PageFilters):
    """Which students, and which page of them."""

    search: Annotated[str, Field(min_length=1, max_length=MAX_SEARCH, pattern=NO_NUL)] | None = Field(
        default=None, description=SEARCHED
    )
    subject: Annotated[str, Field(min_length=1, max_length=MAX_SEARCH, pattern=NO_NUL)] | None = Field(
        default=None, description="One of the student's subjects, spelt exactly."
    )
    is_stub: bool | None = Field(default=None, description="Whether the student is known only from sessions.")


class StudentRecordList(BaseModel):
    """A page of students, by name."""

    data: list[StudentRecord]
    meta: PagePlace


PersonStatus = Literal["created", "updated", "duplicate", "rejected"]


class _BatchRow(BaseModel):
    status: PersonStatus
    errors: list[FieldError] = Field(default_factory=list, description="Only for a rejected row.")


class StudentBatchRow(_BatchRow):
    """Result for one row."""

    student_id: str | None = Field(description="As delivered; null if it could not be read.", examples=["P-231"])


class TutorBatchRow(_BatchRow):
    """Result for one row."""

    tutor_id: str | None = Field(description="As delivered; null if it could not be read.", examples=["T-17"])


class _BatchReceipt(BaseModel):
    created: int = Field(description="Rows about people who are new, or were known only from sessions.", examples=[2])
    updated: int = Field(description="Rows that changed a person.", examples=[40])
    duplicate: int = Field(description="Rows that changed nothing: the same version is already stored.", examples=[57])
    rejected: int = Field(description="Refused rows; they are in quarantine.", examples=[1])


class StudentBatchReceipt(_BatchReceipt):
    """Results of a batch."""

    rows: list[StudentBatchRow] = Field(description="In the order sent.")


class TutorBatchReceipt(_BatchReceipt):
    """Results of a batch."""

    rows: list[TutorBatchRow] = Field(description="In the order sent.")
