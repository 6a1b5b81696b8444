"""What the endpoint of the weekly report takes and gives. One class per section of `reports/weekly.py`."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from api.cases.outcomes import OutcomeFigures, ReasonCount
from api.fields import Count, Fraction
from api.publication import Meta
from core.concerns import ConcernName
from core.honesty import HORIZON_DAYS, Honesty
from reports.narrative import Narrative
from reports.weekly import WEEK_NAME, Week
from reports.weekly_sections import MOST_LISTED, MOST_STUDENTS, OUTCOME_MONTHS, TREND_WEEKS


def _known_week(name: str) -> str:
    Week.named(name)
    return name


WeekName = Annotated[str, Field(examples=["2026-W05"])]
WeekParameter = Annotated[str, Field(pattern=f"^{WEEK_NAME.pattern}$"), AfterValidator(_known_week)]


class WeekWanted(BaseModel, extra="forbid"):
    """Which week."""

    week: WeekParameter | None = Field(
        default=None,
        description="As ISO 8601 numbers weeks, Monday to Sunday in the reporting zone; else the last whole one.",
        examples=["2026-W05"],
    )


class WeekTold(BaseModel):
    """The week that is told of."""

    name: WeekName
    number: int = Field(ge=1, le=53, examples=[5])
    starts_on: date
    ends_on: date
    is_over: bool = Field(description="Whether all of its days are counted.")


class WeeklyTutor(BaseModel):
    """A tutor by name."""

    tutor_id: UUID
    external_id: str
    name: str | None


class ConcernChange(BaseModel):
    """A concern that was raised or cleared."""

    tutor: WeeklyTutor
    concern: ConcernName
    is_new: bool = Field(description="Raised in the week; else cleared in it.")
    happened_on: date
    raised_on: date
    probability: Fraction = Field(description="Of the concern, on the day on which it was raised.")


class ConcernChanges(BaseModel):
    """Concerns of one kind."""

    concern: ConcernName
    flags: Count = Field(description="Raised in the week.")


class WeeklyConcerns(BaseModel):
    """What was raised and cleared. A sudden change of a tutor who is unreliable anyway is no news."""

    by_concern: list[ConcernChanges] = Field(description="Raised in the week, most first.")
    new: Count
    cleared: Count
    changes: list[ConcernChange] = Field(description=f"The newest {MOST_LISTED} of each, new ones first.")


class WeekOfLetDowns(BaseModel):
    """One week of the platform."""

    week_start: date
    sessions: Count
    let_downs: Count
    let_down_rate: Fraction | None = Field(description="Null without sessions.")


class CaseMentioned(BaseModel):
    """A case that somebody should see to."""

    case_id: int
    tutor: WeeklyTutor
    day: date = Field(description="Of the follow-up; of cases without an owner, of the opening.")
    owner_name: str | None


class WeeklyCases(BaseModel):
    """Cases: what the week did, and how it stands today. Waiting cases are neither overdue nor without an owner."""

    opened: Count = Field(description="In the week.")
    closed: Count = Field(description="In the week.")
    reasons: list[ReasonCount] = Field(description="Of those closed in the week.")
    open: Count = Field(description="Today.")
    overdue: Count = Field(description="Today: the day of the follow-up is over.")
    without_owner: Count = Field(description="Today.")
    overdue_cases: list[CaseMentioned] = Field(description=f"The {MOST_LISTED} that wait longest.")
    unowned_cases: list[CaseMentioned] = Field(description=f"The {MOST_LISTED} that are open longest.")


class WeeklyOutcomes(BaseModel):
    """What became of cases, and whether talks help. No proof of an effect unless the order was drawn."""

    months: int = Field(description="Months of the opening, that of `as_of` included.", examples=[OUTCOME_MONTHS])
    figures: OutcomeFigures
    answers: list[str] = Field(
        description="Did it help? By drawn order if there is one, then beside what was expected.",
        examples=[["Too few cases to tell yet: 3 of 10 with a talk."]],
    )


class WeeklyCalibration(BaseModel):
    """Forecasts of a year against what came, as of the last night."""

    horizon_days: Count = Field(description="A forecast is about so many days.", examples=[HORIZON_DAYS])
    totals: Honesty


class TutorAtRisk(BaseModel):
    """A tutor with planned sessions of high let-down risk."""

    tutor: WeeklyTutor
    sessions: Count
    students: Count
    student_ids: list[str] = Field(description=f"Their ids as delivered, at most {MOST_STUDENTS}.")
    first_at: AwareDatetime
    let_down_probability: Fraction = Field(description="Of each of the sessions.")
    expected_let_downs: float = Field(ge=0, description="Sessions times probability.", examples=[3.4])


class WeekAhead(BaseModel):
    """Planned sessions of the week after, those that have not begun; nothing once it is over."""

    sessions: Count
    at_risk: Count = Field(description="Of high let-down risk.")
    students: Count = Field(description="With a session of high risk.")
    tutors: Count = Field(description="With a session of high risk.")
    expected_let_downs: float = Field(ge=0, description="Of the sessions at risk.", examples=[12.5])
    riskiest: list[TutorAtRisk] = Field(description=f"The {MOST_LISTED} with most let-downs to be expected.")


class FollowUps(BaseModel):
    """Follow-ups due in the week after."""

    total: Count
    coming: list[CaseMentioned] = Field(description=f"The first {MOST_LISTED}.")


class WeeklyReport(BaseModel):
    """One week for leads; the mail of Monday has the same."""

    week: WeekTold
    previous: WeekName
    following: WeekName | None = Field(description="Null for the week of `as_of`.")
    as_of: date
    narrative: Narrative
    concerns: WeeklyConcerns
    trend: list[WeekOfLetDowns] = Field(description=f"{TREND_WEEKS} weeks, the week last.")
    cases: WeeklyCases
    outcomes: WeeklyOutcomes
    calibration: WeeklyCalibration
    upcoming: WeekAhead
    follow_ups: FollowUps


class WeeklyReportResponse(BaseModel):
    """One week for leads."""

    data: WeeklyReport
    meta: Meta
