"""What the endpoints of scoring settings take and give."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.bodies import Body
from core.scoring_settings import Cause, ScoringSettings, Unit
from ingest.contract import NOT_BLANK

Value = float | list[Cause]
Note = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=NOT_BLANK)]


class ScoringSetting(BaseModel):
    """One adjustable setting."""

    name: str = Field(description="As in `changes`.", examples=["risk_threshold"])
    label: str = Field(examples=["Let-down limit"])
    description: str = Field(examples=["A rate of let-downs above it is a concern."])
    group: str = Field(examples=["Limits"])
    unit: Unit = Field(description="`share`: 0-1; `rating`: of 1-5; `causes`: a list of causes.")
    step: float = Field(description="Step of a slider.", examples=[0.01])
    least: float | None = Field(description="Minimum; null for causes.", examples=[0.01])
    most: float | None = Field(description="Maximum; null for causes.", examples=[0.5])
    configured: Value = Field(description="Value from the environment and the dbt project.", examples=[0.15])
    value: Value = Field(description="Value for the next run.", examples=[0.18])
    published: Value | None = Field(description="Value behind the published scores.", examples=[0.15])


class AppliedSettings(BaseModel):
    """One application of settings."""

    settings_id: int = Field(examples=[3])
    settings: dict[str, Any] = Field(description="All settings that differed from the configured ones from then on.")
    note: str | None = Field(examples=["Fewer talks, agreed on 12 November"])
    applied_at: AwareDatetime
    applied_by: str = Field(examples=["Ann Lee (person 7)"])


class Scoring(BaseModel):
    """Effective settings and their history."""

    settings: list[ScoringSetting] = Field(description="In the order of a form.")
    is_published: bool = Field(description="Whether the published scores were made with these settings.")
    history: list[AppliedSettings] = Field(
        description="The last 50 applications, newest first; the first one is in force."
    )


class ScoringResponse(BaseModel):
    """Settings of scoring."""

    data: Scoring


class ScoringPatch(Body):
    """Settings to apply: they count from the next run on."""

    changes: ScoringSettings
    note: Note | None = Field(default=None, description="Why; for the history and the audit log.")
