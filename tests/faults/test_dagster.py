"""Dagster loses its database, or is given code that cannot be loaded. What was scored is served; nothing is lost."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from core.settings import PROJECT_ROOT
from demo import write_demo
from tests.e2e.installation import START_SECONDS, Installation
from tests.e2e.processes import wait_for
from tests.e2e.test_up import is_scored
from tests.failures import keep_if_a_test_fails

pytestmark = pytest.mark.soak

DEFINED = """
{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { ... on RepositoryLocation {
    repositories {
        schedules { name scheduleState { status } }
        sensors { name sensorState { status } }
    }
} } } } } }
"""
BROKEN = "import dagster as dg\n\n\ndef defs(:\n"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("faults"))
    keep_if_a_test_fails(installation.home)
    write_demo(installation.home / "landing", tutors=20, students=60, days=60, seed=5)
    yield installation
    for process in installation.processes():
        process.kill()


@pytest.fixture
def complete(installation: Installation) -> Installation:
    installation.complete()
    return installation


def running(installation: Installation) -> set[tuple[str, str]]:
    """Schedules and sensors of tutorq's own code location, with their states."""
    address = f"http://127.0.0.1:{installation.dagster_port}/graphql"
    answer = httpx2.post(address, json={"query": DEFINED}, timeout=20).json()
    entries = {each["name"]: each for each in answer["data"]["workspaceOrError"]["locationEntries"]}
    [repository] = entries["tutorq"]["locationOrLoadError"]["repositories"]
    schedules = {(each["name"], each["scheduleState"]["status"]) for each in repository["schedules"]}
    return schedules | {(each["name"], each["sensorState"]["status"]) for each in repository["sensors"]}


def doctor(installation: Installation) -> dict[str, dict[str, Any]]:
    return {each["what"]: each for each in json.loads(installation.tutorq("doctor", "--json").stdout)}


def assert_loaded_once(installation: Installation, tutor: str, sessions: int) -> None:
    """Scored, by one load, with all else as it was."""
    platform = installation.platform()
    wait_for(lambda: is_scored(platform, tutor), START_SECONDS, installation.log.read_text)
    assert installation.get(f"/api/tutors/{tutor}")["data"]["sessions_7d"] == sessions
    loads = f"select count(*) from raw.loads where source like 'sessions.{tutor}%' and inserted_rows > 0"
    assert platform.value(loads) == 1
    verified = installation.tutorq("verify", "--json")
    assert verified.returncode == 0, verified.stdout


def test_its_tables_are_gone_while_it_runs(complete: Installation) -> None:
    installation = complete
    defined = running(installation)
    assert ("daily_roll_over", "RUNNING") in defined
    platform = installation.platform()
    scored = installation.get("/api/tutors?limit=1")["meta"]
    with psycopg.connect(platform.database.dagster_url, autocommit=True) as connection:
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")
    assert installation.get("/api/tutors?limit=1")["meta"]["total"] == scored["total"]
    tutor = installation.drop_sessions(5)
    found = doctor(installation)["Dagster's records"]
    assert not found["ok"], found
    assert "gone" in found["found"]
    # Its processes stay and do nothing. `up` looks after them twice, and mails an alert; it has to be started again.
    told = "select count(*) from app.alert_conditions where title = 'Dagster''s database is gone'"
    wait_for(lambda: platform.value(told) == 1, START_SECONDS, installation.log.read_text)
    assert installation.get("/api/health")["checks"]["database"]["status"] == "ok"
    installation.interrupt()

    installation.up()
    assert_loaded_once(installation, tutor, 5)
    assert running(installation) == defined
    assert doctor(installation)["Dagster's records"]["ok"]


def test_its_database_is_gone_before_it_starts_and_code_beside_it_is_broken(complete: Installation) -> None:
    installation = complete
    defined = running(installation)
    installation.interrupt()
    platform = installation.platform()
    with platform.connect() as connection:
        connection.execute("drop database dagster with (force)")
    found = doctor(installation)
    installation.tutorq("db", "stop")  # the server, which was started to ask for its address, would outlive `up`
    assert not found["Dagster's records"]["ok"]
    tutor = installation.drop_sessions(4)
    ours = installation.home / "ours.py"
    ours.write_text(BROKEN)
    installation.environment["TUTORQ_CODE_LOCATIONS"] = str(ours)
    try:
        installation.up()
        assert_loaded_once(installation, tutor, 4)
        assert running(installation) == defined
        found = doctor(installation)
        assert found["Dagster's records"]["ok"]
        assert not found["code locations"]["ok"]
        assert "ours cannot be loaded" in found["code locations"]["found"]
        assert "SyntaxError" in found["code locations"]["found"]
        assert "ours.py" in found["code locations"]["found"]
        installation.interrupt()
    finally:
        del installation.environment["TUTORQ_CODE_LOCATIONS"]
        ours.unlink()


def test_a_deploy_whose_code_cannot_be_loaded_says_where(complete: Installation, tmp_path: Path) -> None:
    """The API of such a tree serves what was scored; `up` ends, says the file and the line, and so does the doctor of
    what it is. The tree of before goes on from there."""
    installation = complete
    installation.interrupt()
    tree = tmp_path / "tree"
    files = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT_ROOT, capture_output=True, check=True).stdout
    for name in files.decode().split("\0")[:-1]:
        if name.startswith(("tests/", "docs/", "dashboards/", "benchmarks/")):
            continue
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT_ROOT / name, tree / name)
    shutil.copytree(PROJECT_ROOT / "dbt_project" / "target", tree / "dbt_project" / "target", dirs_exist_ok=True)
    broken = tree / "orchestration" / "defs" / "automation.py"
    broken.write_text(broken.read_text() + "\nif NEW_DAY\n")
    environment = {**installation.environment, "PYTHONPATH": str(tree)}
    up = subprocess.Popen([sys.executable, "-m", "cli.app", "up"], env=environment, cwd=tree,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
    said, _ = up.communicate(timeout=START_SECONDS)
    words = "".join(said.split())
    assert up.returncode == 1, said
    assert "code-locationendedunexpectedly(SyntaxError:expected':'," in words, said
    assert f"{broken}".replace("/", "") in words.replace("/", ""), said
    found = doctor(installation)
    assert "code-location ended" in found["trouble"]["found"]

    key = {"X-API-Key": (installation.home / "api-key").read_text().strip()}
    log = (tmp_path / "api.log").open("wb")
    api = subprocess.Popen([sys.executable, "-m", "api"], cwd=tree, stdout=log, stderr=log,
                           env=environment)  # fmt: skip
    try:
        address = f"http://127.0.0.1:{installation.api_port}/api/tutors?limit=1"
        wait_for(lambda: answers(address, key), START_SECONDS, (tmp_path / "api.log").read_text)
    finally:
        api.kill()
        api.wait()
        log.close()

    installation.up()
    assert_loaded_once(installation, installation.drop_sessions(3), 3)
    assert "trouble" not in doctor(installation)
    installation.interrupt()


def answers(address: str, key: dict[str, str]) -> bool:
    try:
        return httpx2.get(address, headers=key, timeout=20).status_code == 200
    except httpx2.TransportError:
        return False
