"""A second, independent computation of the tutor scores, compared with the ones in the marts.

`marts.tutor_scores` is computed in SQL, with a numeric grid for the beta distribution. Here the same definitions are
computed from the schema `raw` with pandas and SciPy's exact beta distribution. A formula otherwise lives once, in SQL;
the repetition is deliberate: two ways that agree on every tutor are the evidence that the marts are right. So nothing
here may be shared with, or generated from, the dbt project.

frames (read) -> recompute -> compare -> report; all but frames are pure functions.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core import scoring_settings
from core.database import Database
from core.settings import Settings
from verify.compare import compare, compare_concerns
from verify.frames import (
    count_changes,
    count_rows,
    freeze,
    is_sampled,
    load_concerns,
    load_kept,
    load_publication,
    load_raw,
    load_scores,
)
from verify.inputs import Basis
from verify.recompute import recompute
from verify.report import VerifyReport


def verify(database: Database, *, settings: Settings) -> VerifyReport:
    """Recompute scores and concerns and compare them with the marts, in one snapshot of the database.

    Computed with what `marts.publication` says. The notes of the report name what explains a difference without an
    error: rows that arrived since, and settings that were changed since. Of more sessions than
    `TUTORQ_VERIFY_SESSIONS`, those of a sample of tutors are read, and the report says so.

    Raises:
        TutorqError: nothing has been published yet, or not all of it, or the database cannot be reached.
    """
    with database.connect() as connection:
        freeze(connection)
        basis = load_publication(connection)
        published = load_scores(connection)
        concerns = load_concerns(connection)
        sessions, tutors = count_rows(connection)
        share = min(1, settings.verify_sessions / max(sessions, 1))
        kept = load_kept(connection, is_sample=share < 1)
        pending = count_changes(connection)
        wanted = {**settings.dbt_vars(), **scoring_settings.in_force(settings, connection)}
        frames = load_raw(connection, share)
    notes = (*_pending_changes(pending), *_changed_settings(basis, wanted))
    if share < 1:
        published = published[is_sampled(published.index, share)]
        concerns = concerns[is_sampled(concerns["tutor_id"], share)]
    scores, levels = recompute(frames, basis, kept, published)
    if share < 1:
        scores, published = (frame.drop(columns="peer_percentile", errors="ignore") for frame in (scores, published))
    report = compare(scores, published, basis, notes)
    return replace(report, concerns=compare_concerns(levels, concerns, basis), sample_of=tutors if share < 1 else None)


def _pending_changes(pending: int) -> list[str]:
    return [f"changes that are not in the marts yet: {pending}; `tutorq score` takes them over"] if pending else []


def _changed_settings(basis: Basis, wanted: Mapping[str, Any]) -> list[str]:
    # The day may be set as `now` or `latest`; no score depends on when somebody is talked to, or on what models learn.
    others = ("as_of", "randomise_follow_up", "unnamed_no_shows")
    built_with = {**basis.concern_rules, **vars(basis)}
    return [
        f"{name} was {built_with.get(name)} when the marts were built and is {value} now"
        for name, value in wanted.items()
        if name not in others and built_with.get(name) != value
    ]
