"""SQL of calibration: cells of `marts.score_calibration` put together."""

from datetime import date
from typing import Any

from pydantic import BaseModel

from api.calibration.schemas import (
    VOLUMES,
    Calibration,
    CalibrationFilters,
    CalibrationResponse,
    MonthHonesty,
    ProbabilityBand,
    SubjectHonesty,
    VolumeHonesty,
)
from api.database import VERSION, Statement
from api.publication import META_SQL, Meta
from core.honesty import FIGURES, Honesty, sentences, share

# Standard deviations on both sides of 95%.
Z = "1.959964::double precision"

CALIBRATION = f"""
with cells as (
    select * from marts.score_calibration
    where ($1::date is null or forecast_month = $1)
        and ($2::text is null or subject = $2)
        and ($3::integer is null or volume_from = $3)
),

totals as (
    select {FIGURES} from cells
),

sums as (
    select
        probability_band,
        sum(judged)::bigint as judged,
        greatest(1, sum(judged) ^ 2 / sum(judged_squares))::double precision as worth,
        {share("probability_sum", "judged")} as probability,
        {share("above_expected", "judged")} as above_share_expected,
        sum(above)::bigint as above,
        {share("above", "judged")} as above_share
    from cells
    group by probability_band
    having sum(judged) > 0
),

-- Wilson's interval of 95%, of as many checks as would say as much if they shared no days.
bands as (
    select
        sums.probability_band / 10.0 as probability_from,
        (sums.probability_band + 1) / 10.0 as probability_to,
        sums.judged,
        sums.probability,
        sums.above_share_expected,
        sums.above,
        sums.above_share,
        greatest(0, wilson.middle - wilson.reach) as above_share_low,
        least(1, wilson.middle + wilson.reach) as above_share_high
    from sums
    cross join
        lateral (
            select
                (above_share + {Z} ^ 2 / (2 * worth)) / (1 + {Z} ^ 2 / worth) as middle,
                {Z} * sqrt(above_share * (1 - above_share) / worth + {Z} ^ 2 / (4 * worth ^ 2))
                / (1 + {Z} ^ 2 / worth) as reach
        ) as wilson
    order by sums.probability_band
),

months as (
    select forecast_month as month, {FIGURES} from cells group by forecast_month order by forecast_month
),

subjects as (
    select subject, {FIGURES} from cells group by subject order by subject
),

volumes as (
    select volume_from as sessions_from, {FIGURES} from cells group by volume_from order by volume_from
)

select
    {VERSION},
    json_build_object(
        'risk_threshold', publication.risk_threshold,
        'totals', (select to_json(totals) from totals),
        'reliability', coalesce((select json_agg(bands) from bands), '[]'),
        'by_month', coalesce((select json_agg(months) from months), '[]'),
        'by_subject', coalesce((select json_agg(subjects) from subjects), '[]'),
        'by_volume', coalesce((select json_agg(volumes) from volumes), '[]'),
        'subjects', (select coalesce(json_agg(distinct subject), '[]') from marts.score_calibration),
        'months', (select coalesce(json_agg(distinct forecast_month), '[]') from marts.score_calibration),
        'meta', json_build_object({META_SQL})
    )
from marts.publication
"""


class Facts(BaseModel):
    """What the query gives."""

    risk_threshold: float
    totals: Honesty
    reliability: list[ProbabilityBand]
    by_month: list[MonthHonesty]
    by_subject: list[SubjectHonesty]
    by_volume: list[dict[str, Any]]
    subjects: list[str]
    months: list[date]
    meta: Meta


def calibration(filters: CalibrationFilters) -> Statement:
    """What `Facts` is made from."""
    month = date.fromisoformat(f"{filters.month}-01") if filters.month else None
    return Statement(CALIBRATION, (month, filters.subject, filters.volume))


def describe(facts_json: bytes) -> bytes:
    """The body of the answer (`CalibrationResponse`) from the body of the query (`Facts`)."""
    facts = Facts.model_validate_json(facts_json)
    data = Calibration(
        **dict(facts.model_copy(update={"by_volume": [_volume(row) for row in facts.by_volume]})),
        sentences=sentences(facts.totals, facts.risk_threshold),
    )
    return CalibrationResponse(data=data, meta=facts.meta).model_dump_json().encode()


def _volume(row: dict[str, Any]) -> VolumeHonesty:
    after = [start for start in VOLUMES if start > row["sessions_from"]]
    return VolumeHonesty(**row, sessions_to=after[0] - 1 if after else None)
