"""What deploy/aws/deploy does after something failed, or the second time: steps by themselves, against moto."""

import importlib
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from core.settings import PROJECT_ROOT

pytestmark = pytest.mark.slow

AWS = PROJECT_ROOT / "deploy" / "aws"
EXAMPLE = AWS / "installation.example.toml"
REGION = "eu-central-1"
MINE = {"StackName": "tutorq-data"}


@pytest.fixture(autouse=True)
def _modules_of_deploy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(AWS))
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "testing")


def stack(status: str) -> dict[str, Any]:
    made = {"StackName": "tutorq-data", "CreationTime": "2026-11-30T00:00:00Z", "StackStatus": status}
    tags = [{"Key": "tutorq-release", "Value": "one"}]
    return {"Stacks": [{**made, "Tags": tags, "Outputs": [{"OutputKey": "A", "OutputValue": "b"}]}]}


@pytest.fixture
def asked() -> Iterator[tuple[Any, Stubber]]:
    """Stacks, and what CloudFormation is to be asked, in order."""
    stacks = importlib.import_module("stack_changes").Stacks(boto3.Session(region_name=REGION))
    with Stubber(stacks._client) as stubber:
        yield stacks, stubber
        stubber.assert_no_pending_responses()


def test_a_first_stack_that_failed_makes_way_although_it_is_protected(
    asked: tuple[Any, Stubber], tmp_path: Path
) -> None:
    stacks, cloud = asked
    (tmp_path / "data.json").write_text("{}")
    cloud.add_response("describe_stacks", stack("ROLLBACK_COMPLETE"), MINE)
    cloud.add_response("update_termination_protection", {}, {**MINE, "EnableTerminationProtection": False})
    cloud.add_response("delete_stack", {}, MINE)
    cloud.add_client_error("describe_stacks", "ValidationError", "Stack tutorq-data does not exist")
    cloud.add_response("create_stack", {})
    cloud.add_response("describe_stacks", stack("CREATE_COMPLETE"), MINE)
    assert stacks.apply("tutorq-data", tmp_path / "data.json", None) is True


