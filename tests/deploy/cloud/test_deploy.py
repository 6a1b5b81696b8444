"""deploy/aws/deploy against moto's server: a whole installation, then again, when nothing may change.

What stands in here: moto for AWS (moto_server.py says how far), a program for Docker, and a thread for what ECS does by
itself (registering targets).
"""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

pytestmark = pytest.mark.cloud

ROOT = Path(__file__).resolve().parents[3]
REGION = "eu-central-1"
PAGE = {"index.html": "<p>the page</p>", "assets/index-abc.js": "1", "favicon.svg": "<svg/>"}
# Of what a program may ask without changing anything.
LOOKING = re.compile(r"^(Describe|Get|List|Head|BatchGet|Lookup)")
DOCKER = """#!{python}
import pathlib, shutil, sys
import boto3
words = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(" ".join(words) + "\\n")
if words[0] == "login":
    assert sys.stdin.read()
elif words[0] == "create":
    print("container")
elif words[0] == "cp":
    shutil.copytree({page!r}, words[2], dirs_exist_ok=True)
elif words[0] == "push":
    uri, _, tag = words[1].rpartition(":")
    boto3.client("ecr").put_image(
        repositoryName=uri.rpartition("/")[2],
        imageTag=tag,
        imageManifest='{{"schemaVersion": 2, "t": "' + tag + '"}}',
        imageManifestMediaType="application/vnd.docker.distribution.manifest.v2+json",
    )
"""


class Cloud:
    """moto's server, and what is beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TUTORQ_"))},
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "TUTORQ_DEPLOY_LOOK_SECONDS": "0.2",
            "TUTORQ_OIDC_CLIENT_SECRET": "of-the-provider",
            "TUTORQ_SES_SMTP_PASSWORD": "of-the-mail",
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }
        self.docker_log = folder / "docker.log"
        self.docker_log.touch()
        page = folder / "page"
        for name, text in PAGE.items():
            (page / name).parent.mkdir(parents=True, exist_ok=True)
            (page / name).write_text(text)
        (folder / "bin").mkdir()
        docker = folder / "bin" / "docker"
        docker.write_text(DOCKER.format(python=sys.executable, log=str(self.docker_log), page=str(page)))
        docker.chmod(0o755)
        self.ended = threading.Event()

    def client(self, service: str, region: str = REGION) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def make_installation(self) -> None:
        """The example, with certificates that moto has issued."""
        example = (ROOT / "deploy" / "aws" / "installation.example.toml").read_text()
        for region in (REGION, "us-east-1"):
            arn = self._certificate(region)
            example = re.sub(rf'"arn:aws:acm:{region}:[^"]*"', f'"{arn}"', example)
        (self.folder / "installation.toml").write_text(example)

    def _certificate(self, region: str) -> str:
        names = ["tutorq.example.org", "dagster.tutorq.example.org"]
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(30)
        )
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
        certificate = builder.add_extension(alternatives, critical=False).sign(key, hashes.SHA256())
        made = self.client("acm", region).import_certificate(
            Certificate=certificate.public_bytes(Encoding.PEM),
            PrivateKey=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )
        return str(made["CertificateArn"])

    def deploy(self, *words: str, release: str = "one", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(sys.executable, "deploy/aws/deploy", "--installation", str(self.folder / "installation.toml")),
                *("--release", release, *words),
            ],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def register_targets(self) -> None:
        """As ECS does once tasks run."""
        client = self.client("elbv2")
        while not self.ended.wait(0.3):
            for group in client.describe_target_groups()["TargetGroups"]:
                if not client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])[
                    "TargetHealthDescriptions"
                ]:
                    client.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": "10.0.0.10"}])

    def recorded(self, verb: str) -> str:
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/moto-api/recorder/{verb}", method="POST")
        ) as answer:
            return str(answer.read().decode())

    def recording(self) -> list[str]:
        with urllib.request.urlopen(f"{self.url}/moto-api/recorder/download-recording") as answer:
            return [action_of(json.loads(line)) for line in answer.read().decode().splitlines()]


def action_of(request: dict[str, Any]) -> str:
    """What a recorded request asks for, in AWS's words; of S3 and CloudFront its method and path."""
    headers = {key.lower(): value for key, value in request["headers"].items()}
    if target := headers.get("x-amz-target"):
        return str(target).rpartition(".")[2]
    body = base64.b64decode(request["body"]).decode(errors="replace") if request["body_encoded"] else request["body"]
    if found := re.search(r"(?:^|&)Action=(\w+)", body):
        return found[1]
    return ("Get " if request["method"] in ("GET", "HEAD") else f"{request['method']} ") + request["url"]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    made = Cloud(tmp_path_factory.mktemp("cloud"))
    log = (made.folder / "moto.log").open("w")
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("moto_server.py"), str(made.port)],
        env={**made.environment, "MOTO_ENABLE_RECORDING": "", "MOTO_RECORDER_FILEPATH": str(made.folder / "recording")},
        stdout=log,
        stderr=log,
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{made.url}/moto-api/").close()
                break
            except OSError:
                time.sleep(0.2)
        made.make_installation()
        thread = threading.Thread(target=made.register_targets, daemon=True)
        thread.start()
        yield made
        made.ended.set()
        thread.join()
    finally:
        made.ended.set()
        server.terminate()
        server.wait()
        log.close()


