"""What outlives every release: network, database, files, secrets, logs, and the cluster that tasks run in."""

from typing import Any

from aws_cdk import Aws, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_efs as efs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_servicediscovery as servicediscovery
from constructs import Construct
from exceptions import accept
from installation import Installation

# Of the image's user (deploy/Dockerfile).
USER = "10001"
INTERNAL = "tutorq.internal"
DATABASE_PORT, FILES_PORT = 5432, 2049
# What services say to each other: the API, Dagster's web server, the code location.
SERVICE_PORTS = (8000, 3000, 4000)


class Data(Stack):
    def __init__(self, scope: Construct, name: str, *, installation: Installation, **stack: Any) -> None:
        super().__init__(scope, name, **stack)
        self.installation = installation
        self._network()
        self._database()
        self._files()
        self._secrets()
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=installation.name,
            vpc=self.vpc,
            container_insights_v2=ecs.ContainerInsights.ENABLED,
        )
        # Dagster's processes and the API find each other by these names.
        self.names = servicediscovery.PrivateDnsNamespace(self, "Names", name=INTERNAL, vpc=self.vpc)
        subnets = self.vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS).subnet_ids
        CfnOutput(self, "ClusterName", value=self.cluster.cluster_name)
        CfnOutput(self, "Subnets", value=",".join(subnets))
        CfnOutput(self, "SecurityGroup", value=self.task_group.security_group_id)

    def _network(self) -> None:
        self.vpc = ec2.Vpc(
            self,
            "Network",
            max_azs=2,
            nat_gateways=self.installation.preset.nat_gateways,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24, map_public_ip_on_launch=False
                ),
                ec2.SubnetConfiguration(name="tasks", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=20),
                ec2.SubnetConfiguration(name="data", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24),
            ],
            # Images and models come without passing the NAT gateway, which is paid by the gigabyte.
            gateway_endpoints={"s3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)},
        )
        self.vpc.add_flow_log(
            "FlowLog",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(
                logs.LogGroup(
                    self,
                    "Flows",
                    retention=logs.RetentionDays.ONE_MONTH,
                    removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
                )
            ),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )
        # One direction of each is enough: security groups remember connections.
        self.balancer_group = self._group("Balancer", "The load balancer", outbound=False)
        self.task_group = self._group("Tasks", "All tasks; they also call mail providers, chats and webhooks")
        self.database_group = self._group("Database", "Postgres", outbound=False)
        self.files_group = self._group("Files", "EFS", outbound=False)
        self.balancer_group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "the internet")
        accept(
            self.balancer_group,
            "AwsSolutions-EC23",
            "The public door: dagster.DOMAIN asks an OpenID provider, DOMAIN lets in CloudFront, all else is 403.",
        )
        # The load balancer also asks the OpenID provider.
        self.balancer_group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "the OpenID provider")
        for port in SERVICE_PORTS[:2]:
            self.balancer_group.add_egress_rule(self.task_group, ec2.Port.tcp(port))
            self.task_group.add_ingress_rule(self.balancer_group, ec2.Port.tcp(port), "the load balancer")
        for port in SERVICE_PORTS:
            self.task_group.add_ingress_rule(self.task_group, ec2.Port.tcp(port), "other services")
        self.database_group.add_ingress_rule(self.task_group, ec2.Port.tcp(DATABASE_PORT), "tasks")
        self.files_group.add_ingress_rule(self.task_group, ec2.Port.tcp(FILES_PORT), "tasks")

    def _group(self, name: str, description: str, *, outbound: bool = True) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self, f"{name}Group", vpc=self.vpc, description=description, allow_all_outbound=outbound
        )

    def _database(self) -> None:
        size = self.installation.preset
        engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.of("18", "18"))
        self.database = rds.DatabaseInstance(
            self,
            "Postgres",
            engine=engine,
            # A login of its own for the owner, whose password RDS itself keeps and rotates (below).
            credentials=rds.Credentials.from_username("tutorq"),
            database_name="tutorq",
            instance_type=ec2.InstanceType(size.database_class),
            vpc=self.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[self.database_group],
            multi_az=True,
            publicly_accessible=False,
            storage_type=rds.StorageType.GP3,
            allocated_storage=size.database_storage,
            max_allocated_storage=size.database_storage_most,
            storage_encrypted=True,
            ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,
            parameters={
                "rds.force_ssl": "1",
                "log_min_duration_statement": "1000",
                "password_encryption": "scram-sha-256",
            },
            backup_retention=Duration.days(size.backup_days),
            copy_tags_to_snapshot=True,
            deletion_protection=True,
            delete_automated_backups=False,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            auto_minor_version_upgrade=True,
            monitoring_interval=Duration.seconds(60),
            cloudwatch_logs_exports=["postgresql", "upgrade"],
        )
        instance = self.database.node.default_child
        assert isinstance(instance, rds.CfnDBInstance)
        # Nothing that runs for long knows the owner's password, so RDS may rotate it (every seven days) at any time.
        instance.manage_master_user_password = True
        instance.master_user_password = None
        instance.master_username = "tutorq"
        self.database.node.try_remove_child("Secret")
        self.owner_secret = secretsmanager.Secret.from_secret_complete_arn(
            self, "OwnerSecret", instance.get_att("MasterUserSecret.SecretArn").to_string()
        )
        accept(
            self.database,
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole]",
            "AWS's own policy for this purpose: RDS writes its metrics of the system.",
        )
        accept(self.database, "AwsSolutions-RDS11", "The port is reached by tasks alone; another one hides nothing.")
        CfnOutput(self, "DatabaseHost", value=self.database.db_instance_endpoint_address)

    def _files(self) -> None:
        self.logs_bucket = self._bucket("Logs", versioned=False, ownership=s3.ObjectOwnership.OBJECT_WRITER)
        self.logs_bucket.add_lifecycle_rule(expiration=Duration.days(90))
        accept(self.logs_bucket, "AwsSolutions-S1", "It is where the others' logs go.")
        # Named, so that rights can name it without being tied to this stack.
        self.models_name = f"{self.installation.name}-models-{Aws.ACCOUNT_ID}-{self.installation.region}"
        self._bucket("Models", versioned=True, logs_to=self.logs_bucket, name=self.models_name)
        # Landing files have to be renamed and moved, and logs of runs are appended to: S3 can do neither.
        self.files = efs.FileSystem(
            self,
            "Files",
            vpc=self.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_group=self.files_group,
            encrypted=True,
            throughput_mode=efs.ThroughputMode.ELASTIC,
            lifecycle_policy=efs.LifecyclePolicy.AFTER_30_DAYS,
            enable_automatic_backups=True,
            allow_anonymous_access=False,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        self.landing = self._access_point("landing")
        self.run_logs = self._access_point("run-logs")
        CfnOutput(self, "ModelsBucket", value=self.models_name)

    def _bucket(
        self,
        construct: str,
        *,
        versioned: bool,
        name: str | None = None,
        ownership: s3.ObjectOwnership = s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        logs_to: s3.IBucket | None = None,
    ) -> s3.Bucket:
        return s3.Bucket(
            self,
            construct,
            bucket_name=name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=versioned,
            object_ownership=ownership,
            server_access_logs_bucket=logs_to,
            server_access_logs_prefix=f"s3/{construct.lower()}/" if logs_to else None,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )

    def _access_point(self, folder: str) -> efs.AccessPoint:
        """A folder that belongs to the image's user, whoever mounts it."""
        return self.files.add_access_point(
            folder,
            path=f"/{folder}",
            create_acl=efs.Acl(owner_uid=USER, owner_gid=USER, permissions="700"),
            posix_user=efs.PosixUser(uid=USER, gid=USER),
        )

    def _secrets(self) -> None:
        """By name: `deploy` makes them up or asks for them once, so that none ever passes through a template."""
        self.secrets: dict[str, secretsmanager.ISecret] = {
            name: secretsmanager.Secret.from_secret_name_v2(self, f"{name}-secret", f"{self.installation.name}/{name}")
            for name in self.installation.secret_names
        }


def mount_rights(*points: efs.AccessPoint, write: bool) -> iam.PolicyStatement:
    """What a task needs to mount folders of the file system."""
    actions = ["elasticfilesystem:ClientMount", *(["elasticfilesystem:ClientWrite"] if write else [])]
    return iam.PolicyStatement(
        actions=actions,
        resources=[points[0].file_system.file_system_arn],
        conditions={"StringEquals": {"elasticfilesystem:AccessPointArn": [point.access_point_arn for point in points]}},
    )
