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
    """A question."""

    changes: ScoringSettings = Field(description="What is changed; what is left out stays.")
    weeks: Annotated[int, Field(ge=4, le=52), WHOLE] = Field(
        default=26, description="How many Mondays are replayed.", examples=[26]
    )


class WhatIfAccepted(BaseModel):
    """It is being answered."""

    what_if_id: UUID
    status_url: str = Field(
        description="Ask there until `state` is `done`.", examples=["/api/what-if/6f1f6c6e-8a0c-4a5e-9e6c-1f9be2b1a3d7"]
    )


class SettingChange(BaseModel, serialize_by_alias=True):
    """A setting that is another one."""

    before: Any = Field(alias="from", description="In force.", examples=[0.15])
    after: Any = Field(alias="to", examples=[0.2])


class ConcernToday(BaseModel):
    """Tutors about whom one concern is raised today. What counts for nothing beside a graver one is left out."""

    concern: ConcernName
    raised_now: Count
    raised_then: Count = Field(description="With the changed settings.")
    raised: Count = Field(description="Of these, not raised now.")
    cleared: Count = Field(description="Raised now, and not with the changed settings.")


class WhatIfChange(BaseModel):
    """A concern that would be raised or cleared today."""

    tutor_id: UUID
    external_id: str | None = Field(description="Null if the tutor is not known any more.", examples=["T-1042"])
    name: str | None = Field(examples=["Ann Lee"])
    concern: ConcernName
    change: Literal["raised", "cleared"]
    status_now: str | None = Field(description="Null without evidence.", examples=["watch"])
    status_then: str | None = Field(examples=["raised"])
    probability_now: Fraction | None
    probability_then: Fraction | None


class QualityToday(BaseModel):
    """Quality scores that would be others today."""

    changed: Count
    scored: Count = Field(description="Tutors with a score.")
    greatest_change: float = Field(ge=0, description="In points of 100.", examples=[4.2])


class WhatIfToday(BaseModel):
    """The as-of day with the changed settings: exactly what a run with them would publish."""

    raised_now: Count = Field(description="Tutors with a raised concern.", examples=[42])
    raised_then: Count = Field(description="With the changed settings.", examples=[31])
    by_concern: list[ConcernToday]
    changes: list[WhatIfChange] = Field(description="At most 1,000; the greatest differences first.")
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
    """Past Mondays with one set of settings, from what is known now. Let-downs are judged as the calibration does."""

    weeks: list[ReplayedWeek] = Field(description="Oldest first.")
    by_concern: list[ReplayedConcern]
    onsets_per_week: float | None = Field(ge=0, description="Tutors newly raised, on average.", examples=[4.1])
    raised_on_average: float | None = Field(ge=0, description="Tutors raised, on average.", examples=[38.0])
    judged: Count = Field(description="Weekly checks of tutors with 20 sessions or more in the 30 days after.")
    above: Count = Field(description="Of these, how many then had a raw rate of let-downs above the limit.")
    judged_raised: Count = Field(description="Of these, with `unreliable` or `getting_worse` raised.")
    raised_above: Count = Field(description="Of the raised, how many were above the limit.")
    right_share: Fraction | None = Field(description="raised_above / judged_raised.", examples=[0.78])
    missed_share: Fraction | None = Field(
        description="Of judged checks with nothing raised, how many were above the limit.", examples=[0.04]
    )


class WhatIfHistory(BaseModel):
    """The same Mondays twice. Each is judged by its own let-down limit."""

    present: Replay = Field(description="With the settings in force.")
    changed: Replay = Field(description="With the changed settings.")


class WhatIfResult(BaseModel):
    """The answer."""

    as_of: date
    generation: int = Field(description="The publication that it was compared with.")
    changed: dict[str, SettingChange]
    today: WhatIfToday
    history: WhatIfHistory


class WhatIf(BaseModel):
    """A question and how far it has come."""

    what_if_id: UUID
    changes: dict[str, Any] = Field(examples=[{"risk_threshold": 0.2}])
    weeks: int = Field(examples=[26])
    asked_by: str = Field(examples=["Ann Lee (person 7)"])
    asked_at: AwareDatetime
    state: Literal["queued", "running", "done", "failed"]
    step: str = Field(description="What is done now.", examples=["with the changed settings: int_concern_days"])
    progress: Fraction
    error: str | None = Field(description="Why it failed.")


class WhatIfDetail(WhatIf):
    """With its answer."""

    result: WhatIfResult | None = Field(description="Null until it is done.")


class WhatIfResponse(BaseModel):
    """One question."""

    data: WhatIfDetail


class WhatIfList(BaseModel):
    """Questions of the last week, newest first."""

    data: list[WhatIf]
