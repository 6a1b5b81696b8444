"""In which slots sessions were, what stands out in them, and what a usual tutor would have had in the same ones."""

from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, stats

from verify.inputs import Basis

Column: TypeAlias = "pd.Series[Any]"
Floats: TypeAlias = npt.NDArray[np.float64]

PATTERN_DAYS = 180
CASE_MIX_DAYS = 90
DAYPARTS = (0, 9, 14, 18, 24)
LEAST_SESSIONS, LEAST_LET_DOWNS = 8, 3
FALSE_SHARE = 0.10
PRIOR_SESSIONS = 10
LEAST_EVENTS = 10
PLATFORM = "platform"


def slots(facts: pd.DataFrame, basis: Basis) -> pd.DataFrame:
    """One row per final session of the last 180 days; of a lesson with several students one.

    facts: as `session_facts` gives them. Columns: tutor_id (text), counted_on, is_let_down, and the dimensions weekday
    ("1" Monday to "7"), daypart ("9-14"), subject ("" if unknown), lesson ("first" or "repeated").
    """
    today = pd.Timestamp(basis.as_of)
    is_inside = (facts["counted_on"] > today - pd.Timedelta(days=PATTERN_DAYS)) & (facts["counted_on"] <= today)
    window = facts[is_inside & facts["sessions"]]
    local = window["original_time"].fillna(window["scheduled_time"]).dt.tz_convert(basis.timezone)
    labels = [f"{first}-{last}" for first, last in pairwise(DAYPARTS)]
    daypart = pd.cut(local.dt.hour, DAYPARTS, right=False, labels=labels)
    pair = ["tutor_id", "student_id"]
    held = facts[facts["status"] == "completed"].groupby(pair, observed=True)["scheduled_on"].min()
    first_on = window.join(held.rename("first_on"), on=pair)["first_on"]
    return pd.DataFrame(
        {
            "tutor_id": window["tutor_id"].astype("str"),
            "counted_on": window["counted_on"],
            "is_let_down": window["is_let_down"].astype(bool),
            "weekday": (local.dt.dayofweek + 1).astype("str"),
            "daypart": daypart.astype("str"),
            "subject": window["subject"].astype("object").fillna("").astype("str"),
            "lesson": np.where(first_on.isna() | (window["scheduled_on"] <= first_on), "first", "repeated"),
        }
    )


def false_discovery_rates(p_values: Floats) -> Floats:
    """Benjamini and Hochberg's adjusted p-values (JRSS B 57, 1995), in the order given."""
    return np.asarray(stats.false_discovery_control(p_values, method="bh")) if p_values.size else np.empty(0)


def cell_p_values(n: Floats, k: Floats, total: Floats, events: Floats, design_effect: float) -> Floats:
    """One-sided p of k or more events among n of `total` trials with `events` in all, by the normal approximation of
    the hypergeometric distribution, with continuity correction and a variance of `design_effect` times its own."""
    share = events / total
    spread = np.sqrt(design_effect * n * share * (1 - share) * (total - n) / (total - 1))
    return np.asarray(stats.norm.sf((k - n * share - 0.5) / spread))


def patterns(slots: pd.DataFrame, design_effect: float) -> pd.DataFrame:
    """Every slot with enough sessions, as `marts.tutor_patterns` has it: index pattern_key.

    Columns: sessions, let_downs, other_sessions, other_let_downs, rate_expected, p_value, q_value, is_pattern.
    """
    of_platform = _cells(slots.assign(tutor_id=PLATFORM), design_effect)
    cells = pd.concat([_cells(slots, design_effect), of_platform])
    cells["is_pattern"] = cells["q_value"] <= FALSE_SHARE
    return cells


