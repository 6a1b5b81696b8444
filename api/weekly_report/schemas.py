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
        description="ISO 8601 week, Monday to Sunday in the reporting zone; default: the last complete one.",
        examples=["2026-W05"],
    )


class WeekTold(BaseModel):
    """The week of the report."""

    name: WeekName
    number: int = Field(ge=1, le=53, examples=[5])
    starts_on: date
    ends_on: date
    is_over: bool = Field(description="Whether all of its days are over and counted.")


class WeeklyTutor(BaseModel):
    """A tutor by name."""

    tutor_id: UUID
    external_id: str
    name: str | None


class ConcernChange(BaseModel):
    """A concern that was raised or cleared."""

    tutor: WeeklyTutor
    concern: ConcernName
    is_new: bool = Field(description="True: raised in the week. False: cleared in it.")
    happened_on: date
    raised_on: date
    probability: Fraction = Field(description="Probability of the concern on the day it was raised.")


class ConcernChanges(BaseModel):
    """Concerns of one kind."""

    concern: ConcernName
    flags: Count = Field(description="Raised in the week.")


class WeeklyConcerns(BaseModel):
    """Concerns raised and cleared. A sudden change of a tutor who is already unreliable is left out."""

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
    """A case that needs attention."""

    case_id: int
    tutor: WeeklyTutor
    day: date = Field(description="Day of the follow-up; for cases without an owner, of the opening.")
    owner_name: str | None


class WeeklyCases(BaseModel):
    """Cases: changes in the week, and the state today. Waiting cases are neither overdue nor without an owner."""

    opened: Count = Field(description="In the week.")
    closed: Count = Field(description="In the week.")
    reasons: list[ReasonCount] = Field(description="Of those closed in the week.")
    open: Count = Field(description="Today.")
    overdue: Count = Field(description="Today: cases whose follow-up day has passed.")
    without_owner: Count = Field(description="Today.")
    overdue_cases: list[CaseMentioned] = Field(description=f"The {MOST_LISTED} that wait longest.")
    unowned_cases: list[CaseMentioned] = Field(description=f"The {MOST_LISTED} most urgent.")


class WeeklyOutcomes(BaseModel):
    """Outcomes of cases, and whether talks help. They prove no effect unless the order was randomised."""

    months: int = Field(
        description="Months in which the cases were opened, including that of `as_of`.", examples=[OUTCOME_MONTHS]
    )
    figures: OutcomeFigures
    answers: list[str] = Field(
        description="Did it help? By randomised order if there is one, then compared with the expectation.",
        examples=[["Too few cases to tell yet: 3 of 10 with a talk."]],
    )


class WeeklyCalibration(BaseModel):
    """Forecasts of a year against outcomes, as of the last night."""

    horizon_days: Count = Field(description="Number of days a forecast covers.", examples=[HORIZON_DAYS])
    totals: Honesty


class TutorAtRisk(BaseModel):
    """A tutor with planned sessions of high let-down risk."""

    tutor: WeeklyTutor
    sessions: Count
    students: Count
    student_ids: list[str] = Field(description=f"Their ids as delivered, at most {MOST_STUDENTS}.")
    first_at: AwareDatetime
    let_down_probability: Fraction = Field(description="Probability for each of the sessions.")
    expected_let_downs: float = Field(ge=0, description="Sessions times probability.", examples=[3.4])


class WeekAhead(BaseModel):
    """Planned sessions of the following week that have not begun; empty once it is over."""

    sessions: Count
    at_risk: Count = Field(description="Sessions with a high let-down risk.")
    students: Count = Field(description="Students with a high-risk session.")
    tutors: Count = Field(description="Students with a high-risk session.")
    expected_let_downs: float = Field(
        ge=0, description="Expected let-downs among the sessions at risk.", examples=[12.5]
    )
    riskiest: list[TutorAtRisk] = Field(description=f"The {MOST_LISTED} with most let-downs to be expected.")


class FollowUps(BaseModel):
    """Follow-ups due in the following week."""

    total: Count
    coming: list[CaseMentioned] = Field(description=f"The first {MOST_LISTED}.")


class WeeklyReport(BaseModel):
    """One week for leads; the same as Monday's mail."""

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
