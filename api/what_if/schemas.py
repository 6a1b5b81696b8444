"""What the endpoints of what-ifs take and give."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from api.bodies import WHOLE, Body
from api.fields import Count, Fraction
from core.concerns import ConcernName
from core.scoring_settings import ScoringSettings


class WhatIfPost(Body):
    """Settings to try."""

    changes: ScoringSettings = Field(description="Settings to change; others stay.")
    weeks: Annotated[int, Field(ge=4, le=52), WHOLE] = Field(
        default=26, description="Number of Mondays to replay.", examples=[26]
    )


class WhatIfAccepted(BaseModel):
    """The what-if is being computed."""

    what_if_id: UUID
    status_url: str = Field(
        description="Poll it until `state` is `done` or `failed`.",
        examples=["/api/what-if/6f1f6c6e-8a0c-4a5e-9e6c-1f9be2b1a3d7"],
    )


class SettingChange(BaseModel, serialize_by_alias=True):
    """A changed setting."""

    before: Any = Field(alias="from", description="Value in force.", examples=[0.15])
    after: Any = Field(alias="to", examples=[0.2])


class ConcernToday(BaseModel):
    """Tutors with one concern raised today, without superseded ones."""

    concern: ConcernName
    raised_now: Count
    raised_then: Count = Field(description="Raised with the changed settings.")
    raised: Count = Field(description="Of these, not raised at present.")
    cleared: Count = Field(description="Raised at present, but not with the changed settings.")


class WhatIfChange(BaseModel):
    """A concern that would be raised or cleared today."""

    tutor_id: UUID
    external_id: str | None = Field(description="Null if the tutor is no longer known.", examples=["T-1042"])
    name: str | None = Field(examples=["Ann Lee"])
    concern: ConcernName
    change: Literal["raised", "cleared"]
    status_now: str | None = Field(description="Null without evidence.", examples=["watch"])
    status_then: str | None = Field(examples=["raised"])
    probability_now: Fraction | None
    probability_then: Fraction | None


class QualityToday(BaseModel):
    """Quality scores that would differ today."""

    changed: Count
    scored: Count = Field(description="Tutors with a score.")
    greatest_change: float = Field(ge=0, description="In points of 100.", examples=[4.2])


class WhatIfToday(BaseModel):
    """The as-of day with the changed settings: exactly what a run with them would publish."""

    raised_now: Count = Field(description="Tutors with a raised concern.", examples=[42])
    raised_then: Count = Field(description="Raised with the changed settings.", examples=[31])
    by_concern: list[ConcernToday]
    changes: list[WhatIfChange] = Field(description="At most 1,000, largest differences first.")
    quality: QualityToday


class ReplayedWeek(BaseModel):
    """One Monday."""

    week: date
    raised: Count = Field(description="Tutors with a raised concern.")
    onsets: Count = Field(description="Of these, without one the Monday before.")


class ReplayedConcern(BaseModel):
    """One concern over all Mondays."""

    concern: ConcernName
    onsets_per_week: float | None = Field(ge=0, examples=[2.4])
    raised_on_average: float | None = Field(ge=0, examples=[11.5])


class Replay(BaseModel):
    """Past Mondays with one set of settings, computed from present data. Let-downs are judged as in the calibration."""

    weeks: list[ReplayedWeek] = Field(description="Oldest first.")
    by_concern: list[ReplayedConcern]
    onsets_per_week: float | None = Field(ge=0, description="Tutors newly raised, on average.", examples=[4.1])
    raised_on_average: float | None = Field(ge=0, description="Tutors raised, on average.", examples=[38.0])
    judged: Count = Field(description="Weekly checks of tutors with 20 sessions or more in the next 30 days.")
    above: Count = Field(description="Of these, the number with a raw rate of let-downs above the limit.")
    judged_raised: Count = Field(description="Of these, with `unreliable` or `getting_worse` raised.")
    raised_above: Count = Field(description="Of the raised ones, the number above the limit.")
    right_share: Fraction | None = Field(description="raised_above / judged_raised.", examples=[0.78])
    missed_share: Fraction | None = Field(
        description="Of judged checks without a raised concern, the share above the limit.", examples=[0.04]
    )


class WhatIfHistory(BaseModel):
    """The same Mondays with both settings. Each is judged by its own let-down limit."""

    present: Replay = Field(description="With the settings in force.")
    changed: Replay = Field(description="Raised with the changed settings.")


class WhatIfResult(BaseModel):
    """The result."""

    as_of: date
    generation: int = Field(description="Generation of the publication used for comparison.")
    changed: dict[str, SettingChange]
    today: WhatIfToday
    history: WhatIfHistory


class WhatIf(BaseModel):
    """A what-if and its progress."""

    what_if_id: UUID
    changes: dict[str, Any] = Field(examples=[{"risk_threshold": 0.2}])
    weeks: int = Field(examples=[26])
    asked_by: str = Field(examples=["Ann Lee (person 7)"])
    asked_at: AwareDatetime
    state: Literal["queued", "running", "done", "failed"]
    step: str = Field(description="Present step.", examples=["with the changed settings: int_concern_days"])
    progress: Fraction
    error: str | None = Field(description="Why it failed.")


class WhatIfDetail(WhatIf):
    """A what-if with its result."""

    result: WhatIfResult | None = Field(description="Null until it is done.")


class WhatIfResponse(BaseModel):
    """One what-if."""

    data: WhatIfDetail


class WhatIfList(BaseModel):
    """What-ifs of the last week, newest first."""

    data: list[WhatIf]
