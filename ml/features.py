"""What models look at: the features of a task, checks of the frames that bring them, mismatches and compatibility.

The histories among the features are computed in SQL, point in time; here they are only named and checked. Mismatches
and compatibility are needed for millions of pairs that no table holds, so they stand here a second time; a test holds
this and the SQL to the same numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from core.errors import TutorqError

if TYPE_CHECKING:
    import pandas as pd

Floats: TypeAlias = npt.NDArray[np.float64]
Matrix: TypeAlias = npt.NDArray[np.float32]
Bools: TypeAlias = npt.NDArray[np.bool_]
Integers: TypeAlias = npt.NDArray[np.int64]

RISK_LEVELS = ("low", "medium", "high")
STYLES = ("structured", "flexible", "interactive")
FLEXIBLE = float(STYLES.index("flexible"))

# Share of each mismatch in the compatibility score, and the mismatch at which that share is lost in full.
COMPATIBILITY_WEIGHTS = {
    "pace_mismatch": 0.35,
    "style_mismatch": 0.30,
    "communication_mismatch": 0.25,
    "age_mismatch": 0.10,
}
WORST_MISMATCH = {"pace_mismatch": 4.0, "style_mismatch": 1.0, "communication_mismatch": 4.0, "age_mismatch": 50.0}
# Of a pair about which nothing is known: neither good nor bad. Its mismatches are all unknown, which tells.
NEUTRAL_COMPATIBILITY = 0.5


class FrameError(TutorqError):
    """A frame does not have what a task needs; the text names the column."""


@dataclass(frozen=True)
class Feature:
    """One number that a model looks at; NaN means unknown."""

    name: str
    label: str  # for people, without the value
    monotone: Literal[-1, 0, 1] = 0  # the only direction in which it may move the probability; 0 = either


@dataclass(frozen=True)
class Task:
    """What is predicted, from what. A row of its frame is a pair (`match`), a tutor on a day (`attrition`) or a session
    (the others). The mart of a task may have rows without a label; nothing is learnt from them."""

    kind: str
    label: str  # the boolean column to predict
    time_column: str  # when the features were known; rows are split by it
    key: tuple[str, ...]  # tells rows apart, and puts those of one moment in order
    features: tuple[Feature, ...]
    filled: tuple[str, ...] = ()  # features that rows to be predicted lack; they get the training median
    subgroups: tuple[str, ...] = ()  # columns by which models are evaluated, besides on all rows
    # Of rows that repeat the same people: the column that names them, for rows of one of them are not as much evidence
    # as those of many; and the day on which an outcome was known, before which nobody learns from it.
    group: str | None = None
    outcome_column: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)


MATCH = Task(
    kind="match",
    label="churned",
    time_column="first_session_at",
    key=("student_id", "tutor_id"),
    features=(
        Feature("pace_mismatch", "difference in preferred pace", 1),
        Feature("style_mismatch", "difference in teaching style", 1),
        Feature("communication_mismatch", "difference in communication style", 1),
        Feature("age_mismatch", "difference in age", 1),
        Feature("student_age", "age of the student"),
        Feature("student_urgency", "urgency of the student"),
        Feature("student_first_meetings", "tutors the student has met before"),
        Feature("student_pending_meetings", "new tutors of the student whose second session is still to come", 1),
        Feature("student_continuation_rate", "how often the student went on with a tutor", -1),
        Feature("student_sessions_per_pair", "sessions the student had with each tutor, estimated", -1),
        Feature("student_rating_given", "ratings the student gave, estimated", -1),
        Feature("tutor_experience_years", "experience of the tutor"),
        Feature("tutor_sessions_90d", "sessions planned with the tutor in 90 days"),
        Feature("tutor_let_down_rate", "share of sessions the tutor moved, cancelled or missed, estimated", 1),
        Feature("tutor_reschedule_rate", "share of sessions the tutor rescheduled, estimated", 1),
        Feature("tutor_no_show_rate", "share of sessions the tutor missed, estimated", 1),
        Feature("tutor_continuation_rate", "how often students went on with the tutor, estimated", -1),
        Feature("tutor_rating", "ratings of the tutor in 90 days, estimated", -1),
        Feature("tutor_rating_all_time", "ratings of the tutor, estimated", -1),
        Feature("lead_hours", "time from booking to the first session"),
    ),
    filled=("lead_hours",),
    subgroups=("student_age", "subject"),
)

# What both risks of a session hang on: when it is, and how well the two know each other.
OF_SESSION = (
    Feature("lead_hours", "time from booking to the session"),
    Feature("hour", "hour of the day"),
    Feature("weekday", "day of the week"),
    Feature("duration_minutes", "length of the session"),
    Feature("pair_sessions_before", "sessions the two had before"),
    Feature("student_sessions_before", "sessions the student had before"),
    Feature("is_first_meeting", "first meeting of the two"),
)

SESSION = Task(
    kind="session",
    label="is_disrupted",
    time_column="scheduled_time",
    key=("session_id",),
    features=(
        *OF_SESSION,
        Feature("tutor_reschedule_rate", "share of sessions the tutor rescheduled", 1),
        Feature("tutor_no_show_rate", "share of sessions the tutor missed", 1),
        Feature("tutor_sessions_90d", "sessions of the tutor in 90 days"),
        Feature("pair_tutor_reschedules_before", "sessions with this student the tutor rescheduled", 1),
    ),
    subgroups=("is_first_meeting",),
)

STUDENT_NO_SHOW = Task(
    kind="student_no_show",
    label="is_student_no_show",
    time_column="scheduled_time",
    key=("session_id",),
    features=(
        *OF_SESSION,
        Feature("student_no_show_rate", "share of sessions the student missed, estimated", 1),
        Feature("student_call_off_rate", "share of sessions the student moved or cancelled, estimated"),
        Feature("subject_no_show_rate", "share of sessions of the subject that students missed, estimated", 1),
    ),
    subgroups=("is_first_meeting",),
)

ATTRITION = Task(
    kind="attrition",
    label="has_stopped",
    time_column="known_before",
    key=("tutor_id", "known_before"),
    features=(
        Feature("sessions_28d", "sessions held in 28 days"),
        Feature("sessions_change", "change of sessions held, against the platform's", -1),
        Feature("days_since_session", "days since the last session held", 1),
        Feature("active_students", "students taught lately"),
        Feature("below_peak_share", "drop in students from the tutor's peak"),
        Feature("new_students_56d", "new students in 56 days", -1),
        Feature("lost_share_56d", "share of students lost in 56 days", 1),
        Feature("let_down_rate", "share of sessions moved, cancelled or missed, estimated", 1),
        Feature("rating", "ratings in 90 days, estimated", -1),
        Feature("rating_change", "ratings in 90 days against those of all time", -1),
        Feature("tenure_days", "days since the tutor began"),
    ),
    group="tutor_id",
    outcome_column="outcome_on",
)

TASKS = {task.kind: task for task in (MATCH, SESSION, STUDENT_NO_SHOW, ATTRITION)}


def feature_matrix(features: Sequence[str], frame: "pd.DataFrame") -> Matrix:
    """(rows, features) in the order of `features`; unknown is NaN.

    Raises FrameError if a column is missing, is not numeric, or holds an infinite number.
    """
    matrix = np.empty((len(frame), len(features)), dtype=np.float32)
    for position, name in enumerate(features):
        matrix[:, position] = _numbers(frame, name)
        if np.isinf(matrix[:, position]).any():
            raise FrameError(f"column {name} holds an infinite number")
    return matrix


def labels(task: Task, frame: "pd.DataFrame") -> Bools:
    """(rows,): what happened. Raises FrameError unless every row has true or false."""
    import pandas as pd

    column = _column(frame, task.label)
    if not len(column):
        return np.empty(0, dtype=np.bool_)
    if column.isna().any():
        raise FrameError(f"column {task.label} has {int(column.isna().sum())} rows without a value")
    if not (pd.api.types.is_bool_dtype(column) or column.isin([True, False]).all()):
        raise FrameError(f"column {task.label} must be true or false, not {column.dtype}")
    return column.to_numpy(dtype=np.bool_)


def times(task: Task, frame: "pd.DataFrame") -> npt.NDArray[np.datetime64]:
    """(rows,): UTC, to the microsecond. Raises FrameError unless every row has a time."""
    return _moments(frame, task.time_column)


def outcome_times(task: Task, frame: "pd.DataFrame") -> npt.NDArray[np.datetime64] | None:
    """(rows,): since when each outcome was known, in UTC; None where the task does not say. Raises as `times`."""
    return None if task.outcome_column is None else _moments(frame, task.outcome_column)


def groups(task: Task, frame: "pd.DataFrame") -> Integers | None:
    """(rows,): a number per person whose rows are repeated; None where each row stands for itself."""
    import pandas as pd

    return None if task.group is None else pd.factorize(_column(frame, task.group))[0].astype(np.int64)


def canonical(task: Task, frame: "pd.DataFrame") -> "pd.DataFrame":
    """The rows by time and key, with a new index: whatever order they were read in, a model comes out the same.

    Raises FrameError if two rows have the same key.
    """
    order = frame.assign(**{task.time_column: times(task, frame)})
    for name in set(task.key) - {task.time_column}:
        # As text: a key may be a UUID, a string or a number, and all that matters is one fixed order.
        order[name] = _column(frame, name).astype(str)
    if order.duplicated(list(task.key)).any():
        raise FrameError(f"two rows have the same {', '.join(task.key)}")
    by = list(dict.fromkeys([task.time_column, *task.key]))
    rows = order.reset_index(drop=True).sort_values(by, kind="stable").index
    return frame.iloc[rows].reset_index(drop=True)


def style_codes(styles: "Sequence[str | None] | pd.Series[str]") -> Floats:
    """Positions in STYLES as numbers; NaN for an unknown style and for none."""
    codes = {style: float(position) for position, style in enumerate(STYLES)}
    return np.array([codes.get(style, np.nan) if isinstance(style, str) else np.nan for style in styles])


@dataclass(frozen=True)
class Preferences:
    """Arrays of one shape, an entry per person; NaN = unknown. `style` as of `style_codes`."""

    pace: Floats
    style: Floats
    communication: Floats
    age: Floats

    def __getitem__(self, chosen: Integers | slice) -> "Preferences":
        return Preferences(*(getattr(self, field.name)[chosen] for field in fields(Preferences)))


def mismatches(student: Preferences, tutor: Preferences) -> dict[str, Floats]:
    """By the names in COMPATIBILITY_WEIGHTS: pace and communication |Δ| 0-4, style 0 if equal, 0.5 if either of the
    two is flexible, else 1, age |Δ| in years. NaN where one of the two is unknown.

    The arrays broadcast: students (s, 1) and tutors (t,) give all pairs (s, t).
    """
    unknown_style = np.isnan(student.style) | np.isnan(tutor.style)
    either_flexible = (student.style == FLEXIBLE) | (tutor.style == FLEXIBLE)
    style = np.where(student.style == tutor.style, 0.0, np.where(either_flexible, 0.5, 1.0))
    return {
        "pace_mismatch": np.abs(student.pace - tutor.pace),
        "style_mismatch": np.where(unknown_style, np.nan, style),
        "communication_mismatch": np.abs(student.communication - tutor.communication),
        "age_mismatch": np.abs(student.age - tutor.age),
    }


def compatibility_burden(mismatch: dict[str, Floats]) -> dict[str, Floats]:
    """What each mismatch takes from a compatibility of 1, by name; unknown ones take nothing and leave their weight to
    the others. Where all are unknown, they share what lacks to NEUTRAL_COMPATIBILITY by weight."""
    known = {name: ~np.isnan(values) for name, values in mismatch.items()}
    weight = sum((COMPATIBILITY_WEIGHTS[name] * is_known for name, is_known in known.items()), np.float64(0))
    nothing_known = weight == 0
    divisor = np.where(nothing_known, 1.0, weight)
    burden = {}
    for name, values in mismatch.items():
        worst = WORST_MISMATCH[name]
        taken = np.where(known[name], np.minimum(np.nan_to_num(values), worst) / worst, 0.0) / divisor
        burden[name] = COMPATIBILITY_WEIGHTS[name] * np.where(nothing_known, 1 - NEUTRAL_COMPATIBILITY, taken)
    return burden


def compatibility(mismatch: dict[str, Floats]) -> Floats:
    """1 - (0.35·pace/4 + 0.30·style + 0.25·communication/4 + 0.10·min(age, 50)/50), in 0-1 and in the shape of the
    mismatches. An unknown mismatch drops out and the weights of the others are scaled up to 1; with none known the
    score is NEUTRAL_COMPATIBILITY."""
    # As in SQL, operation by operation: a pair gets the same from the view and on the spot.
    taken: Floats = np.zeros(())
    weight: Floats = np.zeros(())
    for name, values in mismatch.items():
        share, worst = COMPATIBILITY_WEIGHTS[name], WORST_MISMATCH[name]
        known = ~np.isnan(values)
        taken = taken + np.where(known, share * np.minimum(np.nan_to_num(values), worst) / worst, 0.0)
        weight = weight + share * known
    score = np.clip(1 - taken / np.where(weight == 0, 1.0, weight), 0.0, 1.0)
    return np.asarray(np.where(weight == 0, NEUTRAL_COMPATIBILITY, score), dtype=np.float64)


def risk_codes(probability: npt.NDArray[np.floating], low: float = 0.3, high: float = 0.7) -> npt.NDArray[np.int8]:
    """Positions in RISK_LEVELS: low < `low` <= medium < `high` <= high. Not for NaN.

    Probabilities stored in single precision are to be compared as they are stored: 0.3 there is a little above 0.3.
    """
    limits = np.array([low, high], dtype=probability.dtype)
    codes: npt.NDArray[np.int8] = np.digitize(probability, limits).astype(np.int8)
    return codes


def risk_level(probability: float, low: float = 0.3, high: float = 0.7) -> str:
    """`low`, `medium` or `high`, as `risk_codes` has it."""
    return RISK_LEVELS[int(risk_codes(np.array([probability]), low, high)[0])]


def _moments(frame: "pd.DataFrame", name: str) -> npt.NDArray[np.datetime64]:
    import pandas as pd

    column = _column(frame, name)
    try:
        moments = pd.to_datetime(column, utc=True)
    except (TypeError, ValueError) as error:
        raise FrameError(f"column {name} must be a time: {error}") from error
    if moments.isna().any():
        raise FrameError(f"column {name} has {int(moments.isna().sum())} rows without a value")
    return moments.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")


def _column(frame: "pd.DataFrame", name: str) -> "pd.Series[Any]":
    if name not in frame.columns:
        raise FrameError(f"column {name} is missing")
    return frame[name]


def _numbers(frame: "pd.DataFrame", name: str) -> Floats:
    import pandas as pd

    column = _column(frame, name)
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        raise FrameError(f"column {name} must be a number, not {column.dtype}")
    try:
        return pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise FrameError(f"column {name} must be a number, not {column.dtype}: {error}") from error