@pytest.fixture(scope="module")
def first(cloud: Cloud) -> str:
    """What the first deployment said."""
    ran = cloud.deploy("up")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_check_says_what_is_missing_and_makes_nothing(tmp_path: Path) -> None:
    other = Cloud(tmp_path)
    shutil.copy(ROOT / "deploy" / "aws" / "installation.example.toml", tmp_path / "installation.toml")
    ran = other.deploy("check", AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    assert ran.returncode == 1
    assert "AWS does not answer for the region eu-central-1" in ran.stderr


def test_the_first_time_makes_everything(cloud: Cloud, first: str) -> None:
    assert re.findall(r"stack (\S+): (\w+)", first) == [
        (f"tutorq-{name}", "changed") for name in ("registry", "data", "migration", "services", "page")
    ]
    assert "image one: pushed" in first
    assert "targets: healthy" in first
    assert f"page: {len(PAGE)} files uploaded" in first
    built = [line for line in cloud.docker_log.read_text().splitlines() if "build" in line]
    assert len(built) == 2
    assert all("--platform linux/amd64" in line for line in built)


def test_secrets_are_made_and_never_said(cloud: Cloud, first: str) -> None:
    client = cloud.client("secretsmanager")
    kept = {
        each["Name"]: client.get_secret_value(SecretId=each["Name"])["SecretString"]
        for each in client.list_secrets()["SecretList"]
    }
    ours = {name.removeprefix("tutorq/"): value for name, value in kept.items() if name.startswith("tutorq/")}
    assert set(ours) == {
        *("ingest_database_url", "transform_database_url", "api_database_url", "dagster_database_url"),
        *("dagster_token", "secrets_key", "erasure_key", "door", "oidc_client_secret", "ses_smtp_password"),
    }
    assert ours["oidc_client_secret"] == "of-the-provider"
    assert re.fullmatch(
        r"postgresql://api:[0-9a-f]{48}@\S+:5432/tutorq\?sslmode=verify-full&\S+", ours["api_database_url"]
    )
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}=", ours["secrets_key"])
    stacks = cloud.client("cloudformation")
    for name in ("data", "migration", "services", "page"):
        template = json.dumps(stacks.get_template(StackName=f"tutorq-{name}")["TemplateBody"], default=str)
        assert not [secret for secret, value in ours.items() if value in template + first], name


def test_files_of_the_page_say_how_long_they_hold(cloud: Cloud, first: str) -> None:
    outputs = cloud.client("cloudformation").describe_stacks(StackName="tutorq-page")["Stacks"][0]["Outputs"]
    [bucket] = [each["OutputValue"] for each in outputs if each["OutputKey"] == "PageBucket"]
    s3 = cloud.client("s3")
    held = {name: s3.head_object(Bucket=bucket, Key=name) for name in PAGE}
    assert held["assets/index-abc.js"]["CacheControl"] == "public, max-age=31536000, immutable"
    assert held["index.html"]["CacheControl"] == "no-cache"
    assert held["index.html"]["ContentType"] == "text/html"


def test_the_second_time_changes_nothing(cloud: Cloud, first: str) -> None:
    cloud.recorded("reset-recording")
    cloud.recorded("start-recording")
    pushed = cloud.docker_log.read_text().count("push")
    ran = cloud.deploy("up")
    cloud.recorded("stop-recording")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert set(re.findall(r"stack \S+: (\w+)", ran.stdout)) == {"unchanged"}
    for said in ("image one: already pushed", "secrets: all there", "migration: done", "page: unchanged"):
        assert said in ran.stdout
    asked = cloud.recording()
    assert len(asked) > 20
    assert [action for action in asked if not LOOKING.match(action)] == []
    assert cloud.docker_log.read_text().count("push") == pushed


def test_another_release_moves_the_services_after_its_migration(cloud: Cloud, first: str) -> None:
    ran = cloud.deploy("up", release="two")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert dict(re.findall(r"stack tutorq-(\S+): (\w+)", ran.stdout)) == {
        **dict.fromkeys(("registry", "data", "page"), "unchanged"),
        **dict.fromkeys(("migration", "services"), "changed"),
    }
    assert (
        ran.stdout.index("stack tutorq-migration")
        < ran.stdout.index("\nmigration: ")
        < ran.stdout.index("stack tutorq-services")
    )

    back = cloud.deploy("roll-back", "one")
    assert back.returncode == 0, back.stdout + back.stderr
    assert "image one: already pushed" in back.stdout
    tags = cloud.client("cloudformation").describe_stacks(StackName="tutorq-services")["Stacks"][0]["Tags"]
    assert {"Key": "tutorq-release", "Value": "one"} in tags


def test_no_way_back_to_another_schema(cloud: Cloud, first: str) -> None:
    cloud.client("ssm").put_parameter(Name="/tutorq/releases/one", Value="0001", Type="String", Overwrite=True)
    refused = cloud.deploy("roll-back", "one")
    assert refused.returncode == 1
    assert "migrations go forward only" in refused.stderr
    unknown = cloud.deploy("roll-back", "never")
    assert "never was never deployed here" in unknown.stderr


def test_a_secret_that_is_missing_is_asked_for_by_name(cloud: Cloud, first: str) -> None:
    cloud.client("secretsmanager").delete_secret(SecretId="tutorq/ses_smtp_password", ForceDeleteWithoutRecovery=True)
    ran = cloud.deploy("up", TUTORQ_SES_SMTP_PASSWORD="")
    assert ran.returncode == 1
    assert "set TUTORQ_SES_SMTP_PASSWORD, or run this at a terminal" in ran.stderr
    assert cloud.deploy("up").returncode == 0


def test_limits_of_the_account_are_explained() -> None:
    sys.path.insert(0, str(ROOT / "deploy" / "aws"))
    from stack_changes import explain

    told = explain("The maximum number of addresses has been reached. (Service: Ec2, Error Code: AddressLimitExceeded)")
    assert "Service Quotas (EC2-VPC Elastic IPs" in told
    assert explain("Access denied") == "Access denied"
