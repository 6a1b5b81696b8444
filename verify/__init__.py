"""A second, independent computation of the tutor scores, compared with the ones in the marts.

`marts.tutor_scores` is computed in SQL, with a numeric grid for the beta distribution. Here the same definitions are
computed from the schema `raw` with pandas and SciPy's exact beta distribution. A formula otherwise lives once, in SQL;
the repetition is deliberate: two ways that agree on every tutor are the evidence that the marts are right. So nothing
here may be shared with, or generated from, the dbt project.

frames (read) -> counts (sessions, then tutors) -> scores -> compare -> report; all but frames are pure functions.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pandas as pd

from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from verify.columns import TOLERANCES
from verify.compare import compare
from verify.frames import Basis, freeze, load_raw, pending_changes, published_basis, published_scores
from verify.recompute.counts import session_facts
from verify.recompute.scores import score_tutors
from verify.report import VerifyReport


def recompute(database: Database, *, settings: Settings) -> pd.DataFrame:
    """The tutor scores from the rows in `raw`: one row per tutor, index tutor_id (text), columns as in `TOLERANCES`.

    Computed for what the marts were built with; before the first publication, for what the settings say.

    Raises:
        TutorqError: the database cannot be reached.
    """
    with database.connect() as connection:
        basis = published_basis(connection) if freeze(connection) else None
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
        if not freeze(connection) or (basis := published_basis(connection)) is None:
            raise TutorqError("there are no scores to verify yet; run `tutorq score` first")
        notes = (*pending_changes(connection), *_changed_settings(basis, settings))
        published = published_scores(connection, list(TOLERANCES))
        frames = load_raw(connection)
    recomputed = score_tutors(frames.tutors["tutor_id"], session_facts(frames, basis.timezone), basis)
    return compare(recomputed, published, basis, notes)


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


def _changed_settings(basis: Basis, settings: Settings) -> list[str]:
    names = ("timezone", "risk_threshold", "high_risk_probability", "watch_probability")
    return [
        f"{name} was {getattr(basis, name)} when the marts were built and is {getattr(settings, name)} now"
        for name in names
        if getattr(basis, name) != getattr(settings, name)
    ]
