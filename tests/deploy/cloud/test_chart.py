"""The chart as Helm renders it: known to Kubernetes, restricted, and each pod with what it needs and no more."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.cloud

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "deploy" / "helm"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
VALUES: dict[str, Any] = {
    "image": {"repository": "registry.example.org/tutorq", "tag": "1.0.0"},
    "existingSecret": "tutorq",
    "postgres": {"cidrs": ["10.20.0.0/24"]},
    "settings": {"TUTORQ_TIMEZONE": "Europe/Vienna", "TUTORQ_SENDGRID_WEBHOOK_KEY": "MFkwEwYHKoZIzj0"},
    "oidc": {"issuer": "https://login.example.org", "clientId": "tutorq"},
    "ingress": {
        "className": "nginx",
        "host": "tutorq.example.org",
        "tlsSecret": "tls",
        "trustedProxies": "10.42.0.0/16",
    },
    "models": {"store": "s3://example-models/tutorq"},
}
FULL: dict[str, Any] = {
    **VALUES,
    "ingress": {**VALUES["ingress"], "dagsterHost": "dagster.tutorq.example.org"},
    "models": {"claim": "models"},
    "runLogs": {"claim": "run-logs"},
    "imagePullSecrets": [{"name": "registry"}],
    "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/tutorq"}},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "settings": {"TUTORQ_MAIL_PROVIDER": "ses"},
    "api": {"secrets": ["limits_url"]},
}


def helm(*words: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    program = shutil.which("helm")
    assert program, "`make cloud` unpacks it"
    command = [program, *words, "--values", "-"]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)


def render(values: dict[str, Any]) -> list[dict[str, Any]]:
    ran = helm("template", "tutorq", str(CHART), values=values)
    assert ran.returncode == 0, ran.stderr
    return [manifest for manifest in yaml.safe_load_all(ran.stdout) if manifest]


@pytest.fixture(scope="module", params=["least", "full"])
def manifests(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return render(VALUES if request.param == "least" else FULL)


def pods(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = [each["spec"]["template"] for each in manifests if each["kind"] in ("Deployment", "Job")]
    return {pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod["spec"] for pod in found}


def of_kind(manifests: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in manifests if each["kind"] == kind]


@pytest.mark.parametrize("values", [VALUES, FULL])
def test_helm_finds_no_fault(values: dict[str, Any]) -> None:
    ran = helm("lint", "--strict", str(CHART), values=values)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_kubernetes_knows_all_of_it(manifests: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(manifests))
    program = Path(sys.executable).parent / "kubernetes-validate"
    ran = subprocess.run([program, "--strict", tmp_path / "all.yaml"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (ran.stdout + ran.stderr).count(" passed ") == len(manifests)


def test_pods_are_restricted_and_limited(manifests: list[dict[str, Any]]) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    for name, pod in pods(manifests).items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert {next(iter(set(volume) - {"name"})) for volume in pod["volumes"]} <= {
            *("secret", "emptyDir", "configMap", "persistentVolumeClaim")
        }
        [container] = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]) == {"requests", "limits"}
        assert all(set(each) >= {"cpu", "memory"} for each in container["resources"].values())
        assert name == "migrate" or container["livenessProbe"]


def test_each_pod_gets_its_own_secrets_as_files(manifests: list[dict[str, Any]]) -> None:
    found = pods(manifests)
    assert set(found) == {"api", "code-location", "dagster-webserver", "dagster-daemon", "watch", "migrate", "owner"}
    for name, pod in found.items():
        [secret] = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
        there = COMPOSE["migrate" if name == "owner" else name]["secrets"]
        if name == "migrate":  # what else the owner does has a pod of its own
            there = [each for each in there if each != "tutorq_erasure_key"]
        further = ["tutorq_limits_url"] if name == "api" and len(of_kind(manifests, "Ingress")) == 2 else []
        assert [item["key"] for item in secret["items"]] == [*there, *further], name
        assert "tutorq_database_url" not in [item["key"] for item in secret["items"]] or name in ("migrate", "owner")
        assert not [each for each in pod["containers"][0]["env"] if "valueFrom" in each]


def test_pods_are_told_each_setting_once_and_send_mail(manifests: list[dict[str, Any]]) -> None:
    is_full = len(of_kind(manifests, "Ingress")) == 2
    for name, pod in pods(manifests).items():
        told = [(each["name"], each["value"]) for each in pod["containers"][0]["env"]]
        assert len(dict(told)) == len(told), name
        assert dict(told)["TUTORQ_MAIL_PROVIDER"] == ("ses" if is_full else "smtp")
        assert dict(told)["TUTORQ_DAGSTER_LOG_IN"] == "true"


def test_pods_run_and_check_what_the_compose_file_does(manifests: list[dict[str, Any]]) -> None:
    for name, pod in pods(manifests).items():
        if name == "owner":
            continue
        [container] = pod["containers"]
        assert [word.replace("workspace-by-name", "workspace") for word in container["args"]] == COMPOSE[name][
            "command"
        ]
        if "startupProbe" in container:
            assert ["CMD", *container["startupProbe"]["exec"]["command"]] == COMPOSE[name]["healthcheck"]["test"]
            assert container["livenessProbe"]["exec"] == container["startupProbe"]["exec"]
        if name == "api":
            assert container["readinessProbe"]["exec"]["command"][-2:] == ["/api/ready", "200"]


def test_the_owner_is_nobody_until_asked_for(manifests: list[dict[str, Any]]) -> None:
    replicas = {each["metadata"]["name"]: each["spec"].get("replicas") for each in of_kind(manifests, "Deployment")}
    assert replicas == {
        "tutorq-api": None,  # the autoscaler's
        "tutorq-owner": 0,
        **dict.fromkeys(
            (f"tutorq-{name}" for name in ("code-location", "dagster-webserver", "dagster-daemon", "watch")), 1
        ),
    }
    [scaler] = of_kind(manifests, "HorizontalPodAutoscaler")
    assert scaler["spec"]["minReplicas"] == 2
    [budget] = of_kind(manifests, "PodDisruptionBudget")
    assert budget["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] == "api"


def test_the_migration_comes_first_and_needs_nothing_of_the_chart(manifests: list[dict[str, Any]]) -> None:
    [job] = of_kind(manifests, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    pod = job["spec"]["template"]["spec"]
    assert "serviceAccountName" not in pod
    assert not [volume for volume in pod["volumes"] if "configMap" in volume or "persistentVolumeClaim" in volume]


def test_who_may_ask_whom(manifests: list[dict[str, Any]]) -> None:
    policies = {
        each["metadata"]["name"].removeprefix("tutorq-"): each["spec"] for each in of_kind(manifests, "NetworkPolicy")
    }
    assert set(policies) == set(pods(manifests))
    has_dagster = len(of_kind(manifests, "Ingress")) == 2
    for name, policy in policies.items():
        assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == name
        assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
        asking = [peer for rule in policy["ingress"] for peer in rule["from"]]
        from_outside = [peer for peer in asking if "namespaceSelector" in peer]
        assert bool(from_outside) == (name == "api" or (name == "dagster-webserver" and has_dagster)), name
        # Only those that call providers may leave the cluster.
        leaves = any(
            "to" not in rule and {"port": 443, "protocol": "TCP"} in rule["ports"] for rule in policy["egress"]
        )
        assert leaves == (name in ("api", "code-location", "watch", "owner")), name
        assert {"to": [{"ipBlock": {"cidr": "10.20.0.0/24"}}], "ports": [{"port": 5432, "protocol": "TCP"}]} in policy[
            "egress"
        ]


def test_what_is_missing_is_told_at_once() -> None:
    ran = helm("template", "tutorq", str(CHART), values={"existingSecret": ""})
    assert ran.returncode != 0
    for missing in ("existingSecret", "ingress.host", "postgres.cidrs", "models.store"):
        assert missing in ran.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"TUTORQ_OPENAI_API_KEY": "sk-1"}},  # a secret among the settings
        {"settings": {"TUTORQ_DAGSTER_LOG_IN": "false"}},  # Dagster would be open to whoever finds it
        {"settings": {"TUTORQ_MAIL_PROVIDER": "file"}},  # the root file system is read-only
        {"api": {"replicas": {"min": 0, "max": 1}}},
        {"api": {"secrets": ["database_url"]}},  # the owner's login
        {"imgae": {}},
        {"models": {"store": "/somewhere"}},
    ],
)
def test_wrong_values_are_refused(change: dict[str, Any]) -> None:
    assert helm("template", "tutorq", str(CHART), values={**VALUES, **change}).returncode != 0
