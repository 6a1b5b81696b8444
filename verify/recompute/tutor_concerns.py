"""The rows of `marts.tutor_concerns`: concerns of every tutor on the as-of day, from facts and what is kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from verify.inputs import Basis, KeptDays
from verify.recompute.change_filter import ChangeFilter
from verify.recompute.concerns import (
    Concern,
    DailyCounts,
    StoredDays,
    assess,
    rate_concerns,
    rate_probability,
    rating_probability,
)
from verify.recompute.evidence import BetaMixture, Floats
from verify.recompute.rating_evidence import RatingPrior
from verify.recompute.rules import Rules, published_rules

Column: TypeAlias = "pd.Series[Any]"

# Probabilities of the marts are off by so much at most; near a level the status is then as right as the other one.
NEAR = 1e-3


def daily_counts(tutor_ids: pd.Index, facts: pd.DataFrame, basis: Basis) -> DailyCounts:
    """What happened per tutor (in the order of `tutor_ids`) and day, the as-of day last.

    facts: as `session_facts` gives them. From the first day with a session on, and never fewer days than count.
    """
    today = pd.Timestamp(basis.as_of)
    final = facts[facts["is_final"] & (facts["counted_on"] <= today)]
    rated = final.dropna(subset=["rating"])
    meetings = _meetings(facts, basis)
    rules = published_rules(basis)
    days = max(
        rules.evidence_days + rules.concern_days,
        basis.first_session_window_days + rules.concern_days,
        *((today - final["counted_on"]).dt.days + 1),
        0,
    )

    def daily(rows: pd.DataFrame, day: str, amount: Column | None = None) -> Floats:
        age = (today - rows[day]).dt.days.to_numpy()
        is_inside = (age >= 0) & (age < days)
        counts = np.zeros((len(tutor_ids), days))
        places = (tutor_ids.get_indexer(pd.Index(rows["tutor_id"].astype("str")))[is_inside], days - 1 - age[is_inside])
        np.add.at(counts, places, 1.0 if amount is None else amount.to_numpy(dtype=np.float64)[is_inside])
        return counts

    return DailyCounts(
        sessions=daily(final, "counted_on", final["sessions"]),
        let_downs=daily(final, "counted_on", final["let_downs"]),
        no_shows=daily(final, "counted_on", final["tutor_no_shows"]),
        started=daily(final, "counted_on", final["started"]),
        late_starts=daily(final, "counted_on", final["late_starts"]),
        first_meetings=daily(meetings, "first_session_on"),
        first_meetings_lost=daily(meetings, "first_session_on", meetings["is_lost"]),
        ratings=daily(rated, "counted_on"),
        rating_sums=daily(rated, "counted_on", rated["rating"]),
        rating_sums_of_squares=daily(rated, "counted_on", rated["rating"] ** 2),
    )


def _meetings(facts: pd.DataFrame, basis: Basis) -> pd.DataFrame:
    """tutor_id, first_session_on and is_lost of each pair with a completed session; lost if no other one followed."""
    pair = ["tutor_id", "student_id"]
    completed = facts.loc[facts["status"] == "completed", [*pair, "scheduled_on"]]
    firsts = completed.groupby(pair, observed=True)["scheduled_on"].min().rename("first_session_on").reset_index()
    both = completed.merge(firsts, on=pair)
    patience = pd.Timedelta(days=basis.first_session_follow_up_days)
    both["is_within"] = both["scheduled_on"] <= both["first_session_on"] + patience
    meetings = both.groupby(pair, observed=True).agg(
        first_session_on=("first_session_on", "first"), within=("is_within", "sum")
    )
    return meetings.assign(is_lost=meetings["within"] < 2).reset_index()


def concerns_of_tutors(tutor_ids: Iterable[str], facts: pd.DataFrame, basis: Basis, kept: KeptDays) -> pd.DataFrame:
    """The columns of `marts.tutor_concerns`, index concern_key, and `is_near`: a probability is near a level.

    A row for each concern of which anything is known.
    """
    tutors = pd.Index(sorted(tutor_ids), name="tutor_id", dtype="str")
    counts = daily_counts(tutors, facts, basis)
    rules = published_rules(basis)
    (narrow_alpha, narrow_beta, broad_alpha, broad_beta) = kept.filter_prior
    prior = BetaMixture(_shares(rules), np.array([narrow_alpha, broad_alpha]), np.array([narrow_beta, broad_beta]))
    found = assess(
        counts,
        ChangeFilter.of_prior(prior, min(basis.risk_threshold, rules.greatest_limit), kept.design_effect, rules),
        basis.risk_threshold,
        rules,
        _stored_rates(counts, basis, kept, rules),
        _stored_ratings(counts, basis, kept, rules),
    )
    is_known = {name: ~np.isnan(concern.probability) for name, concern in found.items()}
    is_known["getting_worse"] &= is_known["unreliable"]  # nothing is said of those who have stopped
    is_near = {name: _is_near(concern, rules) for name, concern in found.items()}
    is_near["getting_worse"] |= is_near["unreliable"]  # by which it is superseded
    parts = [
        _rows(name, concern, tutors, basis, rules, kept.stretches, is_near[name])[is_known[name]]
        for name, concern in found.items()
    ]
    return pd.concat(parts).sort_index()


def _shares(rules: Rules) -> Floats:
    return np.array([1 - rules.broad_share, rules.broad_share])


def _closed_days(basis: Basis, kept: pd.DataFrame, name: str, days: int) -> dict[int, Any]:
    """What is kept of a concern, by the place of its day among the last `days`."""
    rows = kept[kept["concern"] == name]
    ages = [(basis.as_of - day).days for day in rows["concern_day"]]
    records = rows.to_dict("records")
    return {days - 1 - age: record for age, record in zip(ages, records, strict=True) if 0 < age < days}


def _stored_rates(counts: DailyCounts, basis: Basis, kept: KeptDays, rules: Rules) -> dict[str, StoredDays]:
    stored = {}
    days = rules.concern_days
    for name, concern in rate_concerns(basis.risk_threshold, rules).items():
        _, every_day, _ = rate_probability(concern, counts, rules=rules)
        alpha, beta = (part[:, -days:].copy() for part in (every_day.priors.alpha, every_day.priors.beta))
        limits = every_day.limits[-days:].copy()
        for place, day in _closed_days(basis, kept.priors, name, days).items():
            limits[place] = day["platform_rate"] + concern.margin if concern.limit is None else concern.limit
            broad_mean = min(0.5, max(min(limits[place], rules.greatest_limit), 2 * day["mean_rate"]))
            broad = max(4, 1 / broad_mean)
            alpha[:, place] = day["prior_alpha"], broad * broad_mean
            beta[:, place] = day["prior_beta"], broad * (1 - broad_mean)
        if name in kept.priors_of_today:
            limits[-1], *parts = kept.priors_of_today[name][:5]
            alpha[:, -1], beta[:, -1] = parts[:2], parts[2:]
        shares = np.repeat(_shares(rules)[:, np.newaxis], days, axis=1)
        stored[name] = StoredDays(BetaMixture(shares, alpha, beta), limits)
    return stored


def _stored_ratings(counts: DailyCounts, basis: Basis, kept: KeptDays, rules: Rules) -> RatingPrior:
    days = rules.concern_days
    _, every_day, _ = rating_probability(counts, rules=rules)
    mean, between, within = (part[-days:].copy() for part in every_day)
    for place, day in _closed_days(basis, kept.priors, "low_ratings", days).items():
        mean[place], between[place], within[place] = (
            day["rating_mean"],
            day["between_variance"],
            day["within_variance"],
        )
    if "low_ratings" in kept.priors_of_today:
        mean[-1], between[-1], within[-1] = kept.priors_of_today["low_ratings"][5:]
    return RatingPrior(mean, between, within)


def _is_near(concern: Concern, rules: Rules) -> npt.NDArray[np.bool_]:
    distances = [
        np.abs(concern.daily_probability - level) for level in (rules.high_risk_probability, rules.watch_probability)
    ]
    return np.asarray((np.nan_to_num(np.minimum(*distances), nan=1.0) <= NEAR).any(axis=1))


def _rows(
    name: str,
    concern: Concern,
    tutors: pd.Index,
    basis: Basis,
    rules: Rules,
    stretches: pd.DataFrame,
    is_near: npt.NDArray[np.bool_],
) -> pd.DataFrame:
    raised = concern.status == "raised"
    recent, days = concern.daily_probability, rules.concern_days
    high = np.where(recent >= rules.high_risk_probability, np.arange(days), -1).max(axis=1)
    is_never_low = ~(recent < rules.watch_probability).any(axis=1)
    raised_days = concern.raised_days.copy()
    # Of a stretch that comes in from before the last 30 days, only what is kept tells when it began.
    first_day = basis.as_of - timedelta(days=days - 1)
    coming_in = stretches[(stretches["concern"] == name) & (stretches["raised_on"] < first_day)]
    began = dict(zip(coming_in["tutor_id"], coming_in["raised_on"], strict=True))
    for place in map(int, np.flatnonzero(raised & is_never_low)):
        if (since := began.get(tutors[place])) is not None:
            raised_days[place] = (basis.as_of - since).days

    def on(numbers: npt.NDArray[np.int64], sign: int, is_date: npt.NDArray[np.bool_]) -> list[date | None]:
        return [
            basis.as_of + timedelta(days=sign * int(number)) if known else None
            for number, known in zip(numbers, is_date, strict=True)
        ]

    return pd.DataFrame(
        {
            "tutor_id": tutors,
            "concern": name,
            "as_of": pd.Series([basis.as_of] * len(tutors), dtype="object"),
            "status": pd.Series(concern.status, dtype="str"),
            "superseded": concern.superseded,
            "probability": concern.probability,
            "threshold": concern.threshold,
            "trials": concern.trials,
            "events": concern.events,
            "raw_rate": concern.raw_rate,
            "expected": concern.expected,
            "low": concern.low,
            "high": concern.high,
            "raised_on": pd.Series(on(raised_days, -1, raised), dtype="object"),
            "last_high_on": pd.Series(on(days - 1 - high, -1, raised), dtype="object"),
            "clears_on": pd.Series(on(concern.clears_in_days, 1, concern.clears_in_days >= 0), dtype="object"),
            "is_near": is_near,
        }
    ).set_index(pd.Index([f"{tutor} {name}" for tutor in tutors], name="concern_key"))
