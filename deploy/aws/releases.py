"""A release: its image, its migration, the page's files, and whether it answers."""

import base64
import hashlib
import mimetypes
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from stack_changes import DeploymentError

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = "linux/amd64"
# Built files carry a hash of their content in their name (api/dashboard.py).
FOR_EVER, ASK_EACH_TIME = "public, max-age=31536000, immutable", "no-cache"
HASHED = "assets/"
PATIENCE_SECONDS = 1200
LOOK_SECONDS = float(os.environ.get("TUTORQ_DEPLOY_LOOK_SECONDS", "10"))


def docker(*arguments: str, given: str | None = None) -> str:
    ran = subprocess.run(["docker", *arguments], cwd=ROOT, input=given, text=True, capture_output=True, check=False)
    if ran.returncode:
        raise DeploymentError(f"docker {' '.join(arguments[:2])} failed:\n{(ran.stderr or ran.stdout)[-2000:]}")
    return ran.stdout.strip()


def schema_version(root: Path = ROOT) -> str:
    """The newest migration of this checkout."""
    return max(path.name[:4] for path in (root / "core" / "migrations" / "versions").glob("[0-9]*.py"))


def wait_for(what: str, is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > end:
            raise DeploymentError(
                f"{what}: not so after {PATIENCE_SECONDS // 60} minutes; their logs are in CloudWatch"
            )
        time.sleep(LOOK_SECONDS)


class Images:
    """The image repository."""

    def __init__(self, session: boto3.Session, name: str, uri: str) -> None:
        self._client = session.client("ecr")
        self._name = name
        self.uri = uri

    def has(self, tag: str) -> bool:
        try:
            self._client.describe_images(repositoryName=self._name, imageIds=[{"imageTag": tag}])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ImageNotFoundException":
                return False
            raise
        return True

    def build_and_push(self, tag: str) -> None:
        self._log_in()
        docker(
            "buildx",
            "build",
            "--platform",
            PLATFORM,
            "--load",
            "--file",
            "deploy/Dockerfile",
            "--tag",
            f"tutorq:{tag}",
            ".",
        )
        docker(
            *("build", "--platform", PLATFORM, "--file", "deploy/aws/Dockerfile"),
            *("--build-arg", f"TUTORQ_IMAGE=tutorq:{tag}", "--tag", f"{self.uri}:{tag}", "deploy/aws"),
        )
        docker("push", f"{self.uri}:{tag}")

    def copy_page(self, tag: str, folder: Path) -> None:
        """The built page, out of the image: exactly what the API of this release was built with."""
        self._log_in()
        container = docker("create", "--platform", PLATFORM, f"{self.uri}:{tag}")
        try:
            docker("cp", f"{container}:/app/dashboards/dist/.", str(folder))
        finally:
            docker("rm", container)

    def _log_in(self) -> None:
        token = self._client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        user, password = base64.b64decode(token).decode().split(":", 1)
        docker("login", "--username", user, "--password-stdin", self.uri.partition("/")[0], given=password)


class Tasks:
    """The cluster: one-off tasks with the owner's login, and the services."""

    def __init__(self, session: boto3.Session, data: dict[str, str]) -> None:
        self._ecs = session.client("ecs")
        self._logs = session.client("logs")
        self._scaling = session.client("application-autoscaling")
        self._cluster = data["ClusterName"]
        self._data = data

    def run(self, definition: str, command: list[str] | None = None) -> str:
        """Run the migration's task to its end, with its own command or another; returns its log.

        What another command prints may be a key or a link to log in, so its log is told once and not kept.
        """
        override: dict[str, Any] = {"name": "migrate", **({"command": command} if command else {})}
        started = self._ecs.run_task(
            cluster=self._cluster,
            taskDefinition=definition,
            launchType="FARGATE",
            startedBy="tutorq-deploy",
            overrides={"containerOverrides": [override]},
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": self._data["Subnets"].split(","),
                    "securityGroups": [self._data["SecurityGroup"]],
                    "assignPublicIp": "DISABLED",
                }
            },
        )
        if started.get("failures"):
            raise DeploymentError(f"the task did not start: {started['failures'][0].get('reason')}")
        arn = started["tasks"][0]["taskArn"]
        seen: dict[str, Any] = {}

        def has_ended() -> bool:
            seen.update(self._ecs.describe_tasks(cluster=self._cluster, tasks=[arn])["tasks"][0])
            return seen["lastStatus"] == "STOPPED"

        wait_for("the one-off task has not ended", has_ended)
        log = self._log(arn.rpartition("/")[2], keep=command is None)
        code = seen["containers"][0].get("exitCode")
        if code != 0:
            reason = seen.get("stoppedReason") or seen["containers"][0].get("reason") or f"exit code {code}"
            raise DeploymentError(f"the one-off task failed ({reason})\n{log}")
        return log

    def _log(self, task: str, *, keep: bool) -> str:
        stream = {"logGroupName": f"/{self._cluster}/migrate", "logStreamName": f"migrate/migrate/{task}"}
        try:
            events = self._logs.get_log_events(**stream)["events"]  # the newest 10,000
            if not keep:
                self._logs.delete_log_stream(**stream)
        except self._logs.exceptions.ResourceNotFoundException:
            return "(it has written nothing)"
        return "\n".join(event["message"] for event in events)

    def names(self) -> list[str]:
        arns = self._ecs.list_services(cluster=self._cluster, maxResults=100)["serviceArns"]
        return sorted(arn.rpartition("/")[2] for arn in arns)

    def stop(self, fewest: int, most: int) -> None:
        """End all services, and keep autoscaling from starting the API again."""
        self._hold_scaling(fewest, most, held=True)
        for name in self.names():
            self._ecs.update_service(cluster=self._cluster, service=name, desiredCount=0)
        self._settle("services are still ending")

    def start(self, fewest: int, most: int) -> None:
        for name in self.names():
            wanted = fewest if name == "api" else 1
            self._ecs.update_service(cluster=self._cluster, service=name, desiredCount=wanted)
        self._hold_scaling(fewest, most, held=False)
        self._settle("services are still starting")

    def restart(self) -> None:
        for name in self.names():
            self._ecs.update_service(cluster=self._cluster, service=name, forceNewDeployment=True)
        self._settle("services are still starting")

    def stopped(self) -> list[str]:
        """Services that should have tasks and have been told to have none."""
        if not (names := self.names()):
            return []
        found = self._ecs.describe_services(cluster=self._cluster, services=names)["services"]
        return [each["serviceName"] for each in found if each["desiredCount"] == 0]

    def _settle(self, otherwise: str) -> None:
        def have_settled() -> bool:
            found = self._ecs.describe_services(cluster=self._cluster, services=self.names())["services"]
            return all(len(each["deployments"]) == 1 and each["runningCount"] == each["desiredCount"] for each in found)

        wait_for(otherwise, have_settled)

    def _hold_scaling(self, fewest: int, most: int, *, held: bool) -> None:
        self._scaling.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=f"service/{self._cluster}/api",
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=fewest,
            MaxCapacity=most,
            SuspendedState=dict.fromkeys(
                ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"), held
            ),
        )


