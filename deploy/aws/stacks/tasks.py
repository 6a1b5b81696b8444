"""What all tasks have in common: one image, and for each workload its command, size, settings, secrets and rights."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_efs as efs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct
from exceptions import accept

from stacks.data import INTERNAL, Data, mount_rights

MODELS_PREFIX = "models"


@dataclass(frozen=True)
class Workload:
    """One container. CPU and memory as in `installation.Preset`; secrets that the installation has not are left out.

    Mounts are paths in the container with the access point that lies there, and whether it may be written to.
    """

    name: str
    command: list[str]
    cpu: int
    memory: int
    secrets: tuple[str, ...]
    health: list[str]
    port: int | None = None
    models: str = ""  # "", "read" or "write"
    mounts: Mapping[str, tuple[efs.AccessPoint, bool]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: int = 30


def settings(data: Data) -> dict[str, str]:
    """The settings of every process, which tell nothing that is secret."""
    mine = data.installation
    # Longer than the minute for which the load balancer keeps a connection that it may send the next request on.
    defaults = {"keep_alive_seconds": "75"}
    own = {
        "api_url": f"http://api.{INTERNAL}:8000",
        "dagster_url": f"http://dagster-webserver.{INTERNAL}:3000",
        "dagster_hosts": mine.dagster_domain,
        "dagster_log_in": "true",
        "dashboard_url": f"https://{mine.domain}",
        "public_url": f"https://{mine.domain}",
        "model_store": f"s3://{data.models_name}/{MODELS_PREFIX}",
        # The load balancer's addresses are somewhere in there, and nobody else can ask.
        "trusted_proxies": data.vpc.vpc_cidr_block,
        "oidc_issuer": mine.oidc["issuer"],
        "oidc_client_id": mine.oidc["client_id"],
    }
    named = {f"TUTORQ_{name.upper()}": value for name, value in {**defaults, **mine.settings, **own}.items()}
    return {**named, "TUTORQ_CODE_LOCATION_HOST": f"code-location.{INTERNAL}", "AWS_DEFAULT_REGION": Aws.REGION}


def make_task(scope: Construct, data: Data, image: ecs.ContainerImage, workload: Workload) -> ecs.FargateTaskDefinition:
    """A task definition with a log group, and with the rights that its workload needs."""
    name = workload.name
    construct = "".join(word.title() for word in name.split("-"))
    task = ecs.FargateTaskDefinition(
        scope,
        f"{construct}Task",
        family=f"{data.installation.name}-{name}",
        cpu=workload.cpu,
        memory_limit_mib=workload.memory,
        runtime_platform=ecs.RuntimePlatform(
            cpu_architecture=ecs.CpuArchitecture.X86_64, operating_system_family=ecs.OperatingSystemFamily.LINUX
        ),
    )
    group = logs.LogGroup(
        scope,
        f"{construct}Log",
        log_group_name=f"/{data.installation.name}/{name}",
        retention=logs.RetentionDays.THREE_MONTHS,
        removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    )
    container = task.add_container(
        name,
        image=image,
        command=workload.command,
        memory_limit_mib=workload.memory,
        cpu=workload.cpu,
        user="10001:10001",
        environment={**settings(data), **workload.environment},
        secrets={
            f"TUTORQ_{secret.upper()}": ecs.Secret.from_secrets_manager(data.secrets[secret])
            for secret in workload.secrets
            if secret in data.secrets
        },
        logging=ecs.LogDrivers.aws_logs(stream_prefix=name, log_group=group, mode=ecs.AwsLogDriverMode.NON_BLOCKING),
        health_check=ecs.HealthCheck(
            command=["CMD", *workload.health],
            interval=Duration.seconds(30),
            timeout=Duration.seconds(5),
            retries=3,
            start_period=Duration.seconds(120),
        ),
        port_mappings=[ecs.PortMapping(container_port=workload.port)] if workload.port else None,
        # The API holds thousands of connections.
        ulimits=[ecs.Ulimit(name=ecs.UlimitName.NOFILE, soft_limit=16384, hard_limit=65536)],
        stop_timeout=Duration.seconds(workload.stop_seconds),
        linux_parameters=ecs.LinuxParameters(scope, f"{construct}Linux", init_process_enabled=True),
    )
    for path, (point, may_write) in workload.mounts.items():
        _mount(task, container, path, point, may_write=may_write)
    if workload.models:
        _allow_models(task, data, write=workload.models == "write")
    accept(
        task,
        "AwsSolutions-ECS2",
        "Settings are no secrets: those come from Secrets Manager (tests/deploy looks that none is among these).",
    )
    assert task.execution_role is not None
    accept(
        task.execution_role,
        "AwsSolutions-IAM5[Resource::*]",
        "ecr:GetAuthorizationToken knows no narrower resource.",
    )
    return task


def _mount(
    task: ecs.FargateTaskDefinition,
    container: ecs.ContainerDefinition,
    path: str,
    point: efs.AccessPoint,
    *,
    may_write: bool,
) -> None:
    volume = point.node.id
    task.add_volume(
        name=volume,
        efs_volume_configuration=ecs.EfsVolumeConfiguration(
            file_system_id=point.file_system.file_system_id,
            transit_encryption="ENABLED",
            authorization_config=ecs.AuthorizationConfig(access_point_id=point.access_point_id, iam="ENABLED"),
        ),
    )
    container.add_mount_points(ecs.MountPoint(container_path=path, source_volume=volume, read_only=not may_write))
    task.add_to_task_role_policy(mount_rights(point, write=may_write))


def _allow_models(task: ecs.FargateTaskDefinition, data: Data, *, write: bool) -> None:
    bucket = f"arn:{Aws.PARTITION}:s3:::{data.models_name}"
    actions = ["s3:GetObject", *(["s3:PutObject", "s3:AbortMultipartUpload"] if write else [])]
    task.add_to_task_role_policy(iam.PolicyStatement(actions=actions, resources=[f"{bucket}/{MODELS_PREFIX}/*"]))
    # Without it S3 says "forbidden" and not "not found" of a model that is lost.
    task.add_to_task_role_policy(iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket]))
    mine = data.installation
    named = f"arn:<AWS::Partition>:s3:::{mine.name}-models-<AWS::AccountId>-{mine.region}"
    accept(
        task.task_role,
        f"AwsSolutions-IAM5[Resource::{named}/{MODELS_PREFIX}/*]",
        "Models are objects below this prefix, named by their content.",
    )
