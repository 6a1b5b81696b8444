"""How well forecasts came true, in words that a lead reads. Nothing is computed here."""

from typing import Annotated

from pydantic import BaseModel, Field

from core.words import percent, plural

Share = Annotated[float, Field(ge=0, le=1, examples=[0.93])]
Number = Annotated[int, Field(ge=0)]

HORIZON_DAYS = 30
JUDGED_SESSIONS = 20

COUNTS = (
    "forecasts", "noted_later", "sessions", "let_downs", "covered", "judged", "above", "raised", "raised_above",
    "rises", "rises_flagged",
)  # fmt: skip


def share(part: str, whole: str) -> str:
    """What was counted of what it was counted among, or was to be; null without any."""
    return f"case when sum({whole}) > 0 then least(1, sum({part}) / sum({whole}))::double precision end"


# As columns of a select over `marts.score_calibration`, grouped by anything: the fields of `Honesty`.
FIGURES = f"""
    {", ".join(f"coalesce(sum({name}), 0)::bigint as {name}" for name in COUNTS)},
    coalesce(sum(let_downs_expected), 0) as let_downs_expected,
    {share("covered", "forecasts")} as coverage,
    {share("covered_expected", "forecasts")} as coverage_expected,
    {share("above", "judged")} as above_share,
    {share("above_expected", "judged")} as above_share_expected,
    {share("raised_above", "raised")} as right_share,
    {share("raised_above_expected", "raised")} as right_share_expected,
    {share("raised - raised_above", "raised")} as false_alarm_share,
    coalesce(sum(above - raised_above), 0)::bigint as missed,
    {share("above - raised_above", "judged - raised")} as missed_share,
    {share("rises_flagged", "rises")} as flagged_share,
    (sum(flagged_after_days) / nullif(sum(rises_flagged), 0))::double precision as days_to_flag
"""


class Honesty(BaseModel):
    """Forecasts of let-downs against the outcomes of the next 30 days. Each forecast is about one tutor on one
    Monday."""

    forecasts: Number = Field(description="Forecasts with sessions in the next 30 days.", examples=[1180])
    noted_later: Number = Field(
        description="Of these, forecasts computed afterwards, such as those from before the first run."
    )
    sessions: Number = Field(description="Sessions in these days.", examples=[26400])
    let_downs: Number = Field(description="Of these, let-downs.", examples=[2310])
    let_downs_expected: float = Field(ge=0, description="Forecast number of let-downs.", examples=[2398.4])
    covered: Number = Field(description="Forecasts whose range contained the outcome.", examples=[1101])
    coverage: Share | None = Field(description="covered / forecasts.")
    coverage_expected: Share | None = Field(
        description="Expected coverage: 90%, plus a little because let-downs are whole numbers."
    )
    judged: Number = Field(description="Forecasts with 20 sessions or more in the next 30 days.", examples=[820])
    above: Number = Field(description="Of these, the number with a rate above the limit.", examples=[96])
    above_share: Share | None = Field(description="above / judged.", examples=[0.12])
    above_share_expected: Share | None = Field(description="The forecast of this share.", examples=[0.13])
    raised: Number = Field(description="Judged forecasts with `unreliable` or `getting_worse` raised.", examples=[74])
    raised_above: Number = Field(description="Of these, the number with a rate above the limit.", examples=[58])
    right_share: Share | None = Field(description="raised_above / raised.", examples=[0.78])
    right_share_expected: Share | None = Field(description="The forecast of this share.", examples=[0.84])
    false_alarm_share: Share | None = Field(
        description="1 - right_share: false alarms, and tutors who improved in time.", examples=[0.22]
    )
    missed: Number = Field(description="Tutors above the limit without a raised concern.", examples=[38])
    missed_share: Share | None = Field(
        description="missed / judged forecasts without a raised concern.", examples=[0.05]
    )
    rises: Number = Field(
        description="Tutors whose 30-day rate (at least 20 sessions) rose above the limit.", examples=[41]
    )
    rises_flagged: Number = Field(description="Of these, the number flagged within 30 days.", examples=[22])
    flagged_share: Share | None = Field(description="rises_flagged / rises.", examples=[0.54])
    days_to_flag: float | None = Field(ge=0, description="Mean days until the flag, for these.", examples=[6.2])


def sentences(known: Honesty, limit: float) -> list[str]:
    """What the figures say, the most important first; nothing where there is nothing to say.

    limit: the rate of let-downs that should not be exceeded, 0-1.
    """
    return [
        text for text in (_flags(known, limit), _missed(known, limit), _ranges(known), _delay(known, limit)) if text
    ]


def in_short(known: Honesty) -> str:
    """How often flags were right and ranges held, against what was forecast; for those who read no more than that."""
    if not known.forecasts:
        return f"No forecast is {HORIZON_DAYS} days old yet, so it is not known how often flags are right."
    ranges = (
        f"{percent(known.coverage)} of {plural(known.forecasts, 'outcome')} lay within the forecast range "
        f"({percent(known.coverage_expected)} expected)."
    )
    if not known.raised:
        return f"No flag of {HORIZON_DAYS} days ago or more can be judged yet. {ranges}"
    return (
        f"Of {plural(known.raised, 'weekly check')} of flagged tutors, {HORIZON_DAYS} days ago or more, "
        f"{percent(known.right_share)} were right ({percent(known.right_share_expected)} forecast). {ranges}"
    )


def _flags(known: Honesty, limit: float) -> str | None:
    if not known.raised:
        return None
    return (
        f"Of {plural(known.raised, 'weekly check')} of flagged tutors, {percent(known.right_share)} were right: above "
        f"{percent(limit)} in the next {HORIZON_DAYS} days. {percent(known.false_alarm_share)} were false alarms, or "
        f"the tutor improved. If every stated chance were exact, {percent(known.right_share_expected)} would be right."
    )


def _missed(known: Honesty, limit: float) -> str | None:
    if known.missed_share is None:
        return None
    return (
        f"Of weekly checks of tutors without a flag, {percent(known.missed_share)} found the tutor above "
        f"{percent(limit)} in the next {HORIZON_DAYS} days."
    )


def _ranges(known: Honesty) -> str | None:
    if not known.forecasts:
        return None
    return (
        f"{percent(known.coverage)} of {plural(known.forecasts, 'outcome')} lay within the forecast range; "
        f"{percent(known.coverage_expected)} expected."
    )


def _delay(known: Honesty, limit: float) -> str | None:
    if not known.rises:
        return None
    rose = (
        f"Of {plural(known.rises, 'rise')} above {percent(limit)}, {known.rises_flagged:,} "
        f"{'was' if known.rises_flagged == 1 else 'were'} flagged within {HORIZON_DAYS} days"
    )
    if known.days_to_flag is None:
        return f"{rose}."
    return f"{rose}, after {known.days_to_flag:.1f} days on average."
