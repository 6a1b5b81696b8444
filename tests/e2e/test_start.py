"""The first start of `tutorq up`: today comes first; ended and killed in the middle, it loses nothing."""

import httpx2
import pytest

from tests.e2e.installation import START_SECONDS, Installation
from tests.e2e.processes import wait_for


def test_ctrl_c_before_there_is_a_database(installation: Installation) -> None:
    installation.start()
    wait_for((installation.home / "logs" / "first-run.log").exists, START_SECONDS, installation.log.read_text)
    installation.interrupt()


@pytest.mark.soak
def test_killed_in_the_middle_of_its_first_run(installation: Installation) -> None:
    installation.start()
    dbt_has_begun = installation.home / "dbt" / "dbt.log"
    wait_for(dbt_has_begun.exists, START_SECONDS, installation.log.read_text)
    installation.kill("up")
    installation.wait()


def test_today_is_published_first_and_all_pages_have_an_answer(installation: Installation) -> None:
    """Without history and predictions."""
    installation.start()
    installation.wait_for_line("The dashboard is ready")
    assert installation.get("/api/health")["checks"]["publication"]["generation"] >= 1
    overview = installation.get("/api/overview")["data"]
    assert overview["compared_with"] is None
    assert {count["change"] for count in overview["risk_status"]} == {None}
    tutor = installation.get("/api/tutors?limit=1&trend_weeks=8")["data"][0]["tutor_id"]
    [today] = installation.get(f"/api/tutors/{tutor}/history")["data"]["scores"]
    assert today["as_of"] == installation.get("/api/tutors")["meta"]["as_of"]
    student = installation.get("/api/matching/students?limit=1")["data"][0]["student_id"]
    assert installation.get(f"/api/matching/students/{student}/matches")["data"] == []
    for path in ("/api/funnel", "/api/matching/tutors", "/api/sessions/upcoming", "/api/reports"):
        installation.get(path)


@pytest.mark.soak
def test_killed_before_the_history_is_there(installation: Installation) -> None:
    if installation.process is None:
        installation.start()
    installation.wait_for_line("The dashboard is ready")
    installation.kill("up")
    installation.wait()
    installation.complete()
    assert ("roll_over", "CANCELED") in installation.runs()


def test_history_and_predictions_follow_and_scores_verify(installation: Installation) -> None:
    installation.complete()

    health = installation.get("/api/health")
    assert health["status"] == "ok"
    assert health["checks"]["publication"]["generation"] >= 1
    tutors = installation.get("/api/tutors?limit=500")
    assert tutors["meta"]["total"] == len(tutors["data"]) == 80
    assert any(tutor["risk_probability"] is not None for tutor in tutors["data"])
    one = tutors["data"][0]["tutor_id"]
    for path in (f"/api/tutors/{one}", f"/api/tutors/{one}/history", f"/api/tutors/{one}/explanation", "/api/overview"):
        assert installation.get(path)["meta"]["generation"] == tutors["meta"]["generation"]
    assert installation.get("/api/overview")["data"]["compared_with"] is not None, "score_history has no earlier day"
    assert httpx2.get(f"http://127.0.0.1:{installation.api_port}/api/tutors").status_code == 401
    assert httpx2.get(f"http://127.0.0.1:{installation.dagster_port}/server_info").status_code == 200

    student = installation.get("/api/matching/students?limit=1")["data"][0]["student_id"]
    assert installation.get(f"/api/matching/students/{student}/matches")["data"]
    assert installation.runs() >= {("roll_over", "SUCCESS"), ("train", "SUCCESS")}

    token = installation.log.read_text().partition("/login#token=")[2].split()[0]
    log_in = httpx2.post(f"http://127.0.0.1:{installation.api_port}/api/auth/session", json={"token": token})
    assert (log_in.status_code, log_in.json()["role"]) == (201, "admin")

    for name in ("api-key", "up.id", "logs", "dagster", "dbt", "models"):
        for path in [installation.home / name, *(installation.home / name).rglob("*")]:
            if path.exists() and not path.is_symlink():
                assert path.stat().st_mode & 0o077 == 0, f"others may read {path}, which a process has made"

    verified = installation.tutorq("verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
