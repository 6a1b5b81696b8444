"""What is answered about a tutor who may stop."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, Field

from api.fields import Count, Fraction
from api.matching.schemas.people import MatchMeta


class AttritionFactor(BaseModel):
    """Something that moves the risk that a tutor stops."""

    feature: str = Field(examples=["days_since_session"])
    label: str = Field(examples=["days since the last session held"])
    value: float | None = Field(description="Null if it is unknown.", examples=[12])
    effect: float = Field(description="What it adds to the log-odds; above 0 it raises the risk.", examples=[0.8])


class TutorAttrition(BaseModel):
    """How probable it is that a tutor stops, and why."""

    stop_probability: Fraction = Field(
        description="Probability that no session with the tutor is held in the last 30 of the 60 days after `as_of`. "
        "Rules (`rules-v1`) are not calibrated: their order tells something, their figures do not."
    )
    level: Literal["low", "medium", "high"] = Field(description="`high` from 30% on, `medium` from 15% on.")
    as_of: date = Field(description="The day whose end it is as of: the last one that was over at the roll-over.")
    model_version: str = Field(examples=["rules-v1"])
    sessions_28d: Count | None = Field(description="Sessions held in 28 days, days of a platform-wide break apart.")
    sessions_28d_before: Count | None = Field(description="The same of the 28 days before.")
    days_since_session: Count | None = Field(description="Days since the last one, breaks apart.")
    planned_sessions_14d: Count | None = Field(description="Sessions planned for the next 14 days.")
    factors: list[AttritionFactor] = Field(description="What moves it most, strongest first.")


class TutorAttritionResponse(BaseModel):
    """How probable it is that one tutor stops."""

    data: TutorAttrition | None = Field(
        description="Null for a tutor who is not active, or of whom too few sessions are known lately."
    )
    meta: MatchMeta
