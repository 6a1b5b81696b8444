"""What is answered about a tutor who may stop."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, Field

from api.fields import Count, Fraction
from api.matching.schemas.people import MatchMeta


class AttritionFactor(BaseModel):
    """A factor of the risk that a tutor stops."""

    feature: str = Field(examples=["days_since_session"])
    label: str = Field(examples=["days since the last session held"])
    value: float | None = Field(description="Null if it is unknown.", examples=[12])
    effect: float = Field(description="Contribution to the log-odds; above 0 it increases the risk.", examples=[0.8])


class TutorAttrition(BaseModel):
    """The probability that a tutor stops, and the reasons."""

    stop_probability: Fraction = Field(
        description="Probability that no session with the tutor is held in the last 30 of the 60 days after `as_of`. "
        "Rules (`rules-v1`) are not calibrated: use their order, not their figures."
    )
    level: Literal["low", "medium", "high"] = Field(description="`high` from 30% on, `medium` from 15% on.")
    as_of: date = Field(description="The last complete day before the roll-over.")
    model_version: str = Field(examples=["rules-v1"])
    sessions_28d: Count | None = Field(description="Sessions held in 28 days, without days of a platform-wide break.")
    sessions_28d_before: Count | None = Field(description="The same for the 28 days before.")
    days_since_session: Count | None = Field(description="Days since the last session, without breaks.")
    planned_sessions_14d: Count | None = Field(description="Sessions planned for the next 14 days.")
    factors: list[AttritionFactor] = Field(description="Factors of the risk, strongest first.")


class AttritionMeta(MatchMeta):
    """The publication and the state of predictions behind an answer."""

    is_predicted: bool = Field(description="False until predictions of tutors are made for the first time.")


class TutorAttritionResponse(BaseModel):
    """The probability that one tutor stops."""

    data: TutorAttrition | None = Field(description="Null for an inactive tutor, or one with too few recent sessions.")
    meta: AttritionMeta
