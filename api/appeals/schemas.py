"""What the endpoints of appeals take and give."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints, model_validator

from api.bodies import Body
from api.fields import Count, Id
from api.paging import PageFilters
from api.publication import PageMeta
from api.tutors.schemas import SearchText
from core.appeals import LONGEST_ANSWER, LONGEST_TEXT, AppealReason, AppealState, Happened, Remedy
from core.concerns import ConcernName
from ingest.contract import NOT_BLANK

MOST_SESSIONS = 50
GREATEST_ID = 2**63 - 1

AppealNumber = Annotated[int, Field(ge=1, le=GREATEST_ID, examples=[12])]
AppealText = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_TEXT, pattern=NOT_BLANK), AfterValidator(str.strip)
]
Answer = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_ANSWER, pattern=NOT_BLANK), AfterValidator(str.strip)
]


class Objection(Body):
    """What is wrong: with sessions that count against the tutor, or with a raised concern as a whole."""

    session_ids: list[Id] = Field(default=[], max_length=MOST_SESSIONS, description="UUIDs, or ids as delivered.")
    concern: ConcernName | None = Field(default=None, strict=False, description="A concern that is raised now.")
    reason: AppealReason = Field(strict=False)
    text: AppealText = Field(description="In the tutor's words.", examples=["My bus broke down; I called the office."])

    @model_validator(mode="after")
    def _is_about_one_thing(self) -> Self:
        if bool(self.session_ids) == (self.concern is not None):
            raise ValueError("send either session_ids or concern")
        return self


class AppealPost(Objection):
    """An appeal on behalf of a tutor, as a marketplace's own pages send it."""

    tutor_id: Id = Field(description="UUID, or the external id as delivered.")


class Correction(Body):
    """What is done about one session."""

    session_id: UUID = Field(strict=False)
    remedy: Remedy = Field(strict=False, description="`excused`: its record stays, and no longer counts.")
    status: Literal["completed", "cancelled", "no_show"] | None = Field(
        default=None, description="Of a corrected one: what became of it."
    )
    caused_by: Literal["student", "platform"] | None = Field(
        default=None, description="Of a corrected one: who moved, cancelled or missed it."
    )
    began_on_time: bool = Field(default=False, description="Of a corrected one: it did not start late.")

    @model_validator(mode="after")
    def _corrects_something(self) -> Self:
        corrects = self.status is not None or self.caused_by is not None or self.began_on_time
        if corrects != (self.remedy is Remedy.CORRECTED):
            raise ValueError("corrected goes with status, caused_by or began_on_time; excused with none of these")
        return self


class DecisionPost(Body):
    """A decision about an open appeal, and what the tutor is told."""

    decision: Literal["granted", "declined"]
    answer: Answer = Field(description="The reasons, for the tutor.", examples=["You are right: the app was down."])
    sessions: list[Correction] = Field(
        default=[],
        max_length=MOST_SESSIONS,
        description="What changes. Of an appeal about a concern, any session that counts against the tutor.",
    )

    @model_validator(mode="after")
    def _changes_what_is_granted(self) -> Self:
        if self.decision == "declined" and self.sessions:
            raise ValueError("sessions go with granted")
        if len({each.session_id for each in self.sessions}) < len(self.sessions):
            raise ValueError("sessions has one of them twice")
        return self


class AppealTutor(BaseModel):
    """Whose appeal it is."""

    tutor_id: UUID
    external_id: str | None = Field(description="The id as delivered.", examples=["T-1042"])
    name: str | None = Field(examples=["Ada Novak"])


class AppealFields(BaseModel):
    """An appeal as it is stored."""

    appeal_id: AppealNumber
    state: AppealState
    concern: ConcernName | None = Field(description="Null if it is about sessions.")
    reason: AppealReason
    created_by: str = Field(description="`tutor`, or who sent it for them.", examples=["tutor"])
    created_at: AwareDatetime
    due_on: date = Field(description="The last day for an answer, in the reporting zone.")
    settled_at: AwareDatetime | None = Field(description="When it was decided or withdrawn.")
    answer: str | None = Field(
        description="What the tutor was told; null while it is open, for the role `read`, and once it was deleted."
    )
    text: str | None = Field(description="In the tutor's words; null for the role `read`, and once it was deleted.")
    forgotten_at: AwareDatetime | None = Field(
        description="When text and answer were deleted; null while they are kept."
    )


class Appeal(AppealFields):
    """One appeal, as a row of the list."""

    tutor: AppealTutor
    sessions: Count = Field(description="Sessions that it is about; 0 if it is about a concern.")
    is_overdue: bool = Field(description="It is open, and the last day for an answer is over.")
    decided_by: str | None = Field(description="Who decided; null while nobody has.", examples=["Ann Lee"])
    case_id: int | None = Field(description="The tutor's open case; null if there is none.")


class AppealSession(BaseModel):
    """A session that an appeal is about, as it stands now."""

    session_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["S-1042"])
    happened: Happened = Field(description="What the record said when the appeal was sent.")
    remedy: Remedy | None = Field(description="What granting it has changed.")
    scheduled_time: AwareDatetime | None = Field(description="Null if the session was deleted.")
    subject: str | None = Field(examples=["maths"])
    notice_hours: float | None = Field(description="Hours between the change and the session.", examples=[3.5])
    reason_code: str | None = Field(examples=["illness"])
    is_excused: bool


class AppealDetail(Appeal):
    """One appeal with its sessions, and whether the caller may decide it."""

    appealed: list[AppealSession] = Field(description="What it is about, by time.")
    candidates: list[AppealSession] = Field(
        description="Of an open appeal about a concern: sessions that count against the tutor, the newest 50."
    )
    may_decide: bool
    why_not: str | None = Field(
        description="Why the caller may not decide it; null if they may, or if it is settled.",
        examples=["You look after the tutor's case. Somebody else decides."],
    )
    recipient: str | None = Field(description="Where the answer is mailed; null: the tutor has no e-mail address.")


class AppealResponse(BaseModel):
    """One appeal."""

    data: AppealDetail


class AppealFilters(PageFilters):
    """Which appeals, in which order, and which page of them."""

    state: list[AppealState] = Field(default=[], description="Any of these; may be given several times.")
    tutor_id: Id | None = Field(default=None, description="UUID, or the external id as delivered.")
    overdue: bool | None = Field(default=None, description="Open ones whose last day is over; or all others.")
    due_before: date | None = Field(default=None, description="Open ones to be answered before this day.")
    search: SearchText | None = Field(default=None, description="Part of the tutor's name or external id.")
    sort_by: Literal["due_on", "created_at", "settled_at", "name"] = "due_on"
    sort_order: Literal["asc", "desc"] = "asc"


class AppealPage(PageMeta):
    """Where in the list this page is, and how many appeals wait."""

    open: Count = Field(description="Open appeals of all tutors.")
    overdue: Count = Field(description="Of these, those whose last day is over.")
    today: date = Field(description="The day that this goes by, in the reporting zone.")


class AppealList(BaseModel):
    """A page of appeals."""

    data: list[Appeal]
    meta: AppealPage


class AnswerPreview(BaseModel):
    """The mail that a decision would send."""

    recipient: str | None = Field(description="Null: the tutor has no e-mail address, and reads it on their page.")
    subject: str
    text: str


class AnswerPreviewResponse(BaseModel):
    """The mail that a decision would send; nothing is sent or stored."""

    data: AnswerPreview
