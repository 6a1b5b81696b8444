"""What the endpoints of cases take and give."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

from api.bodies import WHOLE, Body
from api.fields import Count, Fraction, Id
from api.paging import PageFilters
from api.problems import Problem
from api.publication import PageMeta
from api.text_search import SEARCHED
from api.tutors.schemas import SearchText
from core.concerns import ConcernName
from core.roles import Role
from ingest.contract import NOT_BLANK

LONGEST_NOTE = 4_000
MOST_AT_ONCE = 200
TREND_WEEKS = 12
FOLLOW_UP_DAYS = 14
GREATEST_ID = 2**63 - 1

CaseNumber = Annotated[int, Field(ge=1, le=GREATEST_ID, examples=[17])]
EventNumber = Annotated[int, Field(ge=1, le=GREATEST_ID, examples=[42])]
PersonNumber = Annotated[int, Field(ge=1, le=GREATEST_ID, examples=[3])]
Version = Annotated[
    int,
    Field(
        ge=1,
        le=2**31 - 1,
        description="The version that the sender has seen; 409 if the case has another one.",
        examples=[4],
    ),
    WHOLE,
]
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_NOTE, pattern=NOT_BLANK), AfterValidator(str.strip)
]


class CaseState(StrEnum):
    """State of a case. `resolved` and `dismissed` are closed, all others open."""

    NEW = "new"
    ASSIGNED = "assigned"
    CONTACTED = "contacted"
    PLAN_AGREED = "plan_agreed"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


class CloseReason(StrEnum):
    """Why a case was closed."""

    IMPROVED = "improved"
    NO_EFFECT = "no_effect"
    EXCUSED = "excused"
    DATA_ERROR = "data_error"
    LEFT = "left"


REASONS = {
    CaseState.RESOLVED: (CloseReason.IMPROVED, CloseReason.NO_EFFECT),
    CaseState.DISMISSED: (CloseReason.EXCUSED, CloseReason.DATA_ERROR, CloseReason.LEFT),
}


class Queue(StrEnum):
    """Queue of a case: to do (new, reopened, assigned), due (follow-up, or can be closed), waiting (snoozed, or the
    follow-up is later), closed."""

    TODO = "todo"
    DUE = "due"
    WAITING = "waiting"
    CLOSED = "closed"


class Priority(StrEnum):
    """Priority set by people."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Channel(StrEnum):
    """How the tutor was reached."""

    CALL = "call"
    VIDEO = "video"
    IN_PERSON = "in_person"
    MAIL = "mail"
    CHAT = "chat"


class Cause(StrEnum):
    """The cause as the tutor sees it."""

    HEALTH = "health"
    FAMILY = "family"
    OTHER_WORK = "other_work"
    TOO_MANY_SESSIONS = "too_many_sessions"
    TIMES_DO_NOT_FIT = "times_do_not_fit"
    TECHNICAL = "technical"
    STUDENTS = "students"
    OTHER = "other"
    UNKNOWN = "unknown"


class AgreedAction(StrEnum):
    """What was agreed with the tutor."""

    FEWER_SESSIONS = "fewer_sessions"
    OTHER_TIMES = "other_times"
    TRAINING = "training"
    MENTOR = "mentor"
    TECHNICAL_HELP = "technical_help"
    PAUSE = "pause"
    WARNING = "warning"
    NOTHING = "nothing"


class CaseEventKind(StrEnum):
    """Kinds of case events. `eased`: one of several concerns is no longer raised; `suggested`: none is; `withdrawn`: a
    contact was withdrawn; `stand_in`: somebody was asked to hold a session instead of the tutor."""

    OPENED = "opened"
    JOINED = "joined"
    EASED = "eased"
    SUGGESTED = "suggested"
    REOPENED = "reopened"
    CHANGED = "changed"
    NOTE = "note"
    CONTACT = "contact"
    WITHDRAWN = "withdrawn"
    STAND_IN = "stand_in"
    CLOSED = "closed"


class Owner(BaseModel):
    """A person who can own cases."""

    person_id: PersonNumber
    name: str = Field(examples=["Ann Lee"])
    role: Role
    is_active: bool = Field(description="False: the person cannot log in.")


