"""A second, independent computation of the tutor scores, compared with the ones in the marts.

`marts.tutor_scores` is computed in SQL, with a numeric grid for the beta distribution. Here the same definitions are
computed from the schema `raw` with pandas and SciPy's exact beta distribution. A formula otherwise lives once, in SQL;
the repetition is deliberate: two ways that agree on every tutor are the evidence that the marts are right. So nothing
here may be shared with, or generated from, the dbt project.

The computation is a chain of pure functions on data frames: `session_facts` -> `window_counts`, `episodes`,
`first_meetings`, `ratings`, `last_sessions` -> `score_tutors` -> `compare`. Dates are midnights without a time zone
(datetime64) in the reporting zone, fractions are 0-1, and a missing number is NaN.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from tempfile import TemporaryFile
from typing import Any, LiteralString, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import psycopg
from psycopg import sql
from rich import box
from rich.table import Table
from scipy import stats

from core.database import Database
from core.errors import TutorqError
from core.settings import Settings

Column: TypeAlias = "pd.Series[Any]"
Floats: TypeAlias = npt.NDArray[np.float64]

WINDOWS = (7, 30, 90)
COUNTED = {
    "has_reschedule": "reschedules",
    "is_tutor_reschedule": "tutor_reschedules",
    "is_tutor_no_show": "tutor_no_shows",
    "is_short_notice": "short_notice_reschedules",
}
SHORT_NOTICE = pd.Timedelta(hours=24)
FIRST_MEETING_DAYS = 365
CONTINUATION_DAYS = 30
MIN_SESSIONS = 5
RATING_PRIOR_WEIGHT = 10
CLEAR_LIMIT = 4095

CORRELATION_BOUNDS = (0.005, 0.5)
WEIGHTS = {
    "reliability_component": 0.40,
    "attendance_component": 0.25,
    "first_session_component": 0.20,
    "rating_component": 0.15,
}
WORST_RESCHEDULE_RATE = 0.30
WORST_NO_SHOW_RATE = 0.10

PROBABILITY_TOLERANCE = 1e-3
EXAMPLES = 3


class BetaPrior(NamedTuple):
    """Parameters of a beta distribution."""

    alpha: float
    beta: float


RESCHEDULE_FALLBACK = BetaPrior(1, 9)
NO_SHOW_FALLBACK = BetaPrior(1, 49)
FIRST_SESSION_FALLBACK = BetaPrior(7, 3)


@dataclass(frozen=True)
class Basis:
    """What the scores depend on besides the rows: the day, the reporting zone and the thresholds (fractions)."""

    as_of: date
    timezone: str
    risk_threshold: float
    high_risk_probability: float
    watch_probability: float


@dataclass(frozen=True)
class RawFrames:
    """The columns of `raw` and `app` that scores depend on; ids are text, times are UTC instants.

    tutors: tutor_id. sessions: session_id, tutor_id, student_id, scheduled_time, status, rating, initiator.
    reschedules: session_id, reschedule_initiator, reason_code, requested_at, original_time. excuses: session_id.
    """

    tutors: pd.DataFrame
    sessions: pd.DataFrame
    reschedules: pd.DataFrame
    excuses: pd.DataFrame


# --- from rows to facts ---------------------------------------------------------------------------------------------


def load_raw(connection: psycopg.Connection) -> RawFrames:
    """Read what the scores depend on; nothing else of the rows leaves the database."""
    return RawFrames(
        tutors=_copy(connection, "select tutor_id from raw.tutors", {"tutor_id": "str"}),
        sessions=_copy(
            connection,
            """
            select
                session_id, tutor_id, student_id, status, rating, initiator,
                (extract(epoch from scheduled_time) * 1000000)::bigint as scheduled_time
            from raw.sessions
            """,
            {
                "session_id": "str",
                "tutor_id": "category",
                "student_id": "category",
                "status": "category",
                "rating": "float64",
                "initiator": "category",
            },
            instants=("scheduled_time",),
        ),
        reschedules=_copy(
            connection,
            """
            select
                session_id, initiator as reschedule_initiator, reason_code,
                (extract(epoch from requested_at) * 1000000)::bigint as requested_at,
                (extract(epoch from original_time) * 1000000)::bigint as original_time
            from raw.reschedules
            """,
            {"session_id": "str", "reschedule_initiator": "category", "reason_code": "category"},
            instants=("requested_at", "original_time"),
        ),
        excuses=_copy(connection, "select session_id from app.excuses", {"session_id": "str"}),
    )


def _copy(
    connection: psycopg.Connection, query: LiteralString, types: Mapping[str, str], instants: Iterable[str] = ()
) -> pd.DataFrame:
    """The rows of `query`; `instants` are its columns of microseconds since 1970, which become UTC instants.

    The stream goes through a file on disk, so that the text of the rows is never in memory beside the frame. Null is
    spelt out because an empty reason code and none are two things.
    """
    statement = sql.SQL("copy ({}) to stdout (format csv, header, null '\\N', encoding 'utf8')").format(sql.SQL(query))
    with TemporaryFile() as file:
        with connection.cursor() as cursor, cursor.copy(statement) as blocks:
            for block in blocks:
                file.write(block)
        file.seek(0)
        frame = pd.read_csv(
            file,
            dtype={**types, **dict.fromkeys(instants, "Int64")},
            keep_default_na=False,
            na_values=["\\N"],
        )
    for name in instants:
        frame[name] = pd.to_datetime(frame[name], unit="us", utc=True)
    return frame


def local_dates(instants: Column, timezone: str) -> Column:
    """The calendar dates of instants in a time zone, as midnights without a zone; a missing instant has no date."""
    return instants.dt.tz_convert(ZoneInfo(timezone)).dt.tz_localize(None).dt.normalize()


def session_facts(frames: RawFrames, timezone: str) -> pd.DataFrame:
    """One row per session: its dates in the reporting zone and what it counts as.

    Columns: tutor_id, student_id, status, scheduled_time, rating, scheduled_on, requested_on, counted_on, reason_code,
    is_final, has_reschedule, is_tutor_reschedule, is_short_notice, is_tutor_no_show. Reschedules and excuses of unknown
    sessions have no effect.
    """
    facts = frames.sessions.merge(frames.reschedules, on="session_id", how="left", validate="one_to_one")
    is_excused = facts["session_id"].isin(frames.excuses["session_id"])

    facts["scheduled_on"] = local_dates(facts["scheduled_time"], timezone)
    facts["requested_on"] = local_dates(facts["requested_at"], timezone)
    is_requested_earlier = facts["requested_on"] < facts["scheduled_on"]
    facts["counted_on"] = facts["scheduled_on"].mask(is_requested_earlier, facts["requested_on"])

    facts["is_final"] = facts["status"] != "scheduled"
    facts["has_reschedule"] = facts["reschedule_initiator"].notna() | (facts["status"] == "rescheduled")
    facts["is_tutor_reschedule"] = (facts["reschedule_initiator"] == "tutor") & ~is_excused
    # An unknown request time compares as false, so it is never short notice.
    notice = facts["original_time"].fillna(facts["scheduled_time"]) - facts["requested_at"]
    facts["is_short_notice"] = facts["is_tutor_reschedule"] & (notice < SHORT_NOTICE)
    facts["is_tutor_no_show"] = (facts["status"] == "no_show") & (facts["initiator"] == "tutor")
    return facts.drop(columns=["session_id", "initiator", "reschedule_initiator", "requested_at", "original_time"])


# --- from facts to counts per tutor ---------------------------------------------------------------------------------


def window_counts(facts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Counts and rates per tutor for the windows of 7, 30 and 90 days that end with `as_of`; index tutor_id (text).

    Columns: sessions, reschedules, tutor_reschedules, tutor_no_shows, short_notice_reschedules and reschedule_rate per
    window (`_7d` and so on), trend_30d. Only tutors with a final session in the last 90 days have a row; a rate without
    sessions is NaN.
    """
    counts = pd.concat([_count(facts, as_of, days) for days in WINDOWS], axis=1).fillna(0).astype("int64")
    for days in WINDOWS:
        counts[f"reschedule_rate_{days}d"] = _rate(counts[f"tutor_reschedules_{days}d"], counts[f"sessions_{days}d"])
    earlier = _count(facts, as_of, 30, days_before=30).reindex(counts.index, fill_value=0)
    earlier_rate = _rate(earlier["tutor_reschedules_30d"], earlier["sessions_30d"])
    counts["trend_30d"] = counts["reschedule_rate_30d"] - earlier_rate
    return counts