def _cells(slots: pd.DataFrame, design_effect: float) -> pd.DataFrame:
    totals = slots.groupby("tutor_id")["is_let_down"].agg(["size", "sum"])
    parts = []
    for dimension in ("weekday", "daypart", "subject", "lesson"):
        known = slots[slots[dimension] != ""].rename(columns={dimension: "level"})
        counts = known.groupby(["tutor_id", "level"])["is_let_down"].agg(["size", "sum"]).reset_index()
        parts.append(counts.assign(dimension=dimension))
    cells = pd.concat(parts).join(totals.add_suffix("_in_all"), on="tutor_id")
    is_tested = (
        (cells["size"] >= LEAST_SESSIONS)
        & (cells["size"] < cells["size_in_all"])
        & (cells["sum_in_all"] >= LEAST_LET_DOWNS)
        & (cells["sum_in_all"] < cells["size_in_all"])
    )
    cells = cells[is_tested]
    n, k, total, events = (
        cells[name].to_numpy(dtype=np.float64) for name in ("size", "sum", "size_in_all", "sum_in_all")
    )
    p_values = cell_p_values(n, k, total, events, design_effect)
    return pd.DataFrame(
        {
            "sessions": cells["size"].to_numpy(),
            "let_downs": cells["sum"].to_numpy(),
            "other_sessions": (total - n).astype(int),
            "other_let_downs": (events - k).astype(int),
            "rate_expected": (k + PRIOR_SESSIONS * events / total) / (n + PRIOR_SESSIONS),
            "p_value": p_values,
            "q_value": false_discovery_rates(p_values),
        },
        index=pd.Index(cells["tutor_id"] + " " + cells["dimension"] + " " + cells["level"], name="pattern_key"),
    )


def case_mix_odds(slots: pd.DataFrame, dimension: str) -> "pd.Series[float]":
    """Mantel and Haenszel's odds ratio of each level against the commonest one (of equals the first), within tutors;
    1 where one of the two has fewer than 10 let-downs."""
    counts = slots.groupby(["tutor_id", dimension])["is_let_down"].agg(["size", "sum"]).unstack(fill_value=0)
    levels = sorted(slots[dimension].unique())
    n, k = (pd.DataFrame(counts[name])[levels].to_numpy(dtype=np.float64) for name in ("size", "sum"))
    usual = int(n.sum(axis=0).argmax())
    odds = np.ones(len(levels))
    for level in range(len(levels)):
        both = np.maximum(1, n[:, level] + n[:, usual])
        for_events = (k[:, level] * (n[:, usual] - k[:, usual]) / both).sum()
        against = ((n[:, level] - k[:, level]) * k[:, usual] / both).sum()
        is_enough = min(k[:, level].sum(), k[:, usual].sum()) >= LEAST_EVENTS
        if level != usual and is_enough and for_events > 0 and against > 0:
            odds[level] = for_events / against
    return pd.Series(odds, index=levels)


def case_mix_expected(slots: pd.DataFrame, basis: Basis) -> "pd.Series[float]":
    """Per tutor (text) with sessions in the last 90 days, the mean rate of let-downs that their slots would have.

    Odds multiply, times one factor by which as many let-downs are expected of all sessions as there were.
    """
    odds = np.ones(len(slots))
    for dimension in ("subject", "weekday", "daypart"):
        odds *= slots[dimension].map(case_mix_odds(slots, dimension)).to_numpy(dtype=np.float64)
    is_recent = (slots["counted_on"] > pd.Timestamp(basis.as_of) - pd.Timedelta(days=CASE_MIX_DAYS)).to_numpy()
    recent, odds = slots[is_recent], odds[is_recent]
    came = int(recent["is_let_down"].sum())
    if came in (0, len(recent)):
        return recent.groupby("tutor_id")["is_let_down"].mean() * 0 + float(came > 0)

    def excess(log_base: float) -> float:
        return float((1 / (1 + np.exp(-log_base) / odds)).sum() - came)

    log_base = optimize.brentq(excess, -50, 50, xtol=1e-14)
    return pd.Series(1 / (1 + np.exp(-log_base) / odds), index=recent.index).groupby(recent["tutor_id"]).mean()