class LoadedOwner(Owner):
    """A case owner with their number of cases."""

    open_cases: Count = Field(description="Number of open cases that they own.")


class Coach(BaseModel):
    """A person with the tutor in their team."""

    person_id: PersonNumber
    name: str = Field(examples=["Ann Lee"])


class CaseConcern(BaseModel):
    """A raised concern with its figures."""

    concern: ConcernName
    probability: Fraction | None
    threshold: float = Field(description="The limit: a rate, 0-1, or a mean rating, 1-5.")
    trials: Count
    events: Count | None = Field(description="Null for ratings.")
    raw_rate: float | None = Field(description="Events per trial, or the mean rating, as counted.")
    expected: float | None = Field(description="Estimated true rate or mean rating.")
    low: float | None = Field(description="5% quantile of the estimate.")
    high: float | None = Field(description="95% quantile of the estimate.")
    raised_on: date | None


class StandingConcern(CaseConcern):
    """A concern that is raised now."""

    words: str = Field(
        description="The concern in a few words.", examples=["suddenly worse: 0% → 46% in the last 30 days"]
    )


class SuddenFields(BaseModel):
    """Of `getting_worse`, what is told of a sudden change."""

    raised_on: date | None
    superseded: bool = Field(description="Whether the tutor is also unreliable, which counts instead.")


class SuddenChange(SuddenFields):
    """A sudden change for the worse, which counts in the order of cases."""

    words: str = Field(
        description="The concern in a few words.", examples=["suddenly worse: 7.0% → 30% in the last 30 days"]
    )


class CaseTutor(BaseModel):
    """The tutor of a case."""

    tutor_id: UUID
    external_id: str | None = Field(description="The id as delivered.", examples=["T-1042"])
    name: str | None = Field(examples=["Ada Novak"])
    is_active: bool | None = Field(description="Null if the tutor is no longer published.")


class CaseFields(BaseModel):
    """A case as it is stored."""

    case_id: CaseNumber
    state: CaseState
    reason: CloseReason | None = Field(description="Why it is closed; null while it is open.")
    priority: Priority
    due_on: date | None = Field(description="Day of the follow-up.")
    snoozed_until: date | None = Field(description="The case waits until this day.")
    concerns: list[ConcernName] = Field(description="Concerns raised at any time while the case was open.")
    opened_on: date = Field(description="As-of day of the scores at the opening.")
    opened_at: AwareDatetime
    opened_by: str = Field(description="`tutorq` if a concern opened it.", examples=["tutorq"])
    contacted_at: AwareDatetime | None = Field(description="First contact since it was opened or reopened.")
    suggested_at: AwareDatetime | None = Field(description="Since when no concern is raised any longer.")
    reopened_at: AwareDatetime | None
    closed_at: AwareDatetime | None
    version: int = Field(ge=1, description="Number of changes so far; send it with a change.", examples=[4])
    changed_at: AwareDatetime


class Case(CaseFields):
    """One case as a row of the work queue."""

    tutor: CaseTutor
    queue: Queue
    owner: Owner | None
    coaches: list[Coach] = Field(description="People with this tutor in their team, by name.")
    closed_by: str | None = Field(description="Who closed it; null while it is open.", examples=["Ann Lee"])
    raised: list[StandingConcern] = Field(description="Concerns raised now, in a fixed order, without superseded ones.")
    sudden_change: SuddenChange | None = Field(
        description="`getting_worse` while it is raised; if superseded, for four weeks. Null without a sudden change."
    )
    age_days: Count = Field(description="Days since the case was opened or last reopened.")
    planned_sessions_7d: Count | None = Field(description="As `planned_sessions_7d` of the tutor.")
    harm_sessions: float | None = Field(description="As `harm_sessions` of the tutor.", ge=0)
    harm_students: Count | None = Field(description="As `harm_students` of the tutor.")
    weekly_let_down_rates: list[float | None] = Field(description=f"Of the last {TREND_WEEKS} weeks, oldest first.")
    may_change: bool = Field(description="Whether the caller may change it.")


