"""The templates of deploy/aws: what is encrypted, who reaches what, and that no secret is in them. No AWS is asked."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.cloud

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
Templates = dict[str, dict[str, Any]]
Resource = dict[str, Any]


def of_type(templates: Templates, kind: str) -> Iterator[Resource]:
    for template in templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] == kind:
                yield {**resource["Properties"], "_": resource}


def one(templates: Templates, kind: str) -> Resource:
    [found] = of_type(templates, kind)
    return found


def containers(templates: Templates) -> dict[str, tuple[Resource, Resource]]:
    """Each container with its task, by name."""
    return {
        container["Name"]: (container, task)
        for task in of_type(templates, "AWS::ECS::TaskDefinition")
        for container in task["ContainerDefinitions"]
    }


def test_stacks_are_those_that_deploy_makes(templates: Templates) -> None:
    assert set(templates) == {"registry", "data", "migration", "services", "page"}


def test_cloudformation_would_take_them(templates: Templates, synthesised: Callable[[str], Path]) -> None:
    files = [str(path) for path in synthesised("small").glob("*.template.json")]
    ran = subprocess.run(
        [str(Path(sys.executable).parent / "cfn-lint"), "--regions", "eu-central-1", "--", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


def test_what_is_kept_is_encrypted(templates: Templates) -> None:
    assert one(templates, "AWS::RDS::DBInstance")["StorageEncrypted"] is True
    assert one(templates, "AWS::EFS::FileSystem")["Encrypted"] is True
    assert one(templates, "AWS::ECR::Repository")["EncryptionConfiguration"] == {"EncryptionType": "AES256"}
    assert one(templates, "AWS::SNS::Topic")["KmsMasterKeyId"]
    buckets = list(of_type(templates, "AWS::S3::Bucket"))
    assert len(buckets) == 4
    for bucket in buckets:
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}


def test_what_is_kept_outlives_its_stack(templates: Templates) -> None:
    for kind in ("AWS::RDS::DBInstance", "AWS::EFS::FileSystem", "AWS::S3::Bucket", "AWS::ECR::Repository"):
        for resource in of_type(templates, kind):
            assert resource["_"]["DeletionPolicy"] == "RetainExceptOnCreate", kind
            assert resource["_"]["UpdateReplacePolicy"] == "Retain", kind


def test_the_database_is_private_doubled_and_backed_up(templates: Templates) -> None:
    database = one(templates, "AWS::RDS::DBInstance")
    assert database["MultiAZ"] is True
    assert database["PubliclyAccessible"] is False
    assert database["DeletionProtection"] is True
    assert database["BackupRetentionPeriod"] >= 7
    assert one(templates, "AWS::RDS::DBParameterGroup")["Parameters"]["rds.force_ssl"] == "1"
    # RDS keeps the owner's password and rotates it.
    assert database["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in database


def test_nothing_is_open_to_the_internet_but_the_load_balancer(templates: Templates) -> None:
    world = {"0.0.0.0/0", "::/0"}
    open_rules = [
        rule
        for group in of_type(templates, "AWS::EC2::SecurityGroup")
        for rule in group.get("SecurityGroupIngress", [])
        if world & {rule.get("CidrIp"), rule.get("CidrIpv6")}
    ]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in open_rules] == [(443, 443)]
    for rule in of_type(templates, "AWS::EC2::SecurityGroupIngress"):
        assert "SourceSecurityGroupId" in rule
    for service in of_type(templates, "AWS::ECS::Service"):
        assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"
    [balancer] = of_type(templates, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert balancer["Scheme"] == "internet-facing"


def test_the_load_balancer_lets_in_cloudfront_and_who_has_logged_in(templates: Templates) -> None:
    listener = one(templates, "AWS::ElasticLoadBalancingV2::Listener")
    assert (listener["Port"], listener["Protocol"]) == (443, "HTTPS")
    assert listener["DefaultActions"][0]["FixedResponseConfig"]["StatusCode"] == "403"
    api, dagster = sorted(
        of_type(templates, "AWS::ElasticLoadBalancingV2::ListenerRule"), key=lambda rule: rule["Priority"]
    )
    assert {condition["Field"] for condition in api["Conditions"]} == {"host-header", "http-header"}
    assert [action["Type"] for action in sorted(dagster["Actions"], key=lambda action: action["Order"])] == [
        "authenticate-oidc",
        "forward",
    ]
    attributes = {
        each["Key"]: each["Value"]
        for each in one(templates, "AWS::ElasticLoadBalancingV2::LoadBalancer")["LoadBalancerAttributes"]
    }
    # Who asks is what CloudFront says; the load balancer knows only CloudFront.
    assert attributes["routing.http.xff_header_processing.mode"] == "preserve"


def test_health_is_asked_for(templates: Templates) -> None:
    groups = {group["Port"]: group for group in of_type(templates, "AWS::ElasticLoadBalancingV2::TargetGroup")}
    assert groups[8000]["HealthCheckPath"] == "/api/ready"
    assert groups[3000]["HealthCheckPath"] == "/server_info"
    for name, (container, _) in containers(templates).items():
        asked = COMPOSE["services"][name].get("healthcheck", {}).get("test", ["CMD", "true"])
        assert container["HealthCheck"]["Command"] == asked, name


def test_every_container_has_limits_and_a_log_and_no_root(templates: Templates) -> None:
    assert set(containers(templates)) == {
        "migrate",
        "code-location",
        "dagster-webserver",
        "dagster-daemon",
        "api",
        "watch",
    }
    for name, (container, task) in containers(templates).items():
        assert container["Memory"] <= int(task["Memory"]), name
        assert container["Cpu"] <= int(task["Cpu"]), name
        assert container["User"] == "10001:10001"
        assert container["LogConfiguration"]["LogDriver"] == "awslogs"
        assert json.dumps(container["Image"]).count(":abc123") == 1
    for group in of_type(templates, "AWS::Logs::LogGroup"):
        assert group["RetentionInDays"]


def test_containers_run_what_the_compose_file_runs(templates: Templates) -> None:
    for name, (container, _) in containers(templates).items():
        there = COMPOSE["services"][name]["command"]
        assert container["Command"] == [word.replace("/workspace.yaml", "/workspace-by-name.yaml") for word in there]


def test_each_container_gets_its_own_secrets_and_no_more(templates: Templates) -> None:
    """Those of the compose file, of which installation.toml says that there are some."""
    providers = {"smtp_url", "sendgrid_api_key", "ses_smtp_password", "openai_api_key", "notify_urls"} - {
        "ses_smtp_password"
    }
    for name, (container, _) in containers(templates).items():
        wanted = set(COMPOSE["services"][name]["secrets"]) - {f"tutorq_{secret}" for secret in providers}
        given = {secret["Name"].lower() for secret in container["Secrets"]}
        if name == "migrate":  # the owner's password comes from RDS
            wanted, given = wanted - {"tutorq_database_url"}, given - {"pgpassword"}
        assert given == wanted, name
        settings = {each["Name"]: each["Value"] for each in container["Environment"]}
        assert not [key for key in settings if re.search(r"(PASSWORD|SECRET|TOKEN|_KEY|SMTP_URL)$", key)], name
        if "TUTORQ_DATABASE_URL" in settings:
            assert "//tutorq@" in json.dumps(settings["TUTORQ_DATABASE_URL"])


def test_no_secret_is_in_a_template(templates: Templates) -> None:
    text = json.dumps(templates)
    assert "GenerateSecretString" not in text
    named = re.findall(r"\{\{resolve:secretsmanager:([^:}]+)", text)
    assert set(named) == {"tutorq/door", "tutorq/oidc_client_secret"}
    for rule in of_type(templates, "AWS::ElasticLoadBalancingV2::ListenerRule"):
        for action in rule["Actions"]:
            if config := action.get("AuthenticateOidcConfig"):
                assert "{{resolve:secretsmanager:" in json.dumps(config["ClientSecret"])


def test_rights_are_narrow(templates: Templates) -> None:
    """No action is a wildcard, and only what has no resource is allowed on all of them."""
    for policy in of_type(templates, "AWS::IAM::Policy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert not [action for action in actions if "*" in action], actions
            if statement["Resource"] == "*":
                assert set(actions) <= {"ecr:GetAuthorizationToken"}, actions


def test_alarms_of_other_accounts_are_not_mailed(templates: Templates) -> None:
    statements = one(templates, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    [allowed] = [each for each in statements if each["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_only_jobs_write_models_and_only_their_readers_read_them(templates: Templates) -> None:
    allowed: dict[str, set[str]] = {}
    for name, template in templates.items():
        for key, resource in template["Resources"].items():
            if resource["Type"] == "AWS::IAM::Policy":
                for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                    for action in actions:
                        if action.startswith("s3:"):
                            allowed.setdefault(action, set()).add(re.sub(r"Task.*", "", key))
        assert name
    assert allowed["s3:PutObject"] == {"CodeLocation", "Migrate"}
    assert allowed["s3:GetObject"] == {"CodeLocation", "Migrate", "Api"}
    assert set(allowed) == {"s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:AbortMultipartUpload"}


def test_files_are_mounted_where_the_compose_file_has_volumes(templates: Templates) -> None:
    """But models, which are in S3 here."""
    for name, (container, _) in containers(templates).items():
        there = {
            (parts[1], parts[2:] == ["ro"])
            for parts in (mount.split(":") for mount in COMPOSE["services"][name].get("volumes", []))
            if parts[0] != "models"
        }
        assert {(mount["ContainerPath"], mount["ReadOnly"]) for mount in container.get("MountPoints", [])} == there, (
            name
        )


def test_one_daemon_at_a_time_and_an_api_that_scales(templates: Templates) -> None:
    services = {service["ServiceName"]: service for service in of_type(templates, "AWS::ECS::Service")}
    for name, service in services.items():
        deployment = service["DeploymentConfiguration"]
        assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
        limits = (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"])
        assert limits == ((100, 200) if name == "api" else (0, 100)), name
    assert "DesiredCount" not in services["api"]
    target = one(templates, "AWS::ApplicationAutoScaling::ScalableTarget")
    assert 2 <= target["MinCapacity"] < target["MaxCapacity"]


def test_the_page_is_behind_cloudfront_alone(templates: Templates) -> None:
    config = one(templates, "AWS::CloudFront::Distribution")["DistributionConfig"]
    page, api = sorted(config["Origins"], key=lambda origin: "S3OriginConfig" not in origin)
    assert page["OriginAccessControlId"]
    assert (
        one(templates, "AWS::CloudFront::OriginAccessControl")["OriginAccessControlConfig"]["SigningBehavior"]
        == "always"
    )
    assert api["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert api["OriginCustomHeaders"][0]["HeaderName"] == "X-Tutorq-Door"
    assert config["DefaultCacheBehavior"]["TargetOriginId"] == page["Id"]
    behaviors = {each["PathPattern"]: each for each in config["CacheBehaviors"]}
    assert set(behaviors) == {"/api", "/api/*", "/my", "/my/*", "/metrics"}
    for behavior in behaviors.values():
        assert behavior["TargetOriginId"] == api["Id"]
        assert behavior["ViewerProtocolPolicy"] == "https-only"
        assert behavior["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # CachingDisabled
    headers = one(templates, "AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"][
        "SecurityHeadersConfig"
    ]
    assert headers["FrameOptions"]["FrameOption"] == "DENY"
    assert headers["ReferrerPolicy"]["ReferrerPolicy"] == "no-referrer"
    assert headers["ContentTypeOptions"] == {"Override": True}


def test_somebody_is_told(templates: Templates) -> None:
    alarms = {alarm["AlarmName"]: alarm for alarm in of_type(templates, "AWS::CloudWatch::Alarm")}
    assert all(alarm["AlarmActions"] for alarm in alarms.values())
    assert f"{len(alarms)} alarms by mail" in (ROOT / "docs" / "deploy.md").read_text()
    for service in ("Api", "CodeLocation", "DagsterWebserver", "DagsterDaemon", "Watch"):
        assert alarms[f"tutorq-{service}Gone"]["TreatMissingData"] == "breaching"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('preset = "huge"', "preset is one of"),
        ('domain = "nowhere"', "domain is missing"),
        ('region = "us-west-2"', "another region"),
    ],
)
def test_a_wrong_installation_is_refused_in_words(given: str, said: str, tmp_path: Path) -> None:
    key = given.partition(" ")[0]
    text = (ROOT / "deploy" / "aws" / "installation.example.toml").read_text()
    (tmp_path / "installation.toml").write_text(re.sub(rf'^{key} = "[^"]*"', given, text, flags=re.MULTILINE))
    assert said in refusal(tmp_path)


def test_a_secret_in_the_file_is_refused(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "aws" / "installation.example.toml").read_text()
    (tmp_path / "installation.toml").write_text(text.replace("[settings]", '[settings]\nopenai_api_key = "sk-1234"'))
    said = refusal(tmp_path)
    assert "openai_api_key is a secret" in said
    assert "sk-1234" not in said


def refusal(folder: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "deploy/aws/deploy", "--installation", str(folder / "installation.toml"), "price"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    return ran.stderr


def test_prices_say_that_they_are_estimated() -> None:
    ran = subprocess.run(
        [sys.executable, "deploy/aws/deploy", "--installation", "deploy/aws/installation.example.toml", "price"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    totals = [int(line.split()[-1]) for line in ran.stdout.splitlines() if line.startswith("a month")]
    assert 0 < totals[0] < totals[1]
    stated = (ROOT / "docs" / "deploy-aws.md").read_text()
    assert [f"{total} USD" in stated for total in totals] == [True, True]
    assert ran.stdout.count("An estimate of 20") == 2
