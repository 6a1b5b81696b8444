"""What runs all the time, the load balancer in front of it, and what wakes somebody up."""

from typing import Any

from aws_cdk import Aws, CfnOutput, CfnParameter, Duration, RemovalPolicy, SecretValue, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_servicediscovery as servicediscovery
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct
from installation import MAIL_SECRETS

from stacks.data import Data
from stacks.tasks import Workload, make_task

# CloudFront sends it with every request; who comes past CloudFront does not know its value.
DOOR_HEADER = "X-Tutorq-Door"
ANSWERS = ["bash", "deploy/answers.sh"]
# Dagster's files of the image, where the code location is named by a setting.
WORKSPACE = "--workspace=deploy/workspace-by-name.yaml"


class Services(Stack):
    def __init__(self, scope: Construct, name: str, *, data: Data, image: ecs.ContainerImage, **stack: Any) -> None:
        super().__init__(scope, name, **stack)
        self.data = data
        self.image = image
        self.services: dict[str, ecs.FargateService] = {}
        for workload in self._workloads():
            self._run(workload)
        self._balance()
        self._scale()
        self._alarms()
        for service in self.services.values():
            CfnOutput(self, f"Service{service.node.id}", value=service.service_name)

    def _workloads(self) -> list[Workload]:
        size = self.data.installation.preset
        logs = "/var/lib/tutorq/dagster/storage"
        return [
            Workload(
                name="code-location",
                command=[
                    *("python", "-m", "orchestration.code_location", "--host=0.0.0.0", "--port=4000"),
                    *("--module-name=orchestration.definitions", "--location-name=tutorq"),
                    "--use-python-environment-entry-point",
                ],
                cpu=size.jobs_cpu,
                memory=size.jobs_memory,
                secrets=(
                    *("ingest_database_url", "transform_database_url", "dagster_database_url"),
                    *(*MAIL_SECRETS.values(), "openai_api_key", "secrets_key", "erasure_key", "notify_urls"),
                ),
                health=[*ANSWERS, "4000"],
                port=4000,
                models="write",
                mounts={
                    "/var/lib/tutorq/landing": (self.data.landing, True),
                    logs: (self.data.run_logs, True),
                },
                # What runs is given time to end; Dagster starts the rest again.
                stop_seconds=120,
            ),
            Workload(
                name="dagster-webserver",
                command=["python", "-m", "orchestration.webserver", "--host=0.0.0.0", "--port=3000", WORKSPACE],
                cpu=512,
                memory=2048,
                secrets=("dagster_database_url", "dagster_token"),
                health=[*ANSWERS, "3000", "/server_info"],
                port=3000,
                mounts={logs: (self.data.run_logs, False)},
            ),
            Workload(
                name="dagster-daemon",
                command=["python", "-m", "orchestration.daemon", "run", WORKSPACE],
                cpu=512,
                memory=2048,
                secrets=("dagster_database_url",),
                # It listens nowhere. Should it hang, `watch` says so and /api/health, too.
                health=["true"],
            ),
            Workload(
                name="api",
                command=["python", "-m", "api"],
                cpu=size.api_cpu,
                memory=size.api_memory,
                secrets=(
                    *("api_database_url", "dagster_database_url", "dagster_token", "openai_api_key"),
                    *("oidc_client_secret", "secrets_key", "erasure_key", "limits_url", "read_database_url"),
                ),
                health=[*ANSWERS, "8000", "/api/live"],
                port=8000,
                models="read",
            ),
            Workload(
                name="watch",
                command=["tutorq", "watch"],
                cpu=256,
                memory=512,
                secrets=("transform_database_url", "dagster_database_url", *MAIL_SECRETS.values()),
                health=["true"],
            ),
        ]

    def _run(self, workload: Workload) -> None:
        task = make_task(self, self.data, self.image, workload)
        is_api = workload.name == "api"
        service = ecs.FargateService(
            self,
            "".join(word.title() for word in workload.name.split("-")),
            service_name=workload.name,
            cluster=self.data.cluster,
            task_definition=task,
            # Autoscaling counts the API's tasks; a number here would undo that with each release.
            desired_count=None if is_api else 1,
            # Two daemons, or two code locations of two versions, would trip over each other.
            min_healthy_percent=100 if is_api else 0,
            max_healthy_percent=200 if is_api else 100,
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            security_groups=[self.data.task_group],
            assign_public_ip=False,
            platform_version=ecs.FargatePlatformVersion.VERSION1_4,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
            health_check_grace_period=Duration.seconds(180) if workload.port in (8000, 3000) else None,
            cloud_map_options=ecs.CloudMapOptions(
                cloud_map_namespace=self.data.names,
                name=workload.name,
                dns_record_type=servicediscovery.DnsRecordType.A,
                dns_ttl=Duration.seconds(10),
            )
            if workload.port
            else None,
        )
        self.services[workload.name] = service

    def _balance(self) -> None:
        mine = self.data.installation
        self.balancer = elb.ApplicationLoadBalancer(
            self,
            "Balancer",
            vpc=self.data.vpc,
            internet_facing=True,
            security_group=self.data.balancer_group,
            # Without protection against deletion: a first creation that fails has to be removed again.
            drop_invalid_header_fields=True,
            # Streams of events (GET /api/events) send a comment more often than that.
            idle_timeout=Duration.seconds(120),
            # CloudFront says who asks. Did the load balancer append CloudFront, all clients would seem to be that.
            xff_header_processing_mode=elb.XffHeaderProcessingMode.PRESERVE,
        )
        # CloudFormation reads a secret anew when its version is another one.
        version = CfnParameter(
            self, "OidcClientVersion", description="The version of NAME/oidc_client_secret that holds", min_length=1
        )
        self.balancer.log_access_logs(self.data.logs_bucket, "balancer")
        listener = self.balancer.add_listener(
            "Https",
            port=443,
            protocol=elb.ApplicationProtocol.HTTPS,
            certificates=[acm.Certificate.from_certificate_arn(self, "Certificate", mine.certificate_arn)],
            ssl_policy=elb.SslPolicy.TLS13_RES,
            open=False,
            default_action=elb.ListenerAction.fixed_response(403, content_type="text/plain", message_body="Forbidden"),
        )
        self.api_targets = self._targets(
            "api",
            8000,
            elb.HealthCheck(
                path="/api/ready",
                interval=Duration.seconds(15),
                healthy_threshold_count=2,
            ),
        )
        self.webserver_targets = self._targets(
            "dagster-webserver",
            3000,
            # 421: the guard does not know the address by which the load balancer asks, so it is there.
            elb.HealthCheck(path="/server_info", healthy_http_codes="200,421"),
        )
        listener.add_action(
            "Api",
            priority=10,
            conditions=[
                elb.ListenerCondition.host_headers([mine.domain]),
                elb.ListenerCondition.http_header(
                    DOOR_HEADER, [SecretValue.secrets_manager(f"{mine.name}/door").unsafe_unwrap()]
                ),
            ],
            action=elb.ListenerAction.forward([self.api_targets]),
        )
        listener.add_action(
            "Dagster",
            priority=20,
            conditions=[elb.ListenerCondition.host_headers([mine.dagster_domain])],
            # Strangers stay outside; what somebody may do there, tutorq's own log-in decides (TUTORQ_DAGSTER_LOG_IN).
            action=elb.ListenerAction.authenticate_oidc(
                issuer=mine.oidc["issuer"],
                client_id=mine.oidc["client_id"],
                client_secret=SecretValue.secrets_manager(
                    f"{mine.name}/oidc_client_secret", version_id=version.value_as_string
                ),
                authorization_endpoint=mine.oidc["authorization_endpoint"],
                token_endpoint=mine.oidc["token_endpoint"],
                user_info_endpoint=mine.oidc["user_info_endpoint"],
                scope="openid email",
                session_timeout=Duration.hours(12),
                allow_https_outbound=False,
                next=elb.ListenerAction.forward([self.webserver_targets]),
            ),
        )
        CfnOutput(self, "BalancerDomain", value=self.balancer.load_balancer_dns_name)
        CfnOutput(self, "ApiTargets", value=self.api_targets.target_group_arn)
        CfnOutput(self, "DagsterTargets", value=self.webserver_targets.target_group_arn)

    def _targets(self, service: str, port: int, health: elb.HealthCheck) -> elb.ApplicationTargetGroup:
        return elb.ApplicationTargetGroup(
            self,
            f"{service}-targets",
            vpc=self.data.vpc,
            port=port,
            protocol=elb.ApplicationProtocol.HTTP,
            targets=[self.services[service]],
            health_check=health,
            deregistration_delay=Duration.seconds(30),
        )

    def _scale(self) -> None:
        fewest, most = self.data.installation.preset.api_tasks
        api = self.services["api"].auto_scale_task_count(min_capacity=fewest, max_capacity=most)
        api.scale_on_cpu_utilization("Cpu", target_utilization_percent=60)
        api.scale_on_request_count("Requests", requests_per_target=3000, target_group=self.api_targets)

    def _alarms(self) -> None:
        key = kms.Key(
            self,
            "AlarmKey",
            description="Alarms on their way",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        key.grant_encrypt_decrypt(iam.ServicePrincipal("cloudwatch.amazonaws.com"))
        self.topic = sns.Topic(self, "Alarms", master_key=key, enforce_ssl=True)
        self.topic.add_subscription(subscriptions.EmailSubscription(self.data.installation.alarm_email))
        # Of this account's alarms: CloudWatch acts for everybody's.
        ours = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        self.topic.grant_publish(iam.ServicePrincipal("cloudwatch.amazonaws.com", conditions=ours))
        minute, five = Duration.minutes(1), Duration.minutes(5)
        database, targets = self.data.database, self.api_targets.metrics
        self._alarm("ApiErrors", targets.http_code_target(elb.HttpCodeTarget.TARGET_5XX_COUNT, period=five), 25)
        self._alarm("ApiSlow", targets.target_response_time(statistic="p99", period=five), 3, of=3)
        self._alarm("ApiUnhealthy", targets.unhealthy_host_count(period=minute), 1, of=5)
        self._alarm("DagsterUnhealthy", self.webserver_targets.metrics.unhealthy_host_count(period=minute), 1, of=10)
        self._alarm("DatabaseBusy", database.metric_cpu_utilization(period=five), 85, of=3)
        self._alarm("DatabaseFull", database.metric_free_storage_space(period=five), 5 * 2**30, below=True)
        self._alarm("DatabaseMemory", database.metric_freeable_memory(period=five), 256 * 2**20, of=3, below=True)
        for name, service in self.services.items():
            running = cloudwatch.Metric(
                namespace="ECS/ContainerInsights",
                metric_name="RunningTaskCount",
                dimensions_map={"ClusterName": self.data.cluster.cluster_name, "ServiceName": service.service_name},
                statistic="Minimum",
                period=minute,
            )
            # A release ends a task before it starts the next one.
            self._alarm(f"{service.node.id}Gone", running, 1, of=10, below=True, missing_is_bad=True)
            if name != "api":
                self._alarm(f"{service.node.id}Memory", service.metric_memory_utilization(period=five), 90, of=2)

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        *,
        of: int = 1,
        below: bool = False,
        missing_is_bad: bool = False,
    ) -> None:
        """Tells of `of` periods in a row at the threshold or beyond it, and of the end of that."""
        operator = cloudwatch.ComparisonOperator
        alarm = cloudwatch.Alarm(
            self,
            f"{name}Alarm",
            alarm_name=f"{self.data.installation.name}-{name}",
            metric=metric,
            threshold=threshold,
            evaluation_periods=of,
            comparison_operator=operator.LESS_THAN_THRESHOLD if below else operator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING
            if missing_is_bad
            else cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))