def _window(facts: pd.DataFrame, as_of: date, days: int, days_before: int = 0) -> pd.DataFrame:
    """Final sessions counted on the `days` days that end `days_before` days before `as_of`."""
    end = pd.Timestamp(as_of) - pd.Timedelta(days=days_before)
    is_inside = (facts["counted_on"] > end - pd.Timedelta(days=days)) & (facts["counted_on"] <= end)
    return facts[facts["is_final"] & is_inside]


def _count(facts: pd.DataFrame, as_of: date, days: int, days_before: int = 0) -> pd.DataFrame:
    window = _window(facts, as_of, days, days_before)
    by_tutor = window.groupby("tutor_id", observed=True)
    counts = by_tutor[list(COUNTED)].sum().rename(columns=COUNTED)
    counts.insert(0, "sessions", by_tutor.size())
    return _text_index(counts).add_suffix(f"_{days}d")


def _rate(part: Column, whole: Column) -> Column:
    return part / whole.where(whole > 0)


def _text_index(per_tutor: pd.DataFrame) -> pd.DataFrame:
    """Categories are for memory only; as an index they would bind a result to one set of tutors."""
    return per_tutor.set_axis(pd.Index(per_tutor.index.astype("str"), name="tutor_id"))


def episodes(facts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`episodes_90d` per tutor: tutor reschedules asked for on one day for one reason (or none) count once."""
    window = _window(facts, as_of, 90)
    requests = window.loc[window["is_tutor_reschedule"], ["tutor_id", "requested_on", "counted_on", "reason_code"]]
    requests["requested_on"] = requests["requested_on"].fillna(requests["counted_on"])
    distinct = requests.drop_duplicates(["tutor_id", "requested_on", "reason_code"])
    return _text_index(distinct.groupby("tutor_id", observed=True).size().to_frame("episodes_90d"))


def first_meetings(facts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`first_meetings` and `first_meetings_continued` per tutor, of pairs whose 30 days are over.

    The first meeting of a pair is its earliest completed session; it counts if it was in the last 365 days. Which of
    several sessions at the same instant is the first makes no difference to the counts.
    """
    pair = ["tutor_id", "student_id"]
    completed = facts.loc[facts["status"] == "completed", [*pair, "scheduled_time", "scheduled_on"]]
    first_time = completed.groupby(pair, observed=True)["scheduled_time"].transform("min")
    firsts = completed[completed["scheduled_time"] == first_time].drop_duplicates(pair)
    firsts = firsts[[*pair, "scheduled_on"]].rename(columns={"scheduled_on": "first_session_on"})

    patience = pd.Timedelta(days=CONTINUATION_DAYS)
    today = pd.Timestamp(as_of)
    is_recent = firsts["first_session_on"] > today - pd.Timedelta(days=FIRST_MEETING_DAYS)
    is_over = firsts["first_session_on"] + patience <= today
    meetings = completed.merge(firsts[is_recent & is_over], on=pair)
    meetings["is_within"] = meetings["scheduled_on"] <= meetings["first_session_on"] + patience
    # The first session is within its own 30 days, so a continued pair has at least two there.
    is_continued = meetings.groupby(pair, observed=True)["is_within"].sum().ge(2)
    counts = is_continued.groupby("tutor_id", observed=True).agg(["size", "sum"])
    counts.columns = pd.Index(["first_meetings", "first_meetings_continued"])
    return _text_index(counts)


def ratings(facts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`ratings_90d`, `rating_mean_90d` and `rating_expected` (shrunk to the platform's mean) per tutor with ratings."""
    rated = _window(facts, as_of, 90).dropna(subset=["rating"])
    by_tutor = rated.groupby("tutor_id", observed=True)["rating"].agg(["size", "sum"])
    platform_mean = rated["rating"].mean()
    return _text_index(
        pd.DataFrame(
            {
                "ratings_90d": by_tutor["size"],
                "rating_mean_90d": by_tutor["sum"] / by_tutor["size"],
                "rating_expected": (by_tutor["sum"] + RATING_PRIOR_WEIGHT * platform_mean)
                / (by_tutor["size"] + RATING_PRIOR_WEIGHT),
            }
        )
    )


def last_sessions(facts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`last_session_at` per tutor: the latest completed session that counts on or before `as_of`."""
    completed = facts[(facts["status"] == "completed") & (facts["counted_on"] <= pd.Timestamp(as_of))]
    latest = completed.groupby("tutor_id", observed=True)["scheduled_time"].max()
    return _text_index(latest.to_frame("last_session_at"))


# --- from counts to scores ------------------------------------------------------------------------------------------


def beta_prior(successes: npt.ArrayLike, trials: npt.ArrayLike, fallback: BetaPrior) -> BetaPrior:
    """Empirical-Bayes prior of a rate that varies between units, from the successes and trials of each.

    The moment estimator of the beta-binomial model: the intraclass correlation from the weighted between-unit sum of
    squares (Kleinman, JASA 68, 1973), clamped to [0.005, 0.5]. Units without trials say nothing. `fallback` where the
    spread cannot be estimated: fewer than two units, all or no successes, or one trial per unit.
    """
    n = np.asarray(trials, dtype=np.float64)
    k = np.asarray(successes, dtype=np.float64)[n > 0]
    n = n[n > 0]
    units = n.size
    if units < 2:
        return fallback
    total = n.sum()
    mean = k.sum() / total
    if not 0 < mean < 1:
        return fallback
    within = mean * (1 - mean)
    denominator = within * (total - (n**2).sum() / total - (units - 1))
    if denominator <= 0:
        return fallback
    between = (n * (k / n - mean) ** 2).sum()
    correlation = np.clip((between - within * (units - 1)) / denominator, *CORRELATION_BOUNDS)
    weight = 1 / correlation - 1
    return BetaPrior(float(mean * weight), float((1 - mean) * weight))


def posterior(successes: Column, trials: Column, prior: BetaPrior, threshold: float) -> pd.DataFrame:
    """Posterior of each unit's rate: alpha, beta, expected, low (5%), high (95%), risk = P(rate > threshold).

    Index as given; a unit without trials has NaN throughout.
    """
    is_known = trials > 0
    alpha = (successes + prior.alpha).where(is_known)
    beta = (trials - successes + prior.beta).where(is_known)
    return pd.DataFrame(
        {
            "alpha": alpha,
            "beta": beta,
            "expected": alpha / (alpha + beta),
            "low": stats.beta.ppf(0.05, alpha, beta),
            "high": stats.beta.ppf(0.95, alpha, beta),
            "risk": stats.beta.sf(threshold, alpha, beta),
        },
        index=trials.index,
    )


def risk_status(sessions: Column, probability: Column, basis: Basis) -> Column:
    """`insufficient_data`, `ok`, `watch` or `high_risk` of tutors with so many sessions in 90 days."""
    status = np.select(
        [
            sessions < MIN_SESSIONS,
            probability >= basis.high_risk_probability,
            probability >= basis.watch_probability,
        ],
        ["insufficient_data", "high_risk", "watch"],
        default="ok",
    )
    return pd.Series(status, index=sessions.index, dtype="str")


def sessions_to_clear(alpha: Floats, beta: Floats, *, threshold: float, watch_probability: float) -> Floats:
    """Smallest k >= 1 with P(rate > threshold) < watch_probability under Beta(alpha, beta + k); NaN if above 4095."""
    short = np.zeros(alpha.shape)
    enough = np.full(alpha.shape, CLEAR_LIMIT + 1.0)
    # The probability falls with k, so halving the bracket keeps `short` too small and `enough` sufficient.
    while (enough - short > 1).any():
        middle = (short + enough) // 2
        is_flagged = stats.beta.sf(threshold, alpha, beta + middle) >= watch_probability
        short = np.where(is_flagged, middle, short)
        enough = np.where(is_flagged, enough, middle)
    return np.where(enough > CLEAR_LIMIT, np.nan, enough)


def quality(
    reschedule_rate: Column, no_show_rate: Column, first_session_rate: Column, rating_expected: Column
) -> pd.DataFrame:
    """Components (0-1) and `quality_score` (0-100) from shrunk rates (fractions) and the shrunk rating (1-5).

    A missing input drops out and the other weights are scaled up; without any input the score is NaN.
    """
    components = pd.DataFrame(
        {
            "reliability_component": 1 - (reschedule_rate / WORST_RESCHEDULE_RATE).clip(upper=1),
            "attendance_component": 1 - (no_show_rate / WORST_NO_SHOW_RATE).clip(upper=1),
            "first_session_component": first_session_rate,
            "rating_component": (rating_expected - 1) / 4,
        }
    )
    weights = pd.Series(WEIGHTS)
    weight = components.notna().mul(weights).sum(axis=1)
    score = 100 * components.mul(weights).sum(axis=1) / weight.where(weight > 0)
    return components.assign(quality_score=score)


def peer_percentile(quality_score: Column, status: Column) -> Column:
    """Share (0-1) of the other scored tutors with a lower score; NaN for tutors without score or enough data."""
    peers = _peers(quality_score, status)
    ranks = peers.rank(method="min") - 1
    return (ranks / max(1, len(peers) - 1)).reindex(quality_score.index)


def _peers(quality_score: Column, status: Column) -> Column:
    return quality_score[quality_score.notna() & (status != "insufficient_data")]


def score_tutors(tutor_ids: Iterable[str], facts: pd.DataFrame, basis: Basis) -> pd.DataFrame:
    """The columns of `marts.tutor_scores` that follow from `raw`: one row per tutor, index tutor_id (text)."""
    as_of = basis.as_of
    scores = pd.DataFrame(index=pd.Index(sorted(tutor_ids), name="tutor_id", dtype="str")).join(
        [
            window_counts(facts, as_of),
            episodes(facts, as_of),
            first_meetings(facts, as_of),
            ratings(facts, as_of),
            last_sessions(facts, as_of),
        ]
    )
    scores[COUNT_COLUMNS] = scores[COUNT_COLUMNS].fillna(0).astype("int64")

    sessions = scores["sessions_90d"]
    prior = beta_prior(scores["tutor_reschedules_90d"], sessions, RESCHEDULE_FALLBACK)
    reschedule = posterior(scores["tutor_reschedules_90d"], sessions, prior, basis.risk_threshold)
    scores["reschedule_rate_expected"] = reschedule["expected"]
    scores["reschedule_rate_low"] = reschedule["low"]
    scores["reschedule_rate_high"] = reschedule["high"]
    scores["risk_probability"] = reschedule["risk"]
    scores["risk_status"] = risk_status(sessions, reschedule["risk"], basis)
    scores["is_high_risk"] = scores["risk_status"] == "high_risk"
    flagged = reschedule[scores["risk_status"].isin(["watch", "high_risk"])]
    to_clear = sessions_to_clear(
        flagged["alpha"].to_numpy(dtype=np.float64),
        flagged["beta"].to_numpy(dtype=np.float64),
        threshold=basis.risk_threshold,
        watch_probability=basis.watch_probability,
    )
    scores["sessions_to_clear"] = pd.Series(to_clear, index=flagged.index).astype("Int64").reindex(scores.index)

    scores["tutor_no_show_rate_expected"] = _expected(scores["tutor_no_shows_90d"], sessions, NO_SHOW_FALLBACK)
    scores["first_session_rate_expected"] = _expected(
        scores["first_meetings_continued"], scores["first_meetings"], FIRST_SESSION_FALLBACK
    )
    parts = quality(
        scores["reschedule_rate_expected"],
        scores["tutor_no_show_rate_expected"],
        scores["first_session_rate_expected"],
        scores["rating_expected"],
    )
    scores = scores.join(parts)
    scores["peer_percentile"] = peer_percentile(scores["quality_score"], scores["risk_status"])
    scores["as_of"] = pd.Series(as_of, index=scores.index, dtype="object")
    return scores[list(TOLERANCES)]


def _expected(successes: Column, trials: Column, fallback: BetaPrior) -> Column:
    prior = beta_prior(successes, trials, fallback)
    return (successes + prior.alpha) / (trials + prior.alpha + prior.beta).where(trials > 0)


# --- comparison -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tolerance:
    """Largest accepted |difference|; a relative one is multiplied by max(1, |value|)."""

    limit: float
    is_relative: bool = False


EXACT = Tolerance(0)
RATE = Tolerance(1e-12)
EXPECTED = Tolerance(1e-9)
COMPONENT = Tolerance(1e-9, is_relative=True)
QUANTILE = Tolerance(5e-3)

COUNT_COLUMNS = [
    *(f"{what}_{days}d" for what in ("sessions", *COUNTED.values()) for days in WINDOWS),
    "episodes_90d",
    "first_meetings",
    "first_meetings_continued",
    "ratings_90d",
]

TOLERANCES: dict[str, Tolerance] = {
    "as_of": EXACT,
    **dict.fromkeys(COUNT_COLUMNS, EXACT),
    **{f"reschedule_rate_{days}d": RATE for days in WINDOWS},
    "trend_30d": RATE,
    "reschedule_rate_expected": EXPECTED,
    "reschedule_rate_low": QUANTILE,
    "reschedule_rate_high": QUANTILE,
    "risk_probability": Tolerance(PROBABILITY_TOLERANCE),
    "risk_status": EXACT,
    "is_high_risk": EXACT,
    "sessions_to_clear": Tolerance(1),
    "tutor_no_show_rate_expected": EXPECTED,
    "first_session_rate_expected": EXPECTED,
    "rating_mean_90d": EXPECTED,
    "rating_expected": EXPECTED,
    **dict.fromkeys(WEIGHTS, COMPONENT),
    "quality_score": COMPONENT,
    "peer_percentile": RATE,
    "last_session_at": EXACT,
}


@dataclass(frozen=True)
class Difference:
    """One value outside the tolerance; None stands for null."""

    tutor_id: str
    recomputed: str | float | None
    published: str | float | None


@dataclass(frozen=True)
class ColumnReport:
    """Outcome for one column: `differences` are errors, `borderline` values are different but equally right.

    `largest_difference` is over all rows with two numbers (days for a date, seconds for a time), None without any.
    """

    column: str
    compared: int
    differences: int
    borderline: int
    largest_difference: float | None
    tolerance: Tolerance
    examples: tuple[Difference, ...]


@dataclass(frozen=True)
class VerifyReport:
    """Outcome for all tutors: missing ones lack a row in the mart, extra ones are unknown to `raw` or there twice."""

    basis: Basis
    tutors: int
    missing_tutors: tuple[str, ...]
    extra_tutors: tuple[str, ...]
    columns: tuple[ColumnReport, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not (self.missing_tutors or self.extra_tutors or any(column.differences for column in self.columns))

    def to_dict(self) -> dict[str, Any]:
        """The report in types that JSON knows."""
        return {
            "ok": self.ok,
            **asdict(self),
            "basis": {**asdict(self.basis), "as_of": self.basis.as_of.isoformat()},
        }

    def to_table(self) -> Table:
        """One line per column; tutors that lack a counterpart, examples and notes stand below."""
        verdict = "agree with" if self.ok else "DIFFER FROM"
        table = Table(
            title=f"{self.tutors} tutors as of {self.basis.as_of}: the marts {verdict} the recomputation",
            caption="\n".join(self._remarks()) or None,
            caption_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("column", no_wrap=True)
        for heading in ("differences", "borderline", "largest", "tolerance"):
            table.add_column(heading, justify="right")
        for column in self.columns:
            table.add_row(
                column.column,
                str(column.differences),
                str(column.borderline),
                "" if column.largest_difference is None else f"{column.largest_difference:.2g}",
                f"{column.tolerance.limit:g}" + (" rel." if column.tolerance.is_relative else ""),
                style="bold red" if column.differences else None,
            )
        return table

    def _remarks(self) -> list[str]:
        remarks = list(self.notes)
        unmatched = {"not in the marts": self.missing_tutors, "only in the marts, or there twice": self.extra_tutors}
        for what, tutors in unmatched.items():
            if tutors:
                more = " ..." if len(tutors) > EXAMPLES else ""
                remarks.append(f"tutors {what}: {len(tutors)} ({', '.join(tutors[:EXAMPLES])}{more})")
        for column in self.columns:
            remarks += [
                f"{column.column} of {example.tutor_id}: {example.published} in the marts, "
                f"{example.recomputed} recomputed"
                for example in column.examples
            ]
        return remarks


def compare(
    recomputed: pd.DataFrame, published: pd.DataFrame, basis: Basis, notes: tuple[str, ...] = ()
) -> VerifyReport:
    """Compare the output of `score_tutors` with the rows of the mart (same index; Python objects, None for null)."""
    is_repeated = published.index.duplicated()
    repeated, published = published.index[is_repeated], published[~is_repeated]
    shared = recomputed.index.intersection(published.index)
    ours, theirs = recomputed.loc[shared], published.loc[shared]
    borderline = {
        "risk_status": _ambiguous_status(ours, theirs["risk_status"], basis),
        "is_high_risk": _ambiguous_flag(ours, theirs["is_high_risk"], basis),
        "sessions_to_clear": _ambiguous_clearing(ours, theirs["sessions_to_clear"], basis),
        # A tie that rounding breaks in one computation moves the rank in the other.
        "peer_percentile": _ambiguous_percentile(recomputed, theirs["peer_percentile"]),
    }
    nowhere = pd.Series(False, index=shared)
    return VerifyReport(
        basis=basis,
        tutors=len(shared),
        missing_tutors=tuple(recomputed.index.difference(published.index)),
        extra_tutors=(*published.index.difference(recomputed.index), *repeated),
        columns=tuple(_compare_column(ours[name], theirs[name], borderline.get(name, nowhere)) for name in TOLERANCES),
        notes=notes,
    )


def _compare_column(ours: Column, theirs: Column, is_acceptable: Column) -> ColumnReport:
    name = str(ours.name)
    tolerance = TOLERANCES[name]
    is_null, is_null_there = ours.isna().to_numpy(dtype=bool), _is_none(theirs).to_numpy(dtype=bool)
    is_same = is_null & is_null_there
    both = ~is_null & ~is_null_there
    largest = None
    if name == "risk_status":
        is_same |= both & (ours.astype("object") == theirs).to_numpy(dtype=bool)
    else:
        values, values_there = _numbers(ours[both]), _numbers(theirs[both])
        distance = np.abs(values - values_there)
        scale = np.maximum(1, np.abs(values)) if tolerance.is_relative else 1.0
        # NaN in the mart is a number that compares as false: a difference, as it should be.
        is_same[both] = distance <= tolerance.limit * scale
        distance = distance[np.isfinite(distance)]
        largest = float(distance.max()) if distance.size else None
    accepted = is_acceptable.to_numpy(dtype=bool) & ~is_same
    wrong = ~is_same & ~accepted
    return ColumnReport(
        column=name,
        compared=len(ours),
        differences=int(wrong.sum()),
        borderline=int(accepted.sum()),
        largest_difference=largest,
        tolerance=tolerance,
        examples=tuple(
            Difference(
                str(ours.index[at]), _plain(ours.iloc[at], is_null[at]), _plain(theirs.iloc[at], is_null_there[at])
            )
            for at in np.flatnonzero(wrong)[:EXAMPLES]
        ),
    )


def _is_none(values: Column) -> Column:
    return values.map(lambda value: value is None).astype(bool)


def _numbers(values: Column) -> Floats:
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, date):
        return float(value.toordinal())
    return float(value)


def _plain(value: Any, is_null: bool) -> str | float | None:
    if is_null:
        return None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    # JSON has no spelling for NaN and infinity.
    return float(value) if np.isfinite(float(value)) else str(value)


def _possible_statuses(ours: pd.DataFrame, basis: Basis) -> list[Column]:
    """The statuses at either end of what the probability may be."""
    return [
        risk_status(ours["sessions_90d"], ours["risk_probability"] + shift, basis)
        for shift in (-PROBABILITY_TOLERANCE, PROBABILITY_TOLERANCE)
    ]


def _ambiguous_status(ours: pd.DataFrame, theirs: Column, basis: Basis) -> Column:
    lower, upper = _possible_statuses(ours, basis)
    return (theirs == lower.astype("object")) | (theirs == upper.astype("object"))


def _ambiguous_flag(ours: pd.DataFrame, theirs: Column, basis: Basis) -> Column:
    lower, upper = _possible_statuses(ours, basis)
    return ((lower == "high_risk") != (upper == "high_risk")) & ~_is_none(theirs)


def _ambiguous_clearing(ours: pd.DataFrame, theirs: Column, basis: Basis) -> Column:
    """One side has no number because it sees no flag, or because it counts one session more than the limit."""
    lower, upper = _possible_statuses(ours, basis)
    is_flag_ambiguous = (lower == "ok") & (upper != "ok")
    is_at_limit = (ours["sessions_to_clear"].fillna(0) == CLEAR_LIMIT) | (theirs == CLEAR_LIMIT)
    is_one_null = ours["sessions_to_clear"].isna() != _is_none(theirs)
    return is_one_null & (is_flag_ambiguous | is_at_limit)


def _ambiguous_percentile(recomputed: pd.DataFrame, theirs: Column) -> Column:
    """Between the percentiles with all near ties below and all of them above, scores equal up to rounding."""
    peers = _peers(recomputed["quality_score"], recomputed["risk_status"])
    scores = peers.to_numpy(dtype=np.float64)
    ordered = np.sort(scores)
    slack = COMPONENT.limit * np.maximum(1, np.abs(scores))
    others = max(1, len(peers) - 1)
    lowest = pd.Series(np.searchsorted(ordered, scores - slack, side="left") / others, index=peers.index)
    highest = pd.Series((np.searchsorted(ordered, scores + slack, side="right") - 1) / others, index=peers.index)
    found = theirs.astype("float64")
    lower, upper = lowest.reindex(found.index), highest.reindex(found.index)
    return (found >= lower - RATE.limit) & (found <= upper + RATE.limit)


# --- database -------------------------------------------------------------------------------------------------------


def recompute(database: Database, *, settings: Settings) -> pd.DataFrame:
    """The tutor scores from the rows in `raw`: one row per tutor, index tutor_id (text), columns as in `TOLERANCES`.

    Computed for what the marts were built with; before the first publication, for what the settings say.

    Raises:
        TutorqError: the database cannot be reached.
    """
    with database.connect() as connection:
        basis = _published_basis(connection) if _freeze(connection) else None
        frames = load_raw(connection)
    facts = session_facts(frames, basis.timezone if basis else settings.timezone)
    return score_tutors(frames.tutors["tutor_id"], facts, basis or _basis_of(settings, facts))


def verify(database: Database, *, settings: Settings) -> VerifyReport:
    """Recompute the scores and compare them with `marts.tutor_scores`, in one snapshot of the database.

    Day, time zone and thresholds are those of `marts.publication`. The notes of the report name what explains a
    difference without an error: rows that arrived since, and settings that were changed since.

    Raises:
        TutorqError: nothing has been published yet, or the database cannot be reached.
    """
    with database.connect() as connection:
        if not _freeze(connection) or (basis := _published_basis(connection)) is None:
            raise TutorqError("there are no scores to verify yet; run `tutorq score` first")
        notes = (*_pending_changes(connection), *_changed_settings(basis, settings))
        published = _published_scores(connection)
        frames = load_raw(connection)
    recomputed = score_tutors(frames.tutors["tutor_id"], session_facts(frames, basis.timezone), basis)
    return compare(recomputed, published, basis, notes)


def _freeze(connection: psycopg.Connection) -> bool:
    """All reads of the transaction see one state, whatever is loaded or scored meanwhile.

    The marts are locked before that state is taken: one that is swapped later would be empty in it. Returns whether
    there are any.
    """
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    connection.execute("savepoint unlocked")
    try:
        connection.execute("lock table marts.publication, marts.tutor_scores in access share mode")
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        connection.execute("rollback to savepoint unlocked")
        return False
    return True


def _published_basis(connection: psycopg.Connection) -> Basis | None:
    row = connection.execute(
        """
        select as_of, timezone, risk_threshold, high_risk_probability, watch_probability
        from marts.publication
        """
    ).fetchone()
    return Basis(*row) if row else None


def _basis_of(settings: Settings, facts: pd.DataFrame) -> Basis:
    if settings.as_of == "latest" and facts["is_final"].any():
        as_of = facts.loc[facts["is_final"], "counted_on"].max().date()
    elif settings.as_of in ("now", "latest"):
        as_of = datetime.now(ZoneInfo(settings.timezone)).date()
    else:
        as_of = date.fromisoformat(settings.as_of)
    return Basis(
        as_of=as_of,
        timezone=settings.timezone,
        risk_threshold=settings.risk_threshold,
        high_risk_probability=settings.high_risk_probability,
        watch_probability=settings.watch_probability,
    )


def _published_scores(connection: psycopg.Connection) -> pd.DataFrame:
    """The compared columns of the mart as Python objects, where null (None) and NaN are still two things."""
    columns = sql.SQL(", ").join(map(sql.Identifier, TOLERANCES))
    rows = connection.execute(
        sql.SQL("select tutor_id::text, {} from marts.tutor_scores order by tutor_id").format(columns)
    ).fetchall()
    frame = pd.DataFrame(rows, columns=["tutor_id", *TOLERANCES], dtype="object")
    return frame.set_index(frame.pop("tutor_id").astype("str"))


def _pending_changes(connection: psycopg.Connection) -> list[str]:
    row = connection.execute("select count(*) from raw.changes").fetchone()
    pending = row[0] if row else 0
    return [f"changes that are not in the marts yet: {pending}; `tutorq score` takes them over"] if pending else []


def _changed_settings(basis: Basis, settings: Settings) -> list[str]:
    names = ("timezone", "risk_threshold", "high_risk_probability", "watch_probability")
    return [
        f"{name} was {getattr(basis, name)} when the marts were built and is {getattr(settings, name)} now"
        for name in names
        if getattr(basis, name) != getattr(settings, name)
    ]
