"""Running dbt: where its project is, what it is told, and how it connects."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.database import Database
from core.errors import TutorqError
from core.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    from dagster_dbt import DbtCliResource
    from dbt.artifacts.schemas.run import RunExecutionResult

DBT_PROJECT_DIR = PROJECT_ROOT / "dbt_project"
DBT_LOCK = 7_461_003
# Made by `make install` (`dbt parse`) and baked into the image: no import ever runs dbt.
MANIFEST_PATH = DBT_PROJECT_DIR / "target" / "manifest.json"


def dbt_target_path(settings: Settings) -> Path:
    """Where dbt writes its artifacts; one place for all runs, because only one runs at a time."""
    return settings.home / "dbt"


def dbt_variables(settings: Settings, scoring_days: Sequence[date] = ()) -> list[str]:
    """`--vars` from the settings; `scoring_days` are recorded in score_history besides the as-of day."""
    variables: dict[str, object] = dict(settings.dbt_vars())
    if scoring_days:
        variables["scoring_days"] = [day.isoformat() for day in scoring_days]
    return ["--vars", json.dumps(variables)]


def dbt_cli() -> "DbtCliResource":
    """The dbt of this Python environment, whether or not it is on the PATH."""
    from dagster_dbt import DbtCliResource

    return DbtCliResource(
        project_dir=str(DBT_PROJECT_DIR),
        profiles_dir=str(DBT_PROJECT_DIR),
        dbt_executable=str(Path(sys.executable).parent / "dbt"),
    )


def point_dbt_at(database: Database) -> None:
    """Put the connection where the shipped dbt profile reads it: libpq's own variables."""
    os.environ.update(database.libpq_environment())


@contextmanager
def one_dbt_at_a_time(database: Database) -> Iterator[None]:
    """Wait for any other dbt on this database that goes through here, the command line's as well as Dagster's."""
    with database.connect(autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [DBT_LOCK])
        yield


def build(
    settings: Settings,
    database: Database,
    *,
    select: Sequence[str] = (),
    full_refresh: bool = False,
    scoring_days: Sequence[date] = (),
) -> None:
    """`dbt build` in this process, without unit tests (of formulas) and thorough tests (left to the nightly run).

    Raises:
        TutorqError: names what failed.
    """
    from dbt.cli.main import dbtRunner

    point_dbt_at(database)
    arguments = [
        "--quiet",
        "build",
        "--exclude-resource-type=unit_test",
        "--exclude=tag:thorough",
        f"--project-dir={DBT_PROJECT_DIR}",
        f"--profiles-dir={DBT_PROJECT_DIR}",
        f"--target-path={dbt_target_path(settings)}",
        f"--log-path={dbt_target_path(settings)}",
        *dbt_variables(settings, scoring_days),
    ]
    if select:
        arguments += ["--select", *select]
    if full_refresh:
        arguments.append("--full-refresh")
    with one_dbt_at_a_time(database):
        outcome = dbtRunner().invoke(arguments)
    if outcome.exception is not None:
        raise TutorqError(f"dbt failed: {outcome.exception}")
    if not outcome.success:
        results = cast("RunExecutionResult", outcome.result).results
        failed = [f"{result.node.name}: {result.message}" for result in results if result.status in ("error", "fail")]
        raise TutorqError("dbt failed: " + "; ".join(failed))
