"""Whether groups of tutors are raised or excused more often than others, from counts per tutor."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from verify.inputs import Basis, Floats
from verify.recompute.slots import false_discovery_rates, slots

LEAST_TUTORS = 20
FALSE_SHARE = 0.10
CAUSED_DAYS = 180
BANDS = {"tenure": (0, 90, 365, 1095), "volume": (0, 20, 60, 150), "age": (0, 25, 40, 55)}
FAMILY = ["measure", "dimension"]


def groups_of_tutors(tutors: pd.DataFrame, scores: pd.DataFrame, facts: pd.DataFrame, basis: Basis) -> pd.DataFrame:
    """One row per tutor and dimension: tutor_id (text), dimension, level; what is not known has none.

    tutors: index tutor_id (text), hired_at, time_zone, age. scores: the same index, sessions_90d. facts: as
    `session_facts` gives them.
    """
    taught = slots(facts, basis)
    taught = taught[taught["subject"] != ""].groupby(["tutor_id", "subject"]).size().reset_index(name="n")
    taught = taught.sort_values(["n", "subject"], ascending=[False, True]).drop_duplicates("tutor_id")
    known = {
        "all": pd.Series("all", index=tutors.index),
        "subject": taught.set_index("tutor_id")["subject"],
        "tenure": _banded("tenure", (pd.Timestamp(basis.as_of) - pd.to_datetime(tutors["hired_at"])).dt.days),
        "volume": _banded("volume", scores["sessions_90d"]),
        "time_zone": tutors["time_zone"],
        "age": _banded("age", tutors["age"]),
    }
    parts = [
        pd.DataFrame({"tutor_id": levels.index, "dimension": name, "level": levels.to_numpy()})
        for name, levels in known.items()
    ]
    return pd.concat(parts).dropna().reset_index(drop=True)


def _banded(name: str, values: "pd.Series[Any]") -> "pd.Series[Any]":
    bands = BANDS[name]
    numbers = values.astype("float64")
    cut = pd.cut(numbers, [*bands, np.inf], right=False, labels=[str(band) for band in bands])
    return cut.astype("object").where(cut.notna(), None)


def caused_by_tutors(facts: pd.DataFrame, basis: Basis) -> pd.DataFrame:
    """Sessions of the last 180 days that the tutor moved, cancelled or missed: session_id, tutor_id, is_excused."""
    today = pd.Timestamp(basis.as_of)
    is_dropped = facts["status"].isin(["cancelled", "no_show"]) & (facts["initiator"] == "tutor")
    is_inside = (facts["counted_on"] > today - pd.Timedelta(days=CAUSED_DAYS)) & (facts["counted_on"] <= today)
    caused = facts[is_inside & facts["is_final"] & (is_dropped | (facts["reschedule_initiator"] == "tutor"))]
    return caused[["session_id", "tutor_id", "is_excused"]].astype({"tutor_id": "str", "session_id": "str"})


def compare(counts: pd.DataFrame, *, is_tested: "pd.Series[bool] | None" = None) -> pd.DataFrame:
    """Each group beside the others, as `marts.fairness_groups` has it: index (measure, dimension, level).

    counts: measure, dimension, level, tutor_id, trials, events; a row per group and tutor. is_tested: which rows belong
    to measures that are tested. Columns: tutors, trials, events, share, low, high, p_value, q_value, is_difference; of
    groups that are too small no share, low and high, and no p_value where nothing is compared.
    """
    rows = []
    tested = pd.Series(True, index=counts.index) if is_tested is None else is_tested
    for (measure, dimension), family in counts.groupby(FAMILY, sort=True):
        trials = family.pivot_table(index="tutor_id", columns="level", values="trials", aggfunc="sum", fill_value=0)
        events = family.pivot_table(index="tutor_id", columns="level", values="events", aggfunc="sum", fill_value=0)
        found = _family(trials.to_numpy(dtype=float), events.to_numpy(dtype=float), bool(tested[family.index].all()))
        index = pd.MultiIndex.from_product([[measure], [dimension], trials.columns], names=[*FAMILY, "level"])
        rows.append(found.set_index(index))
    groups = pd.concat(rows)
    known = groups["p_value"].notna()
    groups.loc[known, "q_value"] = false_discovery_rates(groups.loc[known, "p_value"].to_numpy(dtype=float))
    groups["is_difference"] = groups["q_value"] <= FALSE_SHARE
    return groups


def _family(trials: Floats, events: Floats, is_tested: bool) -> pd.DataFrame:
    """trials, events: (tutors, levels). One row per level."""
    # Of excuses given, each person's are among all excuses of the tutor, so each column has all trials.
    of_tutor = trials.max(axis=1) if not is_tested else trials.sum(axis=1)
    n_all, k_all = of_tutor.sum(), events.sum()
    share = k_all / n_all
    excess = events.sum(axis=1) - of_tutor * share
    binomial = n_all * share * (1 - share)
    design = max(1.0, (excess**2).sum() / binomial) if binomial > 0 else 1.0
    rows = []
    for n_of, k_of in zip(trials.T, events.T, strict=True):
        n, k, tutors = n_of.sum(), k_of.sum(), int((n_of > 0).sum())
        row: dict[str, Any] = {"tutors": tutors, "trials": n, "events": k}
        row |= dict.fromkeys(("share", "low", "high", "p_value", "q_value"), np.nan)
        if tutors >= LEAST_TUTORS:
            row["share"] = k / n
            row["low"], row["high"] = wilson(k / n, n / _design(n_of, k_of, design))
        others = int((of_tutor > n_of).sum())
        if is_tested and tutors >= LEAST_TUTORS <= others and 0 < k_all < n_all:
            influence = k_of - n_of * share - excess * n / n_all
            drawn = design * n * share * (1 - share) * (n_all - n) / (n_all - 1)
            far = max(0.0, abs(k - n * share) - 0.5) / np.sqrt(max((influence**2).sum(), drawn))
            row["p_value"] = 2 * stats.norm.sf(far)
        rows.append(row)
    return pd.DataFrame(rows)


def _design(n: Floats, k: Floats, of_all: float) -> float:
    share = k.sum() / n.sum()
    if not 0 < share < 1:
        return of_all
    return max(of_all, float(((k - n * share) ** 2).sum() / (n.sum() * share * (1 - share))))


def wilson(share: float, draws: float) -> tuple[float, float]:
    """The shares from which `share` of so many draws is 1.96 standard deviations away (Wilson, JASA 22, 1927)."""
    z2 = stats.norm.ppf(0.975) ** 2
    n = max(draws, 1.0)
    low, high = sorted(np.roots([1 + z2 / n, -(2 * share + z2 / n), share**2]).real)
    return float(low), float(high)
