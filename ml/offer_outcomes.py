"""What became of offers, read from the database, and what that says of policies: the answer of `evaluate-policy`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any, LiteralString

import numpy as np
from psycopg.rows import dict_row

from core.database import Database
from core.scoring_settings import project_vars
from core.settings import Settings
from ml.marts import marts_needed
from ml.policy import OUTCOMES, POLICIES, Policy, compare_holdout, evaluate, slates_of

# One row per slate, with lists by place. An offer is taken if it was accepted, or if a session of the pair was booked
# or held within so many days of it; started if the pair's first completed session was held in that time; continued if
# a second one followed in time. Outcomes are known once all these days are over. Pairs that had met are no new ones.
OUTCOMES_OF_SLATES: LiteralString = """
with as_of as (
    select as_of from intermediate.int_as_of
),

slates as (
    select
        slates.*,
        slates.offered_at + make_interval(days => %(days)s) as ends_at,
        (slates.offered_at at time zone %(timezone)s)::date + %(days)s + %(follow_up_days)s <= as_of.as_of as is_known
    from ml.slates as slates
    cross join as_of
    where %(since)s::date is null or (slates.offered_at at time zone %(timezone)s)::date >= %(since)s
),

offers as (
    select
        offers.slate_id,
        offers.place,
        array_position(slates.candidates, offers.tutor_id) - 1 as position,
        coalesce(firsts.scheduled_time < slates.offered_at, false) as had_met,
        offers.accepted_at is not null or exists (
            select from marts.fct_sessions as sessions
            where
                sessions.student_id = slates.student_id
                and sessions.tutor_id = offers.tutor_id
                and coalesce(sessions.booked_at, sessions.scheduled_time) >= slates.offered_at
                and coalesce(sessions.booked_at, sessions.scheduled_time) < slates.ends_at
        ) as is_taken,
        coalesce(firsts.scheduled_time >= slates.offered_at and firsts.scheduled_time < slates.ends_at, false)
            as is_started,
        coalesce(pairs.is_continued, false) as is_continued
    from slates
    inner join ml.offers as offers on slates.slate_id = offers.slate_id
    left join intermediate.int_pairs as pairs
        on slates.student_id = pairs.student_id and offers.tutor_id = pairs.tutor_id
    left join marts.fct_sessions as firsts on pairs.first_session_id = firsts.session_id
)

select
    slates.student_id,
    slates.subject,
    slates.source,
    slates.policy,
    slates.model_version,
    slates.lottery,
    slates.candidate_churn,
    slates.candidate_rules,
    slates.holdout_share,
    slates.holdout_week,
    slates.is_holdout,
    slates.is_known,
    array_agg(offers.position order by offers.place) as shown,
    array_agg(offers.had_met order by offers.place) as had_met,
    array_agg(offers.is_taken::integer order by offers.place) as taken,
    array_agg(offers.is_started::integer order by offers.place) as started,
    array_agg((offers.is_started and offers.is_continued)::integer order by offers.place) as continued
from slates
inner join offers on slates.slate_id = offers.slate_id
group by
    slates.slate_id, slates.student_id, slates.subject, slates.source, slates.policy, slates.model_version,
    slates.lottery, slates.candidate_churn, slates.candidate_rules, slates.holdout_share, slates.holdout_week,
    slates.is_holdout, slates.is_known, slates.offered_at
order by slates.offered_at, slates.slate_id
"""

Row = Mapping[str, Any]


def evaluate_offers(
    settings: Settings, database: Database, *, since: date | None = None, policies: Sequence[Policy] = POLICIES
) -> dict[str, Any]:
    """What became of the offers since a day, and what policies would have come to; as JSON has it.

    Raises TutorqError if the marts have not been built.
    """
    follow_up_days = int(project_vars()["first_session_follow_up_days"])
    values = {
        "days": settings.offer_days,
        "follow_up_days": follow_up_days,
        "timezone": settings.timezone,
        "since": since,
    }
    with marts_needed(), database.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(OUTCOMES_OF_SLATES, values).fetchall()
    known = [row for row in rows if row["is_known"]]
    drawn = [row for row in known if row["source"] == "offer"]
    slates = slates_of([row for row in drawn if not row["is_holdout"]])
    estimates = []
    for outcome in OUTCOMES:
        for (first, second), each in evaluate(slates, outcome, policies).items():
            estimates.append({"outcome": outcome, "policy": first, "against": second, **asdict(each)})
    return {
        "days": settings.offer_days,
        "known_after_days": settings.offer_days + follow_up_days,
        "since": since,
        "slates": len(rows),
        "known": len(known),
        "observed": _observed(known),
        "estimates": estimates,
        "holdout": _holdout(drawn),
    }


def _observed(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """By source, policy and model: offers of pairs that had not met, and how many were taken, started and continued."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        key = row["source"], row["policy"], row["model_version"]
        counted = found.setdefault(
            key,
            {
                **dict(zip(("source", "policy", "model_version"), key, strict=True)),
                "slates": 0, "offers": 0, "had_met": 0, "taken": 0, "started": 0, "continued": 0,
            },
        )  # fmt: skip
        new = [not had_met for had_met in row["had_met"]]
        counted["slates"] += 1
        counted["offers"] += sum(new)
        counted["had_met"] += len(new) - sum(new)
        for name in ("taken", "started", "continued"):
            counted[name] += sum(value for value, is_new in zip(row[name], new, strict=True) if is_new)
    return [found[key] for key in sorted(found)]


def _holdout(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What came of slates drawn while cells were held out, by outcome."""
    rows = [row for row in rows if row["holdout_share"] > 0]
    cells = {cell: at for at, cell in enumerate(dict.fromkeys((row["subject"], row["holdout_week"]) for row in rows))}
    cell = np.array([cells[row["subject"], row["holdout_week"]] for row in rows], dtype=np.int64)
    is_held_out = np.array([row["is_holdout"] for row in rows], dtype=np.bool_)
    return [
        {
            "outcome": outcome,
            **asdict(compare_holdout(np.array([float(sum(row[outcome])) for row in rows]), is_held_out, cell)),
        }
        for outcome in OUTCOMES
    ]
