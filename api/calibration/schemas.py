"""How well forecasts came true."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from api.fields import Count, Fraction
from api.publication import Meta
from api.tutors.schemas import SearchText
from core.honesty import Honesty

# Where bands of volume begin: the var `volume_bands`, and 0.
VOLUMES = (0, 20, 60, 150)


def _known_band(volume: int) -> int:
    if volume not in VOLUMES:
        raise ValueError(f"Input should be one of: {', '.join(map(str, VOLUMES))}")
    return volume


class CalibrationFilters(BaseModel, extra="forbid"):
    """Which forecasts; without any, those of a year."""

    month: Annotated[str, Field(pattern=r"^[12]\d{3}-(0[1-9]|1[0-2])$")] | None = Field(
        default=None, description="Month of the forecast.", examples=["2026-07"]
    )
    subject: SearchText | None = Field(
        default=None, description="The tutor's main subject, spelt exactly.", examples=["maths"]
    )
    volume: Annotated[int, AfterValidator(_known_band)] | None = Field(
        default=None,
        description="The tutor's sessions in 90 days: the first number of the band.",
        json_schema_extra={"enum": list(VOLUMES)},
        examples=[60],
    )


class ProbabilityBand(BaseModel):
    """Forecasts with about the same probability that the rate of the next 30 days is above the limit."""

    probability_from: Fraction = Field(description="Lower end of the band.", examples=[0.7])
    probability_to: Fraction = Field(description="Upper end of the band.", examples=[0.8])
    judged: Count = Field(description="Forecasts with 20 sessions or more in the next 30 days.", examples=[55])
    probability: Fraction = Field(
        description="Mean probability that the true rate is above the limit, as shown on tutors' pages: another event "
        "than the one compared here.",
        examples=[0.85],
    )
    above_share_expected: Fraction = Field(
        description="Mean forecast: the expected share above the limit in the next 30 days.", examples=[0.76]
    )
    above: Count = Field(description="Number above the limit.", examples=[41])
    above_share: Fraction = Field(description="above / judged.", examples=[0.75])
    above_share_low: Fraction = Field(
        description="Lower end of the 95% interval of above_share. Weekly forecasts of one tutor share days, so the "
        "interval is wider than that of as many independent ones.",
        examples=[0.58],
    )
    above_share_high: Fraction = Field(description="Upper end of this interval.", examples=[0.86])


class MonthHonesty(Honesty):
    """Forecasts of one month."""

    month: date = Field(description="Its first day.")


class SubjectHonesty(Honesty):
    """Forecasts of tutors who mostly taught one subject."""

    subject: str = Field(description="Empty if unknown.", examples=["maths"])


class VolumeHonesty(Honesty):
    """Forecasts of tutors with a similar number of sessions."""

    sessions_from: Count = Field(description="Minimum number of sessions in 90 days.", examples=[60])
    sessions_to: int | None = Field(description="Maximum; null for the last band.", examples=[149])


class Calibration(BaseModel):
    """Forecasts against outcomes, in all and by month, subject and volume."""

    risk_threshold: Fraction = Field(description="The limit of the rate of let-downs.", examples=[0.15])
    sentences: list[str] = Field(description="Conclusions in words, most important first.")
    totals: Honesty
    reliability: list[ProbabilityBand] = Field(
        description="By forecast probability; bands without forecasts are absent."
    )
    by_month: list[MonthHonesty] = Field(description="Oldest first.")
    by_subject: list[SubjectHonesty] = Field(description="In alphabetical order.")
    by_volume: list[VolumeHonesty] = Field(description="Fewest sessions first.")
    subjects: list[str] = Field(description="Of all forecasts, whatever the filters.")
    months: list[date] = Field(description="Of all forecasts, oldest first.")


class CalibrationResponse(BaseModel):
    """How well flags and forecasts hold."""

    data: Calibration
    meta: Meta
