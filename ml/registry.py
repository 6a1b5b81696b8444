"""The rows of ml.models: which model is the champion of its kind, and what became of every candidate."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core import locks
from core.database import Database
from core.errors import TutorqError
from core.settings import PROJECT_ROOT, Settings
from ml.features import TASKS
from ml.model import Model
from ml.rules import rules_for
from ml.store import ModelLostError, ModelStore

if TYPE_CHECKING:
    from ml.training import Candidate

CHAMPION = "select model_version, artifact_uri, trained_at, lost_at from ml.models where kind = %s and is_champion"
NOTE = """
update ml.models set lost_at = case when %(is_lost)s then now() end
where model_version = %(version)s and (lost_at is not null) <> %(is_lost)s
"""


@dataclass(frozen=True)
class Champion:
    """The model that answers, and since when it is there; the rules have no time.

    `lost` says which model was promoted and why it does not answer, if its files are gone or damaged.
    """

    model: Model
    trained_at: datetime | None
    lost: str | None = None

    @property
    def said(self) -> dict[str, str]:
        """What the metadata of an asset say of it."""
        return {"model": self.model.version, **({"lost_model": self.lost} if self.lost else {})}


def model_store(settings: Settings) -> ModelStore:
    """The store of this installation."""
    return ModelStore(settings.model_store_uri, endpoint_url=settings.model_store_endpoint_url)


def champion(settings: Settings, database: Database, kind: str) -> Champion:
    """The promoted model of a kind; the rules where none was promoted yet, or where the promoted one is lost.

    A lost model counts as none, or nothing could be predicted and no better one trained. Once its files are back it
    answers again. Nothing is written here: `settled_champion` notes the loss.

    Raises:
        ModelStoreError: the store cannot be read now. Rules instead would replace good predictions for an outage.
    """
    with database.connect() as connection:
        row = connection.execute(CHAMPION, [kind]).fetchone()
    if row is None:
        return Champion(rules_for(TASKS[kind]), None)
    version, address, trained_at, _ = row
    try:
        return Champion(model_store(settings).load(address), trained_at)
    except ModelLostError as error:
        rules = rules_for(TASKS[kind])
        lost = f"the model {version} is lost ({error}); {rules.version} answers until `tutorq train` makes another one"
        return Champion(rules, None, lost)


def settled_champion(settings: Settings, database: Database, kind: str) -> Champion:
    """The same for whoever predicts for everybody, and notes in `ml.models` whether the promoted model is lost."""
    found = champion(settings, database, kind)
    with database.connect() as connection:
        row = connection.execute(CHAMPION, [kind]).fetchone()
        if row is not None:
            connection.execute(NOTE, {"version": row[0], "is_lost": found.lost is not None})
    return found


def model_of_version(settings: Settings, database: Database, kind: str, version: str) -> Model:
    """The rules or the model that has this version, whoever is the champion.

    Raises:
        TutorqError: nothing is known of it.
        ModelStoreError: the store cannot be read, or the model's files are not there.
    """
    rules = rules_for(TASKS[kind])
    if version == rules.version:
        return rules
    with database.connect() as connection:
        row = connection.execute("select artifact_uri from ml.models where model_version = %s", [version]).fetchone()
    if row is None:
        raise TutorqError(f"ml.models has no model {version}")
    return model_store(settings).load(row[0])


def champion_version(settings: Settings, database: Database, kind: str) -> str:
    """The version that predictions of a kind should have: the champion's, or that of the rules where there is none.

    Cheap: files are looked at only while the champion is noted as lost, and the note is removed when they are back.
    """
    with database.connect() as connection:
        row = connection.execute(CHAMPION, [kind]).fetchone()
    if row is None:
        return rules_for(TASKS[kind]).version
    version, _, _, lost_at = row
    return str(version) if lost_at is None else settled_champion(settings, database, kind).model.version


def record(settings: Settings, database: Database, candidate: "Candidate") -> str | None:
    """Keep a candidate: its files in the store, its birth certificate in ml.models, and make it the champion if it was
    promoted. Returns its version, None for a candidate without a model.

    The same model trained again changes nothing but what is said of it; if it was lost, its files are there again.
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
                artifact_uri = excluded.artifact_uri,
                lost_at = null
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
