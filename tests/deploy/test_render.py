"""deploy/render.yaml against the rules that Render publishes for blueprints, and against the compose file.

The rules are those of https://render.com/docs/blueprint-spec, for what is used here.
"""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from api.headers import DASHBOARD_POLICY, SAME_FOR_ALL
from core.settings import PROJECT_ROOT, Settings

REGIONS = ["oregon", "ohio", "virginia", "frankfurt", "singapore"]
PLANS = ["free", "starter", "standard", "pro", "pro plus", "pro max", "pro ultra"]
TEXT = {"type": "string", "minLength": 1}
KEY = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


FROM_DATABASE = closed(
    ["name", "property"],
    name=TEXT,
    property={"enum": ["connectionString", "host", "port", "user", "password", "database"]},
)
FROM_SERVICE = {
    **closed(
        ["type", "name"],
        type={"enum": ["web", "pserv", "worker", "keyvalue"]},
        name=TEXT,
        property={"enum": ["host", "hostport", "port", "connectionString"]},
        envVarKey=KEY,
    ),
    "oneOf": [{"required": ["property"]}, {"required": ["envVarKey"]}],
}
IN_GROUPS = [
    closed(["key", "value"], key=KEY, value=TEXT),
    closed(["key", "generateValue"], key=KEY, generateValue={"const": True}),
]
OF_SERVICES = [
    *IN_GROUPS,
    closed(["key", "sync"], key=KEY, sync={"const": False}),
    closed(["key", "fromDatabase"], key=KEY, fromDatabase=FROM_DATABASE),
    closed(["key", "fromService"], key=KEY, fromService=FROM_SERVICE),
    closed(["fromGroup"], fromGroup=TEXT),
]
COMMON: dict[str, Any] = {
    "name": TEXT,
    "region": {"enum": REGIONS},
    "plan": {"enum": PLANS},
    "autoDeployTrigger": {"enum": ["off", "commit", "checksPass"]},
    "envVars": {"type": "array", "items": {"oneOf": OF_SERVICES}},
}
SERVER: dict[str, Any] = {
    **COMMON,
    "runtime": {"const": "docker"},
    "dockerfilePath": TEXT,
    "dockerContext": TEXT,
    "dockerCommand": TEXT,
    "maxShutdownDelaySeconds": {"type": "integer", "minimum": 1, "maximum": 300},
    "numInstances": {"type": "integer", "minimum": 1},
    "preDeployCommand": TEXT,
    "scaling": closed(
        ["minInstances", "maxInstances"],
        minInstances={"type": "integer", "minimum": 1},
        maxInstances={"type": "integer", "minimum": 1},
        targetCPUPercent={"type": "integer", "minimum": 1, "maximum": 90},
        targetMemoryPercent={"type": "integer", "minimum": 1, "maximum": 90},
    ),
    "disk": closed(
        ["name", "mountPath"],
        name=TEXT,
        mountPath={"type": "string", "pattern": "^/"},
        sizeGB={"type": "integer", "minimum": 1},
    ),
}
NEEDED = ["type", "name", "runtime"]
WEB = closed(NEEDED, type={"const": "web"}, **SERVER, healthCheckPath={"type": "string", "pattern": "^/"})
HIDDEN = closed(NEEDED, type={"enum": ["pserv", "worker"]}, **SERVER)
STATIC = closed(
    [*NEEDED, "staticPublishPath"],
    type={"const": "web"},
    runtime={"const": "static"},
    **{key: value for key, value in COMMON.items() if key not in ("plan", "region")},
    buildCommand=TEXT,
    staticPublishPath=TEXT,
    routes={
        "type": "array",
        "items": closed(
            ["type", "source", "destination"], type={"enum": ["redirect", "rewrite"]}, source=TEXT, destination=TEXT
        ),
    },
    headers={"type": "array", "items": closed(["path", "name", "value"], path=TEXT, name=TEXT, value=TEXT)},
)
DATABASE = closed(
    ["name"],
    name=TEXT,
    region={"enum": REGIONS},
    plan={"type": "string", "pattern": r"^(free|basic-(256mb|1gb|4gb)|(pro|accelerated)-\d+gb)$"},
    postgresMajorVersion={"type": "string", "pattern": r"^\d+$"},
    databaseName=TEXT,
    user=TEXT,
    diskSizeGB={"type": "integer", "anyOf": [{"const": 1}, {"multipleOf": 5}]},
    ipAllowList={"type": "array", "items": closed(["source"], source=TEXT, description=TEXT)},
)
RULES = closed(
    ["services"],
    previews=closed([], generation={"enum": ["off", "manual", "automatic"]}),
    databases={"type": "array", "items": DATABASE},
    envVarGroups={
        "type": "array",
        "items": closed(["name", "envVars"], name=TEXT, envVars={"type": "array", "items": {"oneOf": IN_GROUPS}}),
    },
    services={"type": "array", "items": {"oneOf": [WEB, HIDDEN, STATIC]}},
)

BLUEPRINT: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "deploy" / "render.yaml").read_text())
SERVICES = {service["name"]: service for service in BLUEPRINT["services"]}
# Here and there.
IN_COMPOSE = {
    "tutorq-api": "api",
    "tutorq-code-location": "code-location",
    "tutorq-dagster": "dagster-webserver",
    "tutorq-daemon": "dagster-daemon",
    "tutorq-watch": "watch",
}
BY_HAND = {"sendgrid_api_key", "ses_smtp_password", "openai_api_key", "notify_urls"}


