"""Connectors as assets: only those that connectors.yml names, in front of the raw tables that they fill."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from core.settings import Settings
from orchestration.defs.ingest import connectors
from orchestration.defs.ingest.raw_tables import raw_table
from orchestration.executors import TOGETHER
from orchestration.policies import freshness

CONNECTORS = """
school:
  kind: postgres
  schedule: "*/5 * * * *"
  tutors: {query: select 1 as tutor_id}
  sessions: {query: select 1 as session_id}
cal: {kind: calcom, since: 2026-01-01}
sheet:
  kind: address
  files: {lessons: "https://example.org/pub"}
  mapping: {sessions: {files: "lessons*"}}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUTORQ_HOME", str(tmp_path))
    return tmp_path


def names(entity: str) -> set[str]:
    deps = raw_table(entity).asset_deps[dg.AssetKey(["raw", entity])]
    return {"/".join(key.path) for key in deps}


def test_each_stands_before_the_tables_that_it_fills(home: Path) -> None:
    (home / "connectors.yml").write_text(CONNECTORS)
    found = connectors.defs()
    definitions = [asset for asset in found.assets or () if isinstance(asset, dg.AssetsDefinition)]
    assets = {spec.key.to_user_string(): spec for asset in definitions for spec in asset.specs}
    assert set(assets) == {"connectors/school", "connectors/cal", "connectors/sheet"}
    assert names("tutors") == {"connectors/school"}
    assert names("sessions") == {"raw/tutors", "raw/students", *assets}
    assert names("reschedules") == {"raw/sessions", "connectors/cal"}
    schedules = {each.name: each for each in found.schedules or ()}
    crons = {name: each.cron_schedule for name, each in schedules.items() if isinstance(each, dg.ScheduleDefinition)}
    assert crons == {
        "fetch_school": "*/5 * * * *", "fetch_cal": "*/15 * * * *", "fetch_sheet": "*/15 * * * *"
    }  # fmt: skip
    jobs = [each.job for each in schedules.values() if isinstance(each, dg.ScheduleDefinition)]
    # They write files that the next run on the same machine has to find.
    assert all(isinstance(job, UnresolvedAssetJobDefinition) and job.executor_def is TOGETHER for job in jobs)
    assert all(freshness(spec, Settings()) is not None for spec in assets.values())


@pytest.mark.parametrize("text", ["", "cal: {kind: calcom}"], ids=["none", "a mistake"])
def test_without_connectors_that_are_understood_all_else_goes_on(home: Path, text: str) -> None:
    (home / "connectors.yml").write_text(text)
    assert list(connectors.defs().assets or ()) == []
    assert names("sessions") == {"raw/tutors", "raw/students"}
