"""What a tutor's own page is made of."""

from datetime import date
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from core.appeals import AppealReason, AppealState, Happened, Remedy
from core.concerns import Concern, ConcernName, Recently, Rules


class Figures(BaseModel):
    """The tutor's counts of the last 30 and 90 days: columns of `marts.tutor_scores`."""

    sessions_30d: int
    sessions_90d: int
    tutor_reschedules_30d: int
    tutor_reschedules_90d: int
    tutor_cancellations_30d: int
    tutor_cancellations_90d: int
    tutor_no_shows_30d: int
    tutor_no_shows_90d: int
    late_starts_30d: int
    late_starts_90d: int
    started_90d: int
    let_downs_30d: int
    let_downs_90d: int
    let_down_rate_30d: float | None
    let_down_rate_90d: float | None
    trend_30d: float | None
    ratings_90d: int
    rating_mean_90d: float | None


class OwnSession(BaseModel):
    """A session that counts against the tutor, or would if it were not excused. Of the student, nothing."""

    session_id: UUID
    scheduled_time: AwareDatetime
    happened: Happened
    notice_hours: float | None
    lateness_minutes: float | None
    is_excused: bool
    counts: bool
    appeal_id: int | None
    appeal_state: AppealState | None

    @property
    def can_be_appealed(self) -> bool:
        """It counts, and no appeal about it is open."""
        return self.counts and self.appeal_state is not AppealState.OPEN


class AppealedSession(BaseModel):
    """A session that an appeal is about."""

    scheduled_time: AwareDatetime | None
    happened: Happened
    remedy: Remedy | None


class OwnAppeal(BaseModel):
    """An appeal of the tutor. Of who decided, nothing."""

    appeal_id: int
    state: AppealState
    concern: ConcernName | None
    reason: AppealReason
    text: str | None
    created_at: AwareDatetime
    due_on: date
    settled_at: AwareDatetime | None
    answer: str | None
    sessions: list[AppealedSession]


class OwnPage(BaseModel):
    """All that a tutor's page shows."""

    name: str | None
    closes_at: AwareDatetime | None
    has_address: bool
    as_of: date
    figures: Figures | None
    platform_rate_90d: float | None
    rules: Rules
    concerns: list[Concern]
    sessions: list[OwnSession]
    sessions_total: int
    sessions_counting: int
    sessions_late: int
    appeals: list[OwnAppeal]

    @property
    def recently(self) -> Recently | None:
        """What sentences about a sudden change need."""
        known = self.figures
        if known is None:
            return None
        return Recently(let_down_rate_30d=known.let_down_rate_30d, trend_30d=known.trend_30d)

    def has_open_appeal(self, concern: ConcernName) -> bool:
        """Whether somebody is looking at this concern already."""
        return any(each.concern is concern and each.state is AppealState.OPEN for each in self.appeals)