def wait_until_healthy(session: boto3.Session, groups: Iterable[str]) -> None:
    """Until each target group has targets, and all of them answer."""
    client = session.client("elbv2")
    for group in groups:

        def is_healthy(group: str = group) -> bool:
            found = client.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            states = [each["TargetHealth"]["State"] for each in found]
            return bool(states) and all(state in ("healthy", "draining") for state in states) and "healthy" in states

        wait_for(f"targets of {group.rpartition(':')[2]} are not healthy", is_healthy)


class PageFiles:
    """The page's bucket and its distribution."""

    def __init__(self, session: boto3.Session, outputs: dict[str, str]) -> None:
        self._s3 = session.client("s3")
        self._cloudfront = session.client("cloudfront")
        self._bucket = outputs["PageBucket"]
        self._distribution = outputs["DistributionId"]

    def sync(self, images: Images, tag: str) -> int:
        """Upload what differs, index.html last, and forget it at the edges; returns how many files that were.

        Files of earlier releases stay: pages that are open go on loading theirs.
        """
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            images.copy_page(tag, folder)
            files = sorted(
                (path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.name == "index.html"
            )
            if not (folder / "index.html").is_file():
                raise DeploymentError(f"the image {tag} has no page; was it built by deploy/Dockerfile?")
            there = self._there()
            changed = [path for path in files if there.get(_key(path, folder)) != _md5(path)]
            for path in changed:
                self._upload(path, _key(path, folder))
            # Hashed files are new under a new name: only the others may be at the edges in an older form.
            if any(not _key(path, folder).startswith(HASHED) for path in changed):
                self._cloudfront.create_invalidation(
                    DistributionId=self._distribution,
                    InvalidationBatch={
                        "Paths": {"Quantity": 1, "Items": ["/*"]},
                        "CallerReference": f"{tag}-{time.time_ns()}",
                    },
                )
            return len(changed)

    def _there(self) -> dict[str, str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        return {each["Key"]: each["ETag"].strip('"') for page in pages for each in page.get("Contents", [])}

    def _upload(self, path: Path, key: str) -> None:
        self._s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=path.read_bytes(),
            ContentType=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
            CacheControl=FOR_EVER if key.startswith(HASHED) else ASK_EACH_TIME,
        )


def _key(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _md5(path: Path) -> str:
    """As S3 names an object's content that was sent in one piece."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
