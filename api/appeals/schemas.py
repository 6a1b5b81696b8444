"""What the endpoints of appeals take and give."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints, model_validator

from api.bodies import Body
from api.fields import Count, Id
from api.paging import PageFilters
from api.publication import PageMeta
from api.text_search import SEARCHED
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
    """The decision on one session."""

    session_id: UUID = Field(strict=False)
    remedy: Remedy = Field(strict=False, description="`excused`: its record stays, but no longer counts.")
    status: Literal["completed", "cancelled", "no_show"] | None = Field(
        default=None, description="For a corrected session: its status."
    )
    caused_by: Literal["student", "platform"] | None = Field(
        default=None, description="For a corrected session: who moved, cancelled or missed it."
    )
    began_on_time: bool = Field(default=False, description="For a corrected session: it did not start late.")

    @model_validator(mode="after")
    def _corrects_something(self) -> Self:
        corrects = self.status is not None or self.caused_by is not None or self.began_on_time
        if corrects != (self.remedy is Remedy.CORRECTED):
            raise ValueError("corrected goes with status, caused_by or began_on_time; excused with none of these")
        return self


class DecisionPost(Body):
    """A decision about an open appeal, and the answer to the tutor."""

    decision: Literal["granted", "declined"]
    answer: Answer = Field(description="The reasons, for the tutor.", examples=["You are right: the app was down."])
    sessions: list[Correction] = Field(
        default=[],
        max_length=MOST_SESSIONS,
        description="Changes to sessions. For an appeal about a concern, any session that counts against the tutor.",
    )

    @model_validator(mode="after")
    def _changes_what_is_granted(self) -> Self:
        if self.decision == "declined" and self.sessions:
            raise ValueError("sessions go with granted")
        if len({each.session_id for each in self.sessions}) < len(self.sessions):
            raise ValueError("sessions has one of them twice")
        return self


class AppealTutor(BaseModel):
    """The tutor of the appeal."""

    tutor_id: UUID
    external_id: str | None = Field(description="The id as delivered.", examples=["T-1042"])
    name: str | None = Field(examples=["Ada Novak"])


class AppealFields(BaseModel):
    """An appeal as it is stored."""

    appeal_id: AppealNumber
    state: AppealState
    concern: ConcernName | None = Field(description="Null if the appeal is about sessions.")
    reason: AppealReason
    created_by: str = Field(description="`tutor`, or the sender on the tutor's behalf.", examples=["tutor"])
    created_at: AwareDatetime
    due_on: date = Field(description="The last day for an answer, in the reporting zone.")
    settled_at: AwareDatetime | None = Field(description="When it was decided or withdrawn.")
    answer: str | None = Field(
        description="The answer to the tutor; null while the appeal is open, for the role `read`, and after deletion."
    )
    text: str | None = Field(description="In the tutor's words; null for the role `read`, and after deletion.")
    forgotten_at: AwareDatetime | None = Field(description="When text and answer were deleted; null if they were not.")


class Appeal(AppealFields):
    """One appeal, as a row of the list."""

    tutor: AppealTutor
    sessions: Count = Field(description="Number of sessions; 0 if the appeal is about a concern.")
    is_overdue: bool = Field(description="The appeal is open and the last day for an answer has passed.")
    decided_by: str | None = Field(description="The person who decided; null before a decision.", examples=["Ann Lee"])
    case_id: int | None = Field(description="The tutor's open case; null if there is none.")


class AppealSession(BaseModel):
    """A session of an appeal, in its present state."""

    session_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["S-1042"])
    happened: Happened = Field(description="How the session counted when the appeal was sent.")
    remedy: Remedy | None = Field(description="What granting the appeal changed.")
    scheduled_time: AwareDatetime | None = Field(description="Null if the session was deleted.")
    subject: str | None = Field(examples=["maths"])
    notice_hours: float | None = Field(description="Hours between the change and the session.", examples=[3.5])
    reason_code: str | None = Field(examples=["illness"])
    is_excused: bool


class AppealDetail(Appeal):
    """One appeal with its sessions, and whether the caller may decide it."""

    appealed: list[AppealSession] = Field(description="The sessions of the appeal, by time.")
    candidates: list[AppealSession] = Field(
        description="For an open appeal about a concern: the newest 50 sessions that count against the tutor."
    )
    may_decide: bool
    why_not: str | None = Field(
        description="Why the caller may not decide; null if they may, or if the appeal is settled.",
        examples=["You look after the tutor's case. Somebody else decides."],
    )
    recipient: str | None = Field(description="Where the answer is mailed; null if the tutor has no e-mail address.")


class AppealResponse(BaseModel):
    """One appeal."""

    data: AppealDetail


class AppealFilters(PageFilters):
    """Which appeals, in which order, and which page of them."""

    state: list[AppealState] = Field(default=[], description="Any of these values; may be repeated.")
    tutor_id: Id | None = Field(default=None, description="UUID, or the external id as delivered.")
    overdue: bool | None = Field(
        default=None, description="True: open appeals whose last day has passed. False: all others."
    )
    due_before: date | None = Field(default=None, description="Open appeals due before this day.")
    search: SearchText | None = Field(default=None, description=f"Searches tutors. {SEARCHED}")
    sort_by: Literal["due_on", "created_at", "settled_at", "name"] = "due_on"
    sort_order: Literal["asc", "desc"] = "asc"


class AppealPage(PageMeta):
    """Position of the page in the list, and number of waiting appeals."""

    open: Count = Field(description="Open appeals of all tutors.")
    overdue: Count = Field(description="Of these, appeals whose last day has passed.")
    today: date = Field(description="Today in the reporting zone.")


class AppealList(BaseModel):
    """A page of appeals."""

    data: list[Appeal]
    meta: AppealPage


class AnswerPreview(BaseModel):
    """The mail that a decision would send."""

    recipient: str | None = Field(
        description="Null if the tutor has no e-mail address and reads the answer on their page."
    )
    subject: str
    text: str


class AnswerPreviewResponse(BaseModel):
    """The mail that a decision would send; nothing is sent or stored."""

    data: AnswerPreview
