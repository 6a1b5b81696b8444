"""The commands of docs/connectors.md, as they stand there, and a dlt pipeline of somebody's own."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from typer.testing import CliRunner

from cli.app import app
from core.settings import PROJECT_ROOT
from ingest import load_folder
from tests.connectors.conftest import Installation
from tests.connectors.sources import Answer, configure, serving
from tests.connectors.test_services import TOMORROW, CalCom

pytestmark = pytest.mark.connectors

PAGE = (PROJECT_ROOT / "docs" / "connectors.md").read_text()


def section(title: str) -> tuple[dict[str, Any], list[list[str]]]:
    """What a section has in connectors.yml, and its calls of tutorq."""
    text = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    settings = yaml.safe_load("\n".join(re.findall(r"```yaml\n(.*?)```", text, re.S)))
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))
    return settings, [line.split()[1:] for line in shell.splitlines() if line.startswith("tutorq ")]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_application(
    installation: Installation, application: psycopg.Connection, lesson: Callable[..., None]
) -> None:
    settings, commands = section("Rails, or any application on Postgres")
    configure(installation.settings, **settings)
    lesson(1)
    lesson(2, "off", by="teacher")
    first, second = [run(*command) for command in commands]
    assert "1 tutors, 2 sessions" in first
    assert json.loads(second)["rows"] == {}
    assert {key: row[:2] for key, row in installation.sessions().items()} == {
        "1": ("completed", None), "2": ("cancelled", "tutor")
    }  # fmt: skip
    lesson(3)
    told = json.loads(run("sync", "school", "--json"))
    assert (told["rows"], told["loaded"]["inserted"]) == ({"sessions": 1}, 1)
    lesson(4)
    run("sync", "school", "--no-load")
    assert len(installation.sessions()) == 3
    lesson(5)
    run("sync", "school")
    assert len(installation.sessions()) == 5
    application.execute("truncate lessons")
    result = CliRunner().invoke(app, ["sync", "school"])
    assert result.exit_code == 1
    assert "--delete-anyway" in result.output
    assert len(installation.sessions()) == 5
    run("sync", "school", "--delete-anyway")
    assert installation.sessions() == {}


def test_a_sheet(installation: Installation) -> None:
    settings, [command] = section("A sheet, or a file at an address")
    sheet = (
        b"Ref,Teacher,Pupil,Day,Start,How it went\n1,Ann,Kid,31.01.2026,15:00,Done\n2,Ann,Kid,01.02.2026,15:00,Off\n"
    )
    with serving(lambda _: Answer(sheet, headers={"Content-Type": "text/csv"})) as service:
        settings["sheet"]["files"]["sessions"] = f"{service.url}/pub"
        configure(installation.settings, **settings)
        run(*command)
    found = installation.sessions()
    assert {key: row[0] for key, row in found.items()} == {"1": "completed", "2": "cancelled"}
    assert found["1"][2] == datetime(2026, 1, 31, 14, tzinfo=UTC)


def test_a_booking_tool(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, [command] = section("Booking tools")
    monkeypatch.setenv("TUTORQ_CONNECTOR_CAL_KEY", "cal_key")
    calendar = CalCom()
    calendar.add("b", TOMORROW)
    with serving(calendar) as service:
        settings["cal"]["url"] = service.url
        configure(installation.settings, **settings)
        run(*command)
    assert installation.sessions()["b"][0] == "scheduled"


def test_what_a_pipeline_of_ones_own_writes_is_loaded(installation: Installation, tmp_path: Path) -> None:
    import dlt

    [layout] = re.findall(r'`layout="(.*?)"`', PAGE)
    folder = installation.settings.landing
    row = {"session_id": "s1", "tutor_id": "t", "student_id": "p", "status": "completed"}
    pipeline = dlt.pipeline(
        "own", pipelines_dir=str(tmp_path / "dlt"), dataset_name="own",
        destination=dlt.destinations.filesystem(bucket_url=folder.as_uri(), layout=layout),
    )  # fmt: skip
    pipeline.run(
        [row | {"scheduled_time": "2026-01-31T15:00:00Z"}], table_name="sessions", loader_file_format="parquet"
    )
    assert (folder / "own" / "init").exists()
    summary = load_folder(installation.loader, folder / "own", timezone="UTC")
    assert (summary.inserted, [str(each) for each in summary.neglected]) == (1, [])
