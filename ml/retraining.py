"""Train, judge and keep: from the mart to a row in ml.models."""

from dataclasses import dataclass

from core.database import Database
from core.settings import Settings
from ml.features import TASKS
from ml.registry import record, settled_champion
from ml.rules import rules_for
from ml.training import Candidate, train
from ml.training_set import labelled_rows, training_set

SEED = 7


@dataclass(frozen=True)
class Retrained:
    """A candidate, the version it is kept under, and the version that answers from now on. `lost`: why the champion
    before it could not be compared with."""

    candidate: Candidate
    version: str | None
    champion: str
    lost: str | None = None


def retrain(settings: Settings, database: Database, kind: str, *, seed: int = SEED) -> Retrained:
    """Train a candidate of a kind on its mart; it becomes the champion if it is better than all there is.

    Of more labelled rows than `TUTORQ_TRAINING_ROWS`, it learns from a sample of about so many.

    Raises TutorqError if the marts have not been built.
    """
    task = TASKS[kind]
    rows = labelled_rows(database, task)
    share = min(1, settings.training_rows / max(rows, 1))
    found = settled_champion(settings, database, kind)
    before = found.model
    candidate = train(
        task,
        training_set(database, task, share=share),
        sample_of=rows if share < 1 else None,
        seed=seed,
        champion=before,
        rules=rules_for(task),
        low=settings.match_medium_risk,
        high=settings.match_high_risk,
    )
    version = record(settings, database, candidate)
    answering = version if version and candidate.is_promoted else before.version
    return Retrained(candidate, version, answering, found.lost)
