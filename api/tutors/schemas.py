"""What the tutor endpoints take and give."""

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, get_args
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from api.excuses.schemas import ExcuseNote
from api.fields import Count, Fraction
from api.paging import PageFilters
from api.publication import Meta, PageMeta
from api.text_search import SEARCHED
from api.tutors.counts import RecordedCounts, WeekCounts, WindowCounts
from core.concerns import Concern, ConcernName
from core.patterns import Pattern
from ingest.contract import NO_NUL

MAX_TEXT = 200
SearchText = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, pattern=NO_NUL)]
TeamOf = Annotated[
    int | None,
    Field(
        ge=1,
        le=2**63 - 1,
        description="Only tutors in the team of this person (`person_id` of a browser session).",
    ),
]


ReliabilityCounts = Annotated[
    list[Literal["reschedules", "cancellations", "no_shows"]],
    Field(description="What counts as a let-down if the tutor caused it."),
]


class RiskStatus(StrEnum):
    """How likely it is that a tutor's true rate of let-downs is above the threshold."""

    INSUFFICIENT_DATA = "insufficient_data"
    OK = "ok"
    WATCH = "watch"
    HIGH_RISK = "high_risk"


class ScoredTutor(BaseModel):
    """Who a score is about, and of which day it is."""

    tutor_id: UUID
    external_id: str | None = Field(description="The id as delivered, where it was not a UUID.", examples=["T-1042"])
    name: str | None = Field(examples=["Ada Novak"])
    subjects: list[str] = Field(examples=[["maths", "physics"]])
    is_active: bool
    as_of: date = Field(description="The day the scores are for; windows end with it.")


class TutorScore(WindowCounts, ScoredTutor):
    """One tutor's scores. Rates are fractions 0-1; null means that there is no data."""

    episodes_90d: Count = Field(description="Let-downs, counting those of one day for one reason once.")
    let_down_rate_expected: Fraction | None = Field(
        description="Estimated true rate of let-downs, shrunk towards the platform's rate if there are few data."
    )
    let_down_rate_low: Fraction | None = Field(description="5% quantile of the estimate.")
    let_down_rate_high: Fraction | None = Field(description="95% quantile of the estimate.")
    risk_probability: Fraction | None = Field(description="Probability that the true rate is above the threshold.")
    risk_status: RiskStatus
    is_high_risk: bool
    attention: bool = Field(description="Whether any concern is raised. A tutor is fine only if none is.")
    risk_status_since: date | None = Field(
        description="First day of the present unbroken stretch of this status; null without recorded history."
    )
    tutor_no_show_rate_expected: Fraction | None = Field(description="Estimated true no-show rate of the tutor.")
    first_meetings: Count = Field(description="First sessions with a student whose follow-up time is over.")
    first_meetings_continued: Count = Field(description="Those followed by another session in time.")
    first_session_rate_expected: Fraction | None = Field(description="Estimated true share of continued meetings.")
    ratings_90d: Count = Field(description="Ratings in the last 90 days.")
    rating_mean_90d: float | None = Field(description="Their mean, 1-5.", examples=[4.6])
    rating_expected: float | None = Field(description="The mean, shrunk towards the platform's, 1-5.", examples=[4.5])
    reliability_component: Fraction | None = Field(description="Few let-downs; 1 is best.")
    attendance_component: Fraction | None = Field(description="Few no-shows; 1 is best.")
    first_session_component: Fraction | None = Field(description="Students who stay; 1 is best.")
    rating_component: Fraction | None = Field(description="Ratings; 1 is best.")
    quality_score: float | None = Field(
        description="Weighted mean of the components that have data, 0-100.", ge=0, le=100, examples=[81.4]
    )
    trend_30d: float | None = Field(
        description="Rate of let-downs of the last 30 days minus that of the 30 before; above 0 is worse.",
        examples=[-0.04],
    )
    peer_percentile: Fraction | None = Field(description="Share of tutors with a lower quality score.")
    last_session_at: AwareDatetime | None = Field(description="Newest completed session.")
    planned_sessions_7d: Count = Field(description="Sessions planned for the next 7 days. As of the last run.")
    harm_sessions: float | None = Field(
        description=(
            "Expected let-downs among these: `planned_sessions_7d` times `let_down_rate_expected`; null "
            "without an estimate. A post updates the rate at once, a run the plan."
        ),
        ge=0,
        examples=[3.4],
    )
    harm_students: Count = Field(description="Number of students in these sessions. As of the last run.")
    case_mix_expected: Fraction | None = Field(
        description=(
            "The rate of let-downs that a typical tutor would have in the slots (subject, weekday, time "
            "of day) of the last 90 days, to compare with `let_down_rate_90d`; not part of any score. As "
            "of the last night."
        )
    )