class CaseDetail(Case):
    """One case with its figures when it opened."""

    today: date = Field(description="The day used for `queue`, in the reporting zone.")
    as_of: date = Field(description="The day of the scores and the end of `weekly_let_down_rates`.")
    snapshot: list[CaseConcern] = Field(description="Concerns raised at the opening, with their figures then.")


class CaseFilters(PageFilters):
    """Which cases, in which order, and which page of them."""

    queue: list[Queue] = Field(default=[], description="Any of these values; may be repeated. Default: all open cases.")
    state: list[CaseState] = Field(default=[], description="Any of these values; may be repeated.")
    owner: Annotated[str, StringConstraints(pattern=r"^(me|nobody|[1-9]\d{0,17})$")] | None = Field(
        default=None, description="`me`, `nobody`, or the id of a person.", examples=["me"]
    )
    mine: bool = Field(default=False, description="Cases that you own, and cases of your tutors without an owner.")
    tutor_id: Id | None = Field(default=None, description="UUID, or the external id as delivered.")
    concern: list[ConcernName] = Field(default=[], description="Any of these concerns is raised now.")
    reason: list[CloseReason] = Field(default=[], description="Closed for any of these reasons; may be repeated.")
    last_action: list[AgreedAction] = Field(
        default=[], description="The last agreement with the tutor is any of these; may be repeated."
    )
    contacted: bool | None = Field(default=None, description="Only cases with (true) or without (false) a contact.")
    opened_since: date | None = Field(default=None, description="Earliest `opened_on`.")
    opened_until: date | None = Field(default=None, description="`opened_on` is before this day.")
    search: SearchText | None = Field(default=None, description=f"Searches tutors. {SEARCHED}")
    sort_by: Literal["urgency", "due_on", "opened_at", "harm_sessions", "name", "changed_at"] = Field(
        default="urgency",
        description=(
            "`urgency`: high priority first, then the most sessions at risk in 7 days: `harm_sessions`, or after a "
            "`sudden_change` the planned sessions times the rate of the last 30 days, if that is more. Null comes last."
        ),
    )
    sort_order: Literal["asc", "desc"] = "desc"


class QueueCounts(BaseModel):
    """Number of matching cases per queue, whatever the filter `queue`."""

    todo: Count
    due: Count
    waiting: Count
    closed: Count


class CasePage(PageMeta):
    """Position of the page in the list, and number of cases in each queue."""

    today: date = Field(description="The day used for `queue`, in the reporting zone.")
    queues: QueueCounts


class CaseList(BaseModel):
    """A page of cases."""

    data: list[Case]
    meta: CasePage


class CaseResponse(BaseModel):
    """One case."""

    data: CaseDetail


class CaseEvent(BaseModel):
    """An entry in the history of a case. Events are added and never changed."""

    event_id: int
    kind: CaseEventKind
    happened_at: AwareDatetime = Field(description="When it was recorded.")
    actor: str = Field(description="A person's name, a key, or `tutorq` if scores did it.", examples=["Ann Lee"])
    person_id: int | None = Field(description="The actor, if a person; otherwise null.")
    is_private: bool = Field(description="Whether only the author sees this note.")
    happened_on: date | None = Field(
        description="Day of a contact. Null for old contacts: use the day of `happened_at`."
    )
    corrects: int | None = Field(description="Id of the contact that this one replaces or withdraws.")
    corrected_by: int | None = Field(description="Id of the event that corrects or withdraws this contact.")
    details: dict[str, Any] = Field(
        description=(
            "`opened`, `joined`, `reopened`: `concerns` with figures. `eased`, `suggested`: `concerns`, their names, "
            "`excuses` of the day before it, if any: `sessions`, `reason`, `created_by`, and `taken_over`: what was "
            "counted under them and now counts by itself, with figures. `joined` has `due_on` and `snoozed_until`, "
            "too, with `from` and `to`, if the concern moved the follow-up or ended the snooze. "
            "`changed`: each changed field with `from` and `to`. `note`: `text`. `contact`: `channel`, `cause`, "
            "`action`, `follow_up_on`, `text`. `withdrawn`: `text`. `stand_in`: `session_id`, `scheduled_time`, "
            "`tutor_id` and `tutor_name` of who was asked, `answer`. `closed`: `state`, `reason`, `text`."
        )
    )


