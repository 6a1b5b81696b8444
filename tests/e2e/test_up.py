"""`tutorq up` as it goes on: files come, processes are killed, Ctrl-C ends everything."""

import json
from contextlib import suppress

import psycopg
import pytest

from tests.crashes.harness import Platform, assert_only_whole_states, read, watched
from tests.e2e.installation import Installation
from tests.e2e.processes import wait_for

FOLLOW_SECONDS = 900
PAUSE_SECONDS = 8  # longer than a file has to be left alone
# What `tutorq up` starts again by itself.
SURVIVED = ("run", "postgres")


@pytest.mark.soak
def test_a_dropped_file_is_scored_by_itself(complete: Installation) -> None:
    installation = complete
    before = installation.get("/api/tutors?limit=1")
    landing = installation.home / "landing"
    assert list(landing.glob("*.csv*")) == [], "what the first run has loaded"
    tutor = installation.drop_sessions(6, pause_seconds=PAUSE_SECONDS)

    platform = installation.platform()
    daemon_log = installation.home / "logs" / "dagster-daemon.log"
    wait_for(lambda: is_scored(platform, tutor), FOLLOW_SECONDS, lambda: daemon_log.read_text()[-3000:])
    assert installation.get("/api/tutors?limit=1")["meta"]["generation"] > before["meta"]["generation"]
    assert installation.get(f"/api/tutors/{tutor}")["data"]["sessions_7d"] == 6
    [report] = landing.glob(f"processed/*/sessions.{tutor}.csv.report.json")
    [loaded] = json.loads(report.read_text())["loads"]
    assert loaded["rows"]["inserted"] == 6


def test_one_home_is_for_one_up(complete: Installation) -> None:
    second = complete.tutorq("up")
    assert second.returncode == 1
    assert "already running" in second.stderr


@pytest.mark.parametrize(
    "victim",
    [
        "run",
        *(pytest.param(name, marks=pytest.mark.soak) for name in ("postgres", "dagster-daemon", "code-location", "up")),
    ],
)
def test_killed_in_the_middle_of_a_run(complete: Installation, victim: str) -> None:
    """The run waits before its publication, all other marts are built: there it dies, by itself or with the others."""
    installation = complete
    total = installation.get("/api/tutors?limit=1")["meta"]["total"]
    platform = installation.platform()
    before = read(platform)
    with watched(platform, may_be_cut=True) as reader:
        with suppress(psycopg.OperationalError), psycopg.connect(platform.database.url) as obstacle:
            obstacle.execute("lock table marts.publication in share mode")
            tutor = installation.drop_sessions(3)
            wait_for(lambda: "publication" in platform.waiting(), FOLLOW_SECONDS, lambda: "no run comes to its end")
            installation.kill(victim)
            if victim not in SURVIVED:
                installation.wait()
        if victim not in SURVIVED:
            assert victim == "up" or f"{victim} ended unexpectedly" in " ".join(installation.log.read_text().split())
            installation.up()
        wait_for(lambda: is_scored(platform, tutor), FOLLOW_SECONDS, lambda: "nothing makes up for the run")
    assert installation.get(f"/api/tutors/{tutor}")["data"]["sessions_7d"] == 3
    assert installation.get("/api/tutors?limit=1")["meta"]["total"] == total + 1
    assert_only_whole_states(reader, before, read(platform))


def is_scored(platform: Platform, tutor: str) -> bool:
    """The tutor's file is loaded, and all that has changed is published."""
    try:
        is_loaded = platform.value(f"select count(*) from raw.tutors where external_id = '{tutor}'") == 1
        return is_loaded and platform.is_settled()
    except psycopg.OperationalError:
        return False


@pytest.mark.parametrize("victims", ["one", pytest.param("all", marks=pytest.mark.soak)])
def test_all_is_as_if_nothing_had_happened(complete: Installation, victims: str) -> None:
    """After the tests above: all of them, in the nightly run."""
    installation = complete
    assert installation.get("/api/health")["status"] == "ok"
    doctor = installation.tutorq("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    assert {finding["what"] for finding in json.loads(doctor.stdout)} >= {"database", "publication", "Dagster daemon"}
    verified = installation.tutorq("verify", "--json")
    assert verified.returncode == 0, verified.stdout


def test_ctrl_c_stops_everything(complete: Installation) -> None:
    complete.interrupt()


@pytest.mark.soak
def test_incremental_runs_and_a_full_refresh_agree(installation: Installation) -> None:
    """After the end of `up`, which would predict pairs of new people between two looks."""
    platform = installation.platform()
    # Once by hand, for runs after new rows leave matching and the history to the nightly one.
    assert installation.tutorq("score").returncode == 0
    content = platform.content()
    assert installation.tutorq("score", "--full-refresh").returncode == 0
    assert platform.content() == content
    assert installation.tutorq("db", "stop").returncode == 0
    assert installation.processes() == []