def _is_number(annotation: object) -> bool:
    """Whether a type is a number, also if it is optional or has limits (`Annotated[float, …] | None`)."""
    return annotation in (int, float) or any(_is_number(part) for part in get_args(annotation))


SORTABLE = (
    "name",
    "attention",
    *(f"{name}_probability" for name in ConcernName),
    "stop_probability",
    "last_session_at",
    "risk_status_since",
    *(name for name, field in TutorScore.model_fields.items() if _is_number(field.annotation)),
)


# What figures were called before let-downs were counted; of a window, without its days.
RENAMED = {
    "reschedule_rate_expected": "let_down_rate_expected",
    "reschedule_rate_low": "let_down_rate_low",
    "reschedule_rate_high": "let_down_rate_high",
    "reschedules": "moved_sessions",
    "short_notice_reschedules": "short_notice",
}


def _sortable(name: str) -> str:
    figure, window = re.fullmatch(r"(.*?)(_\d+d|)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    if figure in RENAMED:
        raise ValueError(f"{name} is now {RENAMED[figure]}{window}")
    if name not in SORTABLE:
        raise ValueError(f"Input should be one of: {', '.join(SORTABLE)}")
    return name


class TutorConditions(BaseModel, extra="forbid"):
    """Which tutors."""

    risk_status: list[RiskStatus] = Field(default=[], description="Any of these values; may be repeated.")
    search: SearchText | None = Field(default=None, description=SEARCHED)
    subject: SearchText | None = Field(default=None, description="A subject the tutor teaches, spelt exactly.")
    is_active: bool | None = None
    attention: bool | None = Field(
        default=None, description="Only tutors with (true) or without (false) a raised concern."
    )
    concern: list[ConcernName] = Field(
        default=[], description="Tutors with any of these concerns raised; may be repeated.", examples=[["no_shows"]]
    )
    team_of: TeamOf = None


class TutorFilters(PageFilters, TutorConditions):
    """Which tutors, in which order, and which page of them."""

    sort_by: Annotated[str, AfterValidator(_sortable)] = Field(
        default="risk_probability",
        description=(
            "A numeric score column, the probability of a concern or of stopping, `name`, "
            "`last_session_at`, `risk_status_since`, or `attention`: tutors with a raised concern first, those "
            "with the most sessions at risk in 7 days before others (for who got worse suddenly within the last "
            "four weeks, at the rate of the last 30 days, if it is higher). Null comes last."
        ),
        json_schema_extra={"enum": list(SORTABLE)},
    )
    sort_order: Literal["asc", "desc"] = "desc"
    trend_weeks: int = Field(default=0, ge=0, le=52, description="Length of `weekly_let_down_rates`.")


class HistoryRange(BaseModel, extra="forbid"):
    """How far back, and how many events at most."""

    days: int = Field(default=90, ge=1, le=730, description="Number of days up to `as_of`.")
    limit: int = Field(default=100, ge=1, le=500, description="Maximum number of events, newest first.")


class TutorProfile(BaseModel):
    """The tutor's data besides the scores."""

    email: str | None = Field(examples=["ada@example.org"])
    hired_at: date | None
    capacity: int | None = Field(description="Students the tutor can take at a time.", examples=[12])
    age: int | None = Field(examples=[34])
    experience_years: float | None = Field(examples=[6.5])
    teaching_style: Literal["structured", "flexible", "interactive"] | None
    preferred_pace: int | None = Field(description="1 slow to 5 fast.", examples=[3])
    communication_style: int | None = Field(description="1 formal to 5 casual.", examples=[4])
    is_stub: bool = Field(description="True while the tutor is known only from sessions.")


class TutorConcern(Concern):
    """One concern about one tutor, with its words."""

    sentence: str = Field(
        description="Counts, interval, and probability of being beyond the threshold.",
        examples=[
            "The tutor missed 4 of 45 sessions in 90 days, 8.9%. From now on, 2.9% to 11% is likely, because the "
            "last weeks weigh more; the chance that it is above the limit of 3.0% is 94%."
        ],
    )
    ending: str | None = Field(
        description="How the concern ends; null if it is not raised.",
        examples=["Ends on 14 March 2026 if no session is missed until then."],
    )


class TutorPattern(Pattern):
    """One pattern of one tutor, with its words."""

    sentence: str = Field(
        examples=[
            "On Fridays, the tutor moved, cancelled or missed 14 of 40 sessions in 180 days, 35%; otherwise 11%. About "
            "31% is to be expected there."
        ]
    )


class Slot(BaseModel):
    """Sessions of one weekday and hour, by original time."""

    weekday: int = Field(ge=1, le=7, description="1 Monday to 7 Sunday, in the reporting zone.", examples=[5])
    hour: int = Field(ge=0, le=23, description="In the reporting zone.", examples=[17])
    sessions: Count = Field(description="In the last 180 days.")
    let_downs: Count = Field(description="Of these, let-downs.")


PATTERNS = Field(
    description=(
        "Slots in which the tutor lets down more sessions than in other slots, most certain first; over "
        "all tutors, at most a tenth is expected to be false. As of the last night."
    )
)


class TutorDetail(TutorScore):
    """One tutor's scores and profile."""

    profile: TutorProfile
    concerns: list[TutorConcern] = Field(description="All concerns with data, raised or not, in a fixed order.")
    patterns: list[TutorPattern] = PATTERNS


class TutorRow(TutorScore):
    """One tutor's scores and concerns, with the trend if requested."""

    concerns: list[ConcernName] = Field(description="Raised concerns, in a fixed order.")
    unreliable_probability: Fraction | None = Field(
        description="Probability that the rate of let-downs is above the threshold."
    )
    getting_worse_probability: Fraction | None = Field(description="Probability that it has risen above it lately.")
    no_shows_probability: Fraction | None = Field(description="Probability that the tutor misses too many sessions.")
    late_starts_probability: Fraction | None = Field(description="Probability that too many sessions begin late.")
    loses_new_students_probability: Fraction | None = Field(
        description="Probability that too few new students come back."
    )
    low_ratings_probability: Fraction | None = Field(description="Probability that the mean rating is too low.")
    stop_probability: Fraction | None = Field(
        description="Probability that the tutor stops within 60 days; null without a prediction."
    )
    weekly_let_down_rates: list[Fraction | None] = Field(
        default=[],
        description="Rates of let-downs of the last `trend_weeks` weeks, oldest first; null in weeks without sessions.",
        examples=[[0.1, None, 0.25]],
    )


class TutorList(BaseModel):
    """A page of tutors."""

    data: list[TutorRow]
    meta: PageMeta


class TutorResponse(BaseModel):
    """One tutor."""

    data: TutorDetail
    meta: Meta


class TutorEventKind(StrEnum):
    """Kinds of session events. One session may have several."""

    RESCHEDULE = "reschedule"
    NO_SHOW = "no_show"
    TUTOR_CANCELLATION = "tutor_cancellation"
    OTHER_CANCELLATION = "other_cancellation"
    LOW_RATING = "low_rating"


class TutorEvent(BaseModel):
    """A reschedule, a no-show, a cancellation by the tutor, or a rating of 2 or less."""

    kind: TutorEventKind
    session_id: UUID
    session_external_id: str | None = Field(examples=["S-99310"])
    happened_at: AwareDatetime = Field(description="When it was requested, if known; otherwise the planned time.")
    counted_on: date = Field(description="The day on which the session counts, in the reporting zone.")
    scheduled_time: AwareDatetime
    subject: str | None = Field(examples=["maths"])
    student_id: UUID
    student_external_id: str | None = Field(
        description="Null until the first run after the student's first session.", examples=["S-17"]
    )
    student_name: str | None
    initiator: Literal["tutor", "student", "platform"] | None = Field(description="Who caused it, if known.")
    notice_hours: float | None = Field(
        description="Hours from the request to the session's original time; negative if after it.", examples=[5.5]
    )
    reason_code: str | None = Field(examples=["illness"])
    is_excused: bool = Field(description="Excused sessions do not count against the tutor.")
    excuse: ExcuseNote | None = Field(description="Null unless it is excused.")
    is_short_notice: bool
    is_counted: bool = Field(description="Whether it counts against the tutor.")
    rating: float | None = Field(description="The rating of the session, 1-5.", examples=[2])


class Outcome(StrEnum):
    """Outcome of a session from the tutor's side, most serious first. Each session has one."""

    MISSED = "missed"
    CANCELLED = "cancelled"
    MOVED = "moved"
    LATE = "late"
    EXCUSED = "excused"
    OTHER = "other"
    HELD = "held"


class OutcomeCount(BaseModel):
    """Sessions of one day with one outcome."""

    outcome: Outcome = Field(
        description=(
            "`missed`, `cancelled`, `moved`: by the tutor, not excused. `late`: started late. `excused`: "
            "does not count. `other`: not held as planned, but not because of the tutor, or the cause is "
            "unknown. `held`: as planned."
        )
    )
    sessions: Count


class DayExcuse(ExcuseNote):
    """Sessions of one day that were excused together."""

    sessions: Count


class SessionDay(BaseModel):
    """A day of one tutor on which sessions count."""

    day: date = Field(description="The day on which they count, in the reporting zone.")
    sessions: Count
    let_downs: Count
    can_be_excused: Count = Field(description="Number caused by the tutor and not excused yet.")
    outcomes: list[OutcomeCount] = Field(description="Most serious first; together all sessions of the day.")
    excuses: list[DayExcuse] = Field(description="Excuses of the day's sessions, oldest first.")


class Episode(BaseModel):
    """A day on which one reason explains several let-downs, such as an illness."""

    day: date
    reason_code: str | None = Field(examples=["illness"])
    let_downs: int = Field(
        description="Let-downs of this day for this reason: at least 3, and a tenth of all.", examples=[5]
    )
    let_downs_in_all: int = Field(description="Let-downs of all requested days.", examples=[16])


class Week(BaseModel):
    """A week that has sessions."""

    week_start: date = Field(description="A Monday.")


class TutorWeek(WeekCounts, Week):
    """One tutor's week."""

    platform_let_down_rate: Fraction | None = Field(description="The let_down_rate of all tutors.")
    rating_mean: float | None = Field(examples=[4.6])


class TutorScoreDay(RecordedCounts):
    """The scores as they were on one day."""

    as_of: date
    let_down_rate_expected: Fraction | None = Field(description="Null on days recorded before let-downs were counted.")
    let_down_rate_low: Fraction | None
    let_down_rate_high: Fraction | None
    risk_probability: Fraction | None
    risk_status: RiskStatus
    quality_score: float | None = Field(examples=[81.4])


class TutorHistory(BaseModel):
    """The events of one tutor's sessions, and the course of the scores."""

    tutor_id: UUID
    external_id: str | None
    name: str | None
    events: list[TutorEvent] = Field(description="Newest first.")
    calendar: list[SessionDay] = Field(description="Oldest first; days without sessions are absent.")
    episodes: list[Episode] = Field(description="Most let-downs first.")
    weeks: list[TutorWeek] = Field(description="Oldest first; weeks without sessions are absent.")
    scores: list[TutorScoreDay] = Field(description="Oldest first; days without a score are absent.")


class HistoryMeta(Meta):
    """The publication, and the requested part of the history."""

    days: int
    limit: int
    total_events: int = Field(
        description="Number of events in these days, including those beyond the limit.", examples=[17]
    )


class TutorHistoryResponse(BaseModel):
    """One tutor's history."""

    data: TutorHistory
    meta: HistoryMeta


class ComponentEvidence(BaseModel):
    """The numbers behind a component."""

    n: int = Field(description="Number of sessions, first meetings or ratings.", examples=[24])
    k: int | None = Field(description="Those that were let-downs, missed or continued; null for ratings.")
    mean: float | None = Field(description="Mean of the ratings; null for the others.")
    expected: float | None = Field(
        description="The tutor's estimated true value, from which the component is computed."
    )
    platform: float | None = Field(description="The same value over all tutors.")


class Component(BaseModel):
    """One part of the quality score."""

    name: Literal["reliability", "attendance", "first_session", "rating"]
    value: Fraction | None = Field(description="1 is best; null without data: the component then does not count.")
    weight: Fraction = Field(description="Its weight among all four.", examples=[0.4])
    variance_share: float | None = Field(
        description=(
            "Measured share of the score's variance among the tutors of the reference, 0-1. It would "
            "equal the weight if components were uncorrelated."
        ),
        examples=[0.36],
    )
    evidence: ComponentEvidence
    sentence: str = Field(examples=["The tutor moved, cancelled or missed 3 of 24 sessions in the last 90 days."])


class EvidenceSession(BaseModel):
    """A session that counts against the tutor: moved, cancelled or missed."""

    kind: Literal["reschedule", "cancellation", "no_show"]
    session_id: UUID
    session_external_id: str | None
    counted_on: date
    scheduled_time: AwareDatetime
    subject: str | None
    notice_hours: float | None
    reason_code: str | None
    is_short_notice: bool


class TutorExplanation(BaseModel):
    """A tutor's status in words, with its reasons."""

    tutor_id: UUID
    external_id: str | None
    name: str | None
    risk_status: RiskStatus
    risk_status_since: date | None
    risk_probability: Fraction | None
    risk_threshold: Fraction = Field(description="The rate of let-downs that should not be exceeded.", examples=[0.15])
    reliability_counts: ReliabilityCounts
    attention: bool = Field(description="Only tutors with (true) or without (false) a raised concern.")
    concerns: list[TutorConcern] = Field(description="All concerns with data, in a fixed order.")
    patterns: list[TutorPattern] = PATTERNS
    slots: list[Slot] = Field(description="Slots with sessions in 180 days, by weekday and hour. As of the last night.")
    timezone: str = Field(description="Reporting zone, in which slots are.", examples=["Europe/Vienna"])
    quality_score: float | None = Field(examples=[81.4])
    sentence: str = Field(description="The status in one sentence.")
    components: list[Component]
    evidence_sessions: list[EvidenceSession] = Field(
        description="The sessions of the last 90 days that count against the tutor, newest first."
    )


class TutorExplanationResponse(BaseModel):
    """One tutor's explanation."""

    data: TutorExplanation
    meta: Meta