def test_a_first_stack_that_failed_runs_no_release(asked: tuple[Any, Stubber]) -> None:
    stacks, cloud = asked
    for status in ("ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
        cloud.add_response("describe_stacks", stack(status), MINE)
    assert stacks.tags("tutorq-data") == {}
    assert stacks.outputs("tutorq-data") == {}
    assert stacks.tags("tutorq-data") == {"tutorq-release": "one"}


def test_what_could_not_be_removed_is_named(asked: tuple[Any, Stubber], tmp_path: Path) -> None:
    stacks, cloud = asked
    (tmp_path / "data.json").write_text("{}")
    cloud.add_response("describe_stacks", stack("ROLLBACK_FAILED"), MINE)
    event = {"StackId": "1", "EventId": "1", "StackName": "tutorq-data", "Timestamp": "2026-11-30T00:00:00Z"}
    failed = {"ResourceStatus": "DELETE_FAILED", "LogicalResourceId": "Postgres", "ResourceStatusReason": "protected"}
    earlier = [
        {**event, "ResourceStatus": "CREATE_FAILED", "LogicalResourceId": f"Part{number}"} for number in range(4)
    ]
    cloud.add_response("describe_stack_events", {"StackEvents": [{**event, **failed}, *earlier]}, MINE)
    with pytest.raises(Exception, match=r"(?s)neither made nor removed again.*Postgres: protected.*delete it in Cloud"):
        stacks.apply("tutorq-data", tmp_path / "data.json", None)


class Steps:
    """A deployment of moto's, where the steps that need more than moto are only noted."""

    def __init__(self, module: ModuleType, *, restored: bool = False) -> None:
        self.done: list[str] = []
        self.running: dict[str, str] = {}
        self.fails = False
        mine = module.read_installation(EXAMPLE)
        self.deployment: Any = module.Deployment(mine, EXAMPLE, restored=restored)
        self.deployment.stacks.tags = lambda name: self.running
        self.deployment.snapshot = lambda release: self.done.append("snapshot")
        self.deployment.tasks = lambda: self
        self.deployment.images = lambda: self
        self.deployment.run_migration = self.migrate
        self.deployment.up = lambda release, schema: self.done.append(f"up {release} {schema}")

    def has(self, release: str) -> bool:
        return True

    def stop(self, fewest: int, most: int) -> None:
        self.done.append("stop")

    def migrate(self) -> str:
        self.done.append("migrate")
        if self.fails:
            raise RuntimeError("half-way")
        return ""

    def steps(self) -> list[str]:
        done, self.done = self.done, []
        return done


@pytest.fixture
def program() -> Iterator[ModuleType]:
    loader = SourceFileLoader("deploy_of_aws", str(AWS / "deploy"))
    module = ModuleType(loader.name)
    module.__file__ = str(AWS / "deploy")
    with mock_aws():
        loader.exec_module(module)
        yield module


def test_another_schema_comes_after_a_snapshot_and_a_stop_also_when_it_is_tried_again(program: ModuleType) -> None:
    cloud = Steps(program)
    cloud.deployment.migrate("one", "0044")
    assert cloud.steps() == ["migrate"]
    cloud.running = {"tutorq-release": "one", "tutorq-schema": "0044"}
    cloud.deployment.migrate("one", "0044")
    assert cloud.steps() == []
    cloud.deployment.migrate("two", "0044")
    assert cloud.steps() == ["migrate"]

    cloud.fails = True
    with pytest.raises(RuntimeError):
        cloud.deployment.migrate("three", "0050")
    assert cloud.steps() == ["snapshot", "stop", "migrate"]
    # The database is no more what the snapshot has, so no other one takes its place; what runs is older.
    cloud.fails = False
    cloud.deployment.migrate("four", "0050")
    assert cloud.steps() == ["stop", "migrate"]


def test_the_way_back_is_closed_once_a_migration_has_begun(program: ModuleType) -> None:
    cloud = Steps(program)
    cloud.deployment.migrate("one", "0044")
    cloud.deployment.remember("one", "0044")
    cloud.running = {"tutorq-release": "one", "tutorq-schema": "0044"}
    cloud.fails = True
    with pytest.raises(RuntimeError):
        cloud.deployment.migrate("two", "0050")
    cloud.steps()
    # CloudFormation has put back its tags: they say nothing of the database.
    for refused in (lambda: cloud.deployment.roll_back("one"), lambda: cloud.deployment.refuse_older("0044")):
        with pytest.raises(Exception, match="migrations go forward only"):
            refused()
    assert cloud.steps() == []

    restored = Steps(program, restored=True)
    restored.deployment.roll_back("one")
    assert restored.steps() == ["up one 0044"]


def test_before_the_first_time_every_verb_says_what_is_missing(program: ModuleType) -> None:
    deployment = program.Deployment(program.read_installation(EXAMPLE), EXAMPLE)
    deployment.stacks.outputs = lambda name: {}
    for verb in (deployment.rotate, lambda: deployment.run_task(["true"]), deployment.images):
        with pytest.raises(Exception, match=r"there is no stack tutorq-\w+ in eu-central-1: run `deploy up` first"):
            verb()


@pytest.mark.parametrize(("command", "is_kept"), [(["tutorq", "keys", "create"], False), (None, True)])
def test_a_key_that_a_command_prints_is_told_once(
    program: ModuleType, command: list[str] | None, is_kept: bool
) -> None:
    group, stream = "/tutorq/migrate", "migrate/migrate/1234"
    session = boto3.Session(region_name=REGION)
    logs = session.client("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    lines = [{"timestamp": round(time.time() * 1000), "message": f"line {number}"} for number in range(200)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=lines)
    tasks = program.Tasks(session, {"ClusterName": "tutorq", "Subnets": "a,b", "SecurityGroup": "c"})
    ended: dict[str, Any] = {"taskArn": "arn:aws:ecs:eu-central-1:1:task/tutorq/1234", "lastStatus": "STOPPED"}
    ended["containers"] = [{"exitCode": 0}]
    with Stubber(tasks._ecs) as ecs:
        ecs.add_response("run_task", {"tasks": [ended]})
        ecs.add_response("describe_tasks", {"tasks": [ended]})
        assert tasks.run("migrate:1", command).splitlines() == [line["message"] for line in lines]
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert [each["logStreamName"] for each in streams] == ([stream] if is_kept else [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up", "--release", "two"], "up takes nothing after it; options stand before it"),
        (["--release", "a/b", "up"], "a release is named by letters"),
        (["roll-back"], "roll-back needs one name"),
    ],
)
def test_arguments_that_would_be_passed_over_are_refused(words: list[str], said: str) -> None:
    command = [sys.executable, str(AWS / "deploy"), "--installation", str(EXAMPLE), *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert said in ran.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('timezone = "UTC"', 'timezon = "UTC"', "[settings] timezon is no setting of .env.example"),
        ('mail_provider = "ses"', "", "[settings] mail_provider is one of smtp, sendgrid, ses"),
        ('mail_provider = "ses"', 'mail_provider = "file"', "[settings] mail_provider is one of smtp, sendgrid, ses"),
        ('mail_provider = "ses"', 'mail_provider = "smtp"', "[secrets] asked lacks smtp_url"),
        ('timezone = "UTC"', "dagster_log_in = false", "[settings] dagster_log_in is set by the stacks"),
        ('timezone = "UTC"', 'sendgrid_webhook_key = "MFkwEwYHKoZIzj0"', None),
    ],
)
def test_settings_of_an_installation_are_known_and_send_mail(
    program: ModuleType, tmp_path: Path, old: str, new: str, said: str | None
) -> None:
    file = tmp_path / "installation.toml"
    file.write_text(EXAMPLE.read_text().replace(old, new))
    if said is None:
        assert program.read_installation(file).settings["sendgrid_webhook_key"]
        return
    with pytest.raises(program.InstallationError) as refused:
        program.read_installation(file)
    assert said in str(refused.value)
    assert str(refused.value).count("\n- ") == 1
