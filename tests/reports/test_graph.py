"""The sensors and jobs of report mail, on a real Dagster instance."""

import json
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from typer.testing import CliRunner

from cli.app import app
from core.database import Database
from core.settings import Settings
from orchestration.definitions import defs as load_definitions
from orchestration.defs.reports.alerts import run_failures, troubles
from orchestration.defs.reports.email_reports import EMAIL_REPORTS
from orchestration.defs.reports.sending import outbox
from orchestration.resources import Platform

if TYPE_CHECKING:
    from tests.reports.conftest import Marketplace

pytestmark = pytest.mark.slow


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def tick(instance: dg.DagsterInstance) -> object:
    return outbox(dg.build_sensor_context(instance=instance, resources={"platform": Platform()}))


def mails(settings: Settings) -> list[Path]:
    return sorted(settings.outbox_dir.glob("*.eml"))


def test_a_tutor_over_the_threshold_is_told_of_by_one_mail(
    reporting: "Marketplace", instance: dg.DagsterInstance, environment: Settings
) -> None:
    definitions = load_definitions()

    def run(job: str) -> dg.ExecuteInProcessResult:
        return definitions.resolve_job_def(job).execute_in_process(instance=instance)

    def queue() -> dg.ExecuteInProcessResult:
        everything = definitions.resolve_implicit_global_asset_job_def()
        return everything.execute_in_process(instance=instance, asset_selection=[EMAIL_REPORTS])

    assert isinstance(tick(instance), dg.SkipReason)
    for status in ("high_risk", "ok", "high_risk", "watch", "high_risk"):
        reporting.score(5, status)
        queued = queue().asset_materializations_for_node("app__email_reports")[0].metadata
    assert queued["queued_risk_alert"].value == 0
    assert queued["dagster/row_count"].value == 1

    assert isinstance(tick(instance), dg.RunRequest)
    assert mails(environment) == [], "a tick sends nothing"
    assert run("send_reports").success
    (path,) = mails(environment)
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert message["To"] == "staff@localhost"
    assert message["Subject"].startswith("High risk: ")
    assert message["List-Unsubscribe"]
    assert isinstance(tick(instance), dg.SkipReason)


def test_one_sending_run_at_a_time_and_failures_slow_it_down(
    reporting: "Marketplace", instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporting.session("no_show", initiator="tutor")
    reporting.queue()
    send = load_definitions().resolve_job_def("send_reports")
    going = instance.create_run_for_job(send, status=dg.DagsterRunStatus.STARTED)
    answer = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    assert "in progress" in (answer.skip_message or "")
    instance.delete_run(going.run_id)

    monkeypatch.setenv("TUTORQ_MAIL_PROVIDER", "sendgrid")
    result = send.execute_in_process(
        instance=instance, raise_on_error=False, resources={"platform": Platform(), "io_manager": dg.mem_io_manager}
    )
    assert not result.success
    answer = tick(instance)
    assert isinstance(answer, dg.SkipReason)
    assert "failed" in (answer.skip_message or "")
    assert reporting.execute("select state, attempts from app.email_reports") == [("queued", 0)]


def test_failed_runs_become_one_alert(instance: dg.DagsterInstance, database: Database, environment: Settings) -> None:
    @dg.op
    def fails() -> None:
        raise RuntimeError("Ada Lovelace has no rating")

    @dg.job
    def breaking() -> None:
        fails()

    def look() -> object:
        return troubles(dg.build_sensor_context(instance=instance, resources={"platform": Platform()}))

    runs = []
    for _ in range(2):
        result = breaking.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            "run_failures", result.get_run_failure_event(), instance, result.dagster_run
        ).for_run_failure()
        run_failures(context, platform=Platform())
        runs.append(result.dagster_run.run_id)
        look()
    with database.connect() as connection:
        rows = connection.execute("select kind, subject, payload::text from app.email_reports").fetchall()
    assert [row[:2] for row in rows] == [("alert", "tutorq: the job breaking has failed")]
    assert runs[0] in rows[0][2]
    assert "Lovelace" not in rows[0][2], "errors may quote data"


def test_a_run_that_dagster_tries_again_is_no_alert(
    instance: dg.DagsterInstance, database: Database, environment: Settings
) -> None:
    @dg.op
    def fails() -> None:
        raise RuntimeError

    @dg.job(tags={"dagster/will_retry": "true"})
    def breaking() -> None:
        fails()

    result = breaking.execute_in_process(instance=instance, raise_on_error=False)
    context = dg.build_run_status_sensor_context(
        "run_failures", result.get_run_failure_event(), instance, result.dagster_run
    ).for_run_failure()
    run_failures(context, platform=Platform())
    troubles(dg.build_sensor_context(instance=instance, resources={"platform": Platform()}))
    with database.connect() as connection:
        assert connection.execute("select count(*) from app.email_reports").fetchone() == (0,)


def test_the_command_line_sends_what_is_due(reporting: "Marketplace", environment: Settings) -> None:
    reporting.session("no_show", initiator="tutor")

    def send() -> dict[str, object]:
        result = CliRunner().invoke(app, ["reports", "send", "--json"])
        assert result.exit_code == 0, result.output
        answer: dict[str, object] = json.loads(result.stdout)
        return answer

    first = send()
    assert (first["queued"], first["sent"]) == (
        {
            "session_report": 1,
            "risk_alert": 0,
            "daily_digest": 0,
            "weekly_report": 0,
            "tutor_snapshot": 0,
            "appeal_reminder": 0,
            "alert": 0,
            "webhook_events": 0,
            "chat_events": 0,
            "mail_events": 0,
            "failed_before": 0,
        },
        1,
    )
    assert send()["sent"] == 0
    assert len(mails(environment)) == 1


def test_the_command_line_says_which_setting_is_missing(
    reporting: "Marketplace", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUTORQ_MAIL_PROVIDER", "smtp")
    result = CliRunner().invoke(app, ["reports", "send"])
    assert result.exit_code == 1
    assert "TUTORQ_SMTP_URL" in result.output


def test_previews_are_written_and_nothing_is_queued(reporting: "Marketplace", tmp_path: Path) -> None:
    session = reporting.session(moved_by="tutor", notice_hours=3)
    reporting.score(3, "watch")
    for arguments in (
        ["session_report", "--session", str(session)],
        ["risk_alert", "--tutor", str(reporting.tutor(3))],
        ["alert"],
    ):
        path = tmp_path / f"{arguments[0]}.html"
        result = CliRunner().invoke(app, ["reports", "preview", *arguments, "--out", str(path)])
        assert result.exit_code == 0, result.output
        assert path.read_text().startswith("<!DOCTYPE html>")
    assert str(reporting.tutor(3)) in (tmp_path / "risk_alert.html").read_text()
    assert reporting.execute("select count(*) from app.email_reports") == [(0,)]

    for arguments, problem in (
        (["postcard"], "is not one of session_report"),
        (["risk_alert", "--tutor", str(reporting.tutor(4))], "not flagged"),
        (["risk_alert", "--tutor", "nobody"], "no tutor 'nobody'"),
        (["session_report", "--session", "s-0"], "no session 's-0'"),
        (["alert", "--out", str(tmp_path / "no" / "where.html")], "cannot write"),
    ):
        result = CliRunner().invoke(app, ["reports", "preview", *arguments])
        assert result.exit_code == 1
        assert problem in " ".join(result.output.split())
