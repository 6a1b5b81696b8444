"""Alert rules, runbooks and the dashboard speak of metrics that there are."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from core.settings import PROJECT_ROOT
from tests.api.conftest import Served
from tools.docs import markdown

PROMETHEUS = PROJECT_ROOT / "deploy" / "prometheus"
RULES = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "tutorq-alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
GRAFANA = json.loads((PROJECT_ROOT / "deploy" / "grafana" / "tutorq.json").read_text())
# Prometheus makes these itself.
OF_PROMETHEUS = {"up", "ALERTS"}
SAID_OF_ALL = {"job", "instance", "alertname", "alertstate"}


def panels() -> Iterator[dict[str, Any]]:
    yield from (panel for panel in GRAFANA["panels"] if panel["type"] != "row")


EXPRESSIONS = [
    *(rule["expr"] for rule in RULES),
    *(target["expr"] for panel in panels() for target in panel["targets"]),
]


@pytest.fixture(scope="module")
def samples(published: Served, client: httpx2.Client) -> dict[str, list[dict[str, str]]]:
    """Labels of each sample, by its name; after a request, so that requests are among them."""
    client.get("/api/tutors")
    families = text_string_to_metric_families(client.get("/metrics").text)
    found: dict[str, list[dict[str, str]]] = {}
    for sample in (sample for family in families for sample in family.samples):
        found.setdefault(sample.name, []).append(sample.labels)
    # There is no Dagster daemon here, and no mail that is due.
    return {"tutorq_daemon_heartbeat_age_seconds": [{}], **found}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_and_label_is_there(expression: str, samples: dict[str, list[dict[str, str]]]) -> None:
    selectors = re.findall(r"\b((?:tutorq|process)_\w+|up|ALERTS)\b(?:\{([^}]*)\})?", expression)
    assert selectors
    for name, matchers in selectors:
        if name in OF_PROMETHEUS:
            continue
        assert name in samples
        for label, operator, value in re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', matchers):
            if label in SAID_OF_ALL:
                continue
            values = {each[label] for each in samples[name] if label in each}
            assert values, f"{name} has no label {label}"
            if label in ("state", "when"):  # whose values are all there from the start
                assert all(each in values for each in value.split("|")), operator


def test_every_alert_has_a_runbook() -> None:
    page = (PROJECT_ROOT / "docs" / "operations.md").read_text()
    written = {heading.anchor: heading.text for heading in markdown.headings(page) if heading.text.startswith("Tutorq")}
    assert {rule["annotations"]["runbook"].partition("#")[2]: rule["alert"] for rule in RULES} == written
    assert {rule["annotations"]["runbook"].partition("#")[0] for rule in RULES} == {"docs/operations.md"}


def test_every_alert_is_tried() -> None:
    tried = (PROMETHEUS / "tutorq-alerts.test.yaml").read_text()
    assert [rule["alert"] for rule in RULES if f'alertname="{rule["alert"]}"' not in tried] == []


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(at["x"] + right, at["y"] + down) for right in range(at["w"]) for down in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in GRAFANA["panels"]}) == len(GRAFANA["panels"])


@pytest.mark.soak
def test_rules_fire_where_they_should() -> None:
    """promtool comes with Prometheus (Debian: the package prometheus)."""
    command = ["promtool", "test", "rules", str(Path(PROMETHEUS / "tutorq-alerts.test.yaml"))]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
