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
    """Whom the conversation is with."""

    email: str | None = Field(examples=["ada@example.org"])


class Fact(BaseModel):
    """A concern that is raised, or was at the opening."""

    concern: ConcernName
    is_raised: bool = Field(description="Whether it is raised now, and counts.")
    superseded: bool = Field(description="Raised, and counted by `unreliable`: a sudden change that is confirmed.")
    change: str | None = Field(
        description="Of `getting_worse`, the rates of let-downs before and now.",
        examples=["7.0% → 30% in the last 30 days"],
    )
    sentence: str | None = Field(description="What is known today; null if nothing is known any more.")
    now: CaseConcern | None = Field(description="Today's figures; null if there are none any more.")
    opening: CaseConcern | None = Field(description="The figures at the opening; null if it was not raised then.")
    ending: str | None = Field(description="What ends it; null if it is not raised.")


class AffectedStudent(BaseModel):
    """A student with planned sessions."""

    student_id: UUID
    external_id: str | None = Field(examples=["S-17"])
    name: str | None = Field(examples=["Max Lang"])
    sessions: int = Field(ge=1, description="Planned in the 7 days after `as_of`.", examples=[2])
    next_at: AwareDatetime = Field(description="The first of them.")
    next_session_id: UUID = Field(description="The same, for `/api/sessions/{session_id}/stand-ins`.")
    is_first_meeting: bool = Field(description="Whether that is their first session with the tutor.")


class TutorMail(BaseModel):
    """A mail to the tutor, to be read over before it is sent."""

    to: str = Field(examples=["ada@example.org"])
    subject: str
    body: str


class Preparation(BaseModel):
    """What to know before a conversation with the tutor. Nothing of notes is in it."""

    case_id: CaseNumber
    tutor: PreparedTutor
    opened_on: date
    facts: list[Fact]
    patterns: list[str] = Field(
        description="In which slots the tutor lets down more than in others, in sentences; empty beside other concerns."
    )
    concessions: list[str] = Field(description="What is fair to concede, in sentences.")
    questions: list[str] = Field(description="What to ask.")
    students: list[AffectedStudent] = Field(description="Who has planned sessions in the next 7 days, by time.")
    text: str = Field(description="All of it as plain text.")
    mail: TutorMail | None = Field(description="Null if the address of the tutor is not known.")


class PreparationResponse(BaseModel):
    """The preparation of one conversation."""

    data: Preparation
    meta: Meta


class Talk(BaseModel, extra="forbid"):
    """When the conversation is to take place."""

    at: Instant = Field(description="Its start, with an offset.", examples=["2026-02-03T16:00:00+01:00"])
    minutes: int = Field(default=TALK_MINUTES, ge=5, le=480)
