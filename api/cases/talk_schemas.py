"""What there is to know before a conversation with a tutor, and when it is to be."""

from datetime import date
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from api.cases.schemas import CaseConcern, CaseNumber, CaseTutor
from api.fields import Instant
from api.publication import Meta
from core.concerns import ConcernName

TALK_MINUTES = 30


class PreparedTutor(CaseTutor):
    """The tutor of the conversation."""

    email: str | None = Field(examples=["ada@example.org"])


class Fact(BaseModel):
    """A concern that is raised now, or was at the opening."""

    concern: ConcernName
    is_raised: bool = Field(description="Whether it is raised now and counts.")
    superseded: bool = Field(description="A sudden change that `unreliable` confirms and counts instead.")
    change: str | None = Field(
        description="For `getting_worse`: the rates of let-downs before and now.",
        examples=["7.0% → 30% in the last 30 days"],
    )
    sentence: str | None = Field(
        description="Today's facts in words, with `change` first; null if there are no data any longer."
    )
    now: CaseConcern | None = Field(description="Today's figures; null if there are none any longer.")
    opening: CaseConcern | None = Field(description="Figures at the opening; null if the concern was not raised then.")
    ending: str | None = Field(description="How it ends; null if it is not raised.")


class AffectedStudent(BaseModel):
    """A student with planned sessions."""

    student_id: UUID
    external_id: str | None = Field(examples=["S-17"])
    name: str | None = Field(examples=["Max Lang"])
    sessions: int = Field(ge=1, description="Planned from now on, to the 7th day after `as_of`.", examples=[2])
    next_at: AwareDatetime = Field(description="The first of them.")
    next_session_id: UUID = Field(description="Id of that session, for `/api/sessions/{session_id}/stand-ins`.")
    is_first_meeting: bool = Field(description="Whether it is their first session with the tutor.")


class TutorMail(BaseModel):
    """A mail to the tutor, to review before sending."""

    to: str = Field(examples=["ada@example.org"])
    subject: str
    body: str


class Preparation(BaseModel):
    """Notes for a conversation with the tutor, without the case's notes."""

    case_id: CaseNumber
    tutor: PreparedTutor
    opened_on: date
    facts: list[Fact]
    patterns: list[str] = Field(
        description="Slots in which the tutor lets down more than in others, in sentences; empty for other concerns."
    )
    concessions: list[str] = Field(description="What is fair to concede, in sentences.")
    questions: list[str] = Field(description="Questions to ask.")
    students: list[AffectedStudent] = Field(description="Students with planned sessions in the next 7 days, by time.")
    text: str = Field(description="All of it as plain text.")
    mail: TutorMail | None = Field(description="Null if the tutor's address is unknown.")


class PreparationResponse(BaseModel):
    """The preparation of one conversation."""

    data: Preparation
    meta: Meta


class Talk(BaseModel, extra="forbid"):
    """When the conversation is to take place."""

    at: Instant = Field(
        description="Start of the conversation, with an offset.", examples=["2026-02-03T16:00:00+01:00"]
    )
    minutes: int = Field(default=TALK_MINUTES, ge=5, le=480)