class CaseEvents(BaseModel):
    """The history of a case, newest first."""

    data: list[CaseEvent]


class CaseConflict(Problem):
    """Somebody else has changed the case: the present case, and the changes since the version that was sent."""

    case: CaseDetail
    changes: list[CaseEvent]


class CasePost(Body):
    """A case to open by hand."""

    tutor_id: Id = Field(description="UUID, or the external id as delivered.")
    text: Text | None = Field(default=None, description="A first note, for everybody.")


class CasePatch(Body):
    """Fields to change; others stay. null removes an owner or a day."""

    version: Version
    owner_id: Annotated[PersonNumber, WHOLE] | None = Field(
        default=None, description="Leads assign cases to anybody; coaches take cases, or give theirs back."
    )
    due_on: date | None = Field(default=None, strict=False)
    snoozed_until: date | None = Field(default=None, strict=False)
    priority: Priority = Field(default=Priority.NORMAL, strict=False)
    state: CaseState = Field(
        default=CaseState.NEW,
        strict=False,
        description="`resolved` and `dismissed` need a reason. `new` reopens a closed case.",
    )
    reason: CloseReason | None = Field(
        default=None,
        strict=False,
        description="`resolved`: improved or no_effect; `dismissed`: excused, data_error or left.",
    )
    text: Text | None = Field(default=None, description="Reason in words, visible to everybody; only with `state`.")


class NotePost(Body):
    """A note."""

    text: Text
    is_private: bool = Field(default=False, description="Only its author sees it.")


class ContactPost(Body):
    """A contact with the tutor."""

    version: Version
    channel: Channel = Field(strict=False)
    cause: Cause = Field(default=Cause.UNKNOWN, strict=False)
    action: AgreedAction = Field(default=AgreedAction.NOTHING, strict=False)
    text: Text | None = None
    happened_on: date | None = Field(
        default=None,
        strict=False,
        description="Day in the reporting zone, not in the future and at most a year ago. Default: today, or the day "
        "of the corrected contact.",
    )
    follow_up_on: date | None = Field(
        default=None,
        strict=False,
        description=f"Left out: in {FOLLOW_UP_DAYS} days, or as it is if this corrects a contact. null: no follow-up.",
    )
    corrects: Annotated[EventNumber, WHOLE] | None = Field(
        default=None, description="Id of a wrong contact of the case that this one replaces."
    )


class Withdrawal(Body):
    """Withdrawal of a contact that never happened, or was with somebody else."""

    version: Version
    text: Text | None = Field(default=None, description="Reason in words, visible to everybody.")


class StandInAnswer(StrEnum):
    """The answer of a stand-in."""

    ASKED = "asked"
    AGREED = "agreed"
    DECLINED = "declined"


class StandInPost(Body):
    """Somebody was asked to hold a planned session instead of its tutor, or has answered."""

    session_id: Id = Field(description="A planned session of the tutor of the case: UUID, or the external id.")
    tutor_id: Id = Field(description="The tutor who was asked: UUID, or the external id as delivered.")
    answer: StandInAnswer = Field(strict=False)


class SeenCase(Body):
    """A case and the version that the sender has seen."""

    case_id: Annotated[CaseNumber, WHOLE]
    version: Version


class BulkAssignment(Body):
    """Cases to assign to one person."""

    cases: list[SeenCase] = Field(min_length=1, max_length=MOST_AT_ONCE)
    owner_id: Annotated[PersonNumber, WHOLE] | None = Field(description="null: nobody.")


class AssignOutcome(StrEnum):
    """Result for one of several cases."""

    ASSIGNED = "assigned"
    UNCHANGED = "unchanged"
    STALE = "stale"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    NOT_YOURS = "not_yours"


class Assigned(BaseModel):
    """One of several cases."""

    case_id: CaseNumber
    outcome: AssignOutcome
    version: int | None = Field(description="The present version; null if the case does not exist.")


class BulkAssignmentResult(BaseModel):
    """Result for each case, in the order sent."""

    data: list[Assigned]


class Owners(BaseModel):
    """People who can own cases, by name."""

    data: list[LoadedOwner]