def variables(service: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A service's variables by name, with those of its groups."""
    groups = {group["name"]: group["envVars"] for group in BLUEPRINT["envVarGroups"]}
    own = [each for each in service["envVars"] if "key" in each]
    shared = [each for group in service["envVars"] if "fromGroup" in group for each in groups[group["fromGroup"]]]
    return {each["key"]: each for each in [*shared, *own]}


def test_the_blueprint_follows_the_rules() -> None:
    faults = [
        f"{list(fault.path)}: {fault.message}"
        for fault in jsonschema.Draft202012Validator(RULES).iter_errors(BLUEPRINT)
    ]
    assert faults == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("services", 0, "plan"), "huge"),
        (("services", 0, "healthCheckInterval"), 5),
        (("services", 0, "envVars", 0), {"key": "A", "value": "b", "sync": False}),
        (("envVarGroups", 0, "envVars", 0), {"key": "A", "sync": False}),
        (("databases", 0, "diskSizeGB"), 7),
    ],
)
def test_the_rules_find_faults(path: tuple[str | int, ...], value: Any) -> None:
    broken = yaml.safe_load(yaml.safe_dump(BLUEPRINT))
    place = broken
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    assert list(jsonschema.Draft202012Validator(RULES).iter_errors(broken))


def test_names_lead_to_what_is_there() -> None:
    databases = {database["name"] for database in BLUEPRINT["databases"]}
    for service in SERVICES.values():
        for key, variable in variables(service).items():
            if named := variable.get("fromDatabase"):
                assert named["name"] in databases, key
            if named := variable.get("fromService"):
                assert SERVICES[named["name"]]["type"] == named["type"], key
                if copied := named.get("envVarKey"):
                    assert variables(SERVICES[named["name"]])[copied] == {"key": copied, "sync": False}, key


def test_no_disk_is_scaled_and_nothing_is_open() -> None:
    for service in SERVICES.values():
        assert not ("disk" in service and ("scaling" in service or service.get("numInstances", 1) > 1))
    for database in BLUEPRINT["databases"]:
        assert database["ipAllowList"] == []
        assert database["region"] == SERVICES["tutorq-api"]["region"]


@pytest.mark.parametrize("name", IN_COMPOSE)
def test_services_run_what_the_compose_file_runs(name: str) -> None:
    compose = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
    words = [word for word in compose["services"][IN_COMPOSE[name]]["command"] if not word.startswith("--workspace")]
    given = SERVICES[name]["dockerCommand"].replace("'", "").split()
    assert [word for word in given if word in words] == words
    if "dagster-" in IN_COMPOSE[name]:
        assert "--workspace=deploy/workspace-by-name.yaml" in given
        assert "TUTORQ_CODE_LOCATION_HOST" in variables(SERVICES[name])


def test_only_settings_that_are_known_are_set() -> None:
    known = {f"TUTORQ_{name.upper()}" for name in Settings.model_fields} | {"TUTORQ_CODE_LOCATION_HOST"}
    for name in IN_COMPOSE:
        set_here = {key for key in variables(SERVICES[name]) if key.startswith("TUTORQ_")}
        assert set_here <= known, name
    for path in [SERVICES[name]["dockerfilePath"] for name in IN_COMPOSE]:
        assert Path(PROJECT_ROOT, path).is_file()


@pytest.mark.parametrize("name", IN_COMPOSE)
def test_services_are_told_the_secrets_of_the_compose_file_and_no_more(name: str) -> None:
    """A database of Render has one login, so that of the owner stands for all that compose tells apart."""
    compose = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())["services"]
    known = {secret for service in compose.values() for secret in service.get("secrets", [])}
    as_here = {f"tutorq_{login}_database_url": "tutorq_database_url" for login in ("ingest", "transform", "api")}
    there = {as_here.get(secret, secret) for secret in compose[IN_COMPOSE[name]]["secrets"]}
    here = {key.lower() for key in variables(SERVICES[name])} & known
    assert here <= there
    # Of providers, what an installation adds by hand.
    assert there - here <= {f"tutorq_{each}" for each in BY_HAND}


@pytest.mark.parametrize("name", ["tutorq-api", "tutorq-code-location", "tutorq-watch"])
def test_who_writes_mail_knows_to_whom_from_whom_and_where_it_leads(name: str) -> None:
    assert {"TUTORQ_STAFF_EMAILS", "TUTORQ_MAIL_FROM", "TUTORQ_DASHBOARD_URL"} <= set(variables(SERVICES[name]))


def test_the_page_has_the_headers_of_the_api() -> None:
    page = SERVICES["tutorq-page"]
    sent = {each["name"].lower(): each["value"] for each in page["headers"]}
    assert sent == {
        **{name.decode(): value.decode() for name, value in SAME_FOR_ALL},
        "content-security-policy": DASHBOARD_POLICY.decode(),
    }
    # The first route that fits is taken: the page comes last.
    assert page["routes"][-1] == {"type": "rewrite", "source": "/*", "destination": "/index.html"}
    assert all(route["destination"].startswith("https://tutorq-api.onrender.com/") for route in page["routes"][:-1])
