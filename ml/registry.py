"""The rows of ml.models: which model is the champion of its kind, and what became of every candidate."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from core import locks
from core.database import Database
from core.settings import PROJECT_ROOT, Settings
from ml.features import TASKS
from ml.model import Model
from ml.rules import rules_for
from ml.store import ModelStore

if TYPE_CHECKING:
    from ml.training import Candidate

CHAMPION = "select model_version, artifact_uri, trained_at from ml.models where kind = %s and is_champion"


@dataclass(frozen=True)
class Champion:
    """A model and since when it is there; the rules have no time."""

    model: Model
    trained_at: datetime | None


def model_store(settings: Settings) -> ModelStore:
    """The store of this installation."""
    return ModelStore(settings.model_store_uri, endpoint_url=settings.model_store_endpoint_url)


def champion(settings: Settings, database: Database, kind: str) -> Champion:
    """The promoted model of a kind, or the rules where none was promoted yet.

    Raises ModelStoreError if the model is not in the store.
    """
    with database.connect() as connection:
        row = connection.execute(CHAMPION, [kind]).fetchone()
    if row is None:
        return Champion(rules_for(TASKS[kind]), None)
    _, address, trained_at = row
    return Champion(model_store(settings).load(address), trained_at)


def champion_version(connection: psycopg.Connection, kind: str) -> str:
    """The version that predictions of a kind should have."""
    row = connection.execute(CHAMPION, [kind]).fetchone()
    return str(row[0]) if row else rules_for(TASKS[kind]).version


def record(settings: Settings, database: Database, candidate: "Candidate") -> str | None:
    """Keep a candidate: its files in the store, its birth certificate in ml.models, and make it the champion if it was
    promoted. Returns its version, None for a candidate without a model.

    The same model trained again changes nothing but what is said of it.
    """
    model = candidate.model
    if model is None:
        return None
    address = model_store(settings).save(model)
    with database.connect() as connection:
        # One candidate of a kind at a time, so that there is one champion.
        connection.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [locks.MODEL_VERSION, candidate.kind])
        if candidate.is_promoted:
            connection.execute(
                "update ml.models set is_champion = false where kind = %s and is_champion and model_version <> %s",
                [candidate.kind, model.version],
            )
        connection.execute(
            """
            insert into ml.models (
                model_version, kind, is_champion, promotion_reason, metrics, parameters, features, trained_rows,
                data_from, data_to, git_revision, artifact_uri
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (model_version) do update set
                is_champion = models.is_champion or excluded.is_champion,
                promotion_reason = excluded.promotion_reason,
                metrics = excluded.metrics,
                artifact_uri = excluded.artifact_uri
            """,
            [
                model.version, candidate.kind, candidate.is_promoted, candidate.reason, json.dumps(candidate.metrics),
                json.dumps(candidate.parameters), list(model.features), candidate.trained_rows, candidate.data_from,
                candidate.data_to, git_revision(), address,
            ],
        )  # fmt: skip
    return model.version


def git_revision(root: Path = PROJECT_ROOT) -> str | None:
    """The commit of this working copy, None where it is none."""
    git = root / ".git"
    if git.is_file():  # a worktree: the file says where its data are
        git = root / git.read_text().removeprefix("gitdir: ").strip()
    try:
        head = (git / "HEAD").read_text().strip()
    except OSError:
        return None
    if not head.startswith("ref: "):
        return head
    name = head.removeprefix("ref: ")
    common = git / (git / "commondir").read_text().strip() if (git / "commondir").exists() else git
    try:
        return (common / name).read_text().strip()
    except OSError:
        pass
    try:
        packed = (common / "packed-refs").read_text()
    except OSError:
        return None
    return next((line.split()[0] for line in packed.splitlines() if line.endswith(f" {name}")), None)
