"""Clients that openapi-python-client and openapi-typescript generate from the description are whole, and work."""

import importlib
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import evolve

from api import openapi
from core.settings import PROJECT_ROOT
from tests.api.test_openapi import OPERATIONS
from tests.clients.conftest import NODE_MODULES, Platform

pytestmark = pytest.mark.soak

PACKAGE = "generated_tutorq"
# An array of JSON can be sent in its place.
KNOWN_WARNINGS = {"Unsupported content type application/x-ndjson"}


class Generated:
    """The modules of the generated package."""

    def __init__(self, output: str, folder: Path) -> None:
        self.output = output
        self.folder = folder

    def __getattr__(self, name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.{name}")

    def operation(self, tag: str, name: str) -> Any:
        return importlib.import_module(f"{PACKAGE}.api.{tag}.{name}")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """As anybody would generate it: without options."""
    folder = tmp_path_factory.mktemp("python") / PACKAGE
    command = ["generate", "--path", str(openapi.PATH), "--meta", "none", "--output-path", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", *command],
        capture_output=True,
        text=True,
        # It formats by ruff, which stands beside Python.
        env={"PATH": str(Path(sys.executable).parent)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder.parent))
    try:
        yield Generated(done.stdout + done.stderr, folder)
    finally:
        sys.path.remove(str(folder.parent))


def test_python_is_generated_without_a_loss(generated: Generated) -> None:
    reasons = {
        line
        for line in generated.output.splitlines()
        if re.match("Unable|Unsupported|Cannot|Could not|Attempted", line)
    }
    assert reasons == KNOWN_WARNINGS, generated.output
    assert generated.output.count("WARNING") == sum(
        "x-ndjson" in json.dumps(operation.get("requestBody", {}))
        for path in json.loads(openapi.PATH.read_text())["paths"].values()
        for operation in path.values()
    )
    files = {path.stem: path.parent.name for path in (generated.folder / "api").glob("*/*.py")}
    assert files.keys() >= OPERATIONS
    for name in OPERATIONS:
        generated.operation(files[name], name)


def test_no_model_is_a_choice_beside_its_fields() -> None:
    """openapi-python-client makes the choices of such a model, without the fields of the model itself."""
    schemas = json.loads(openapi.PATH.read_text())["components"]["schemas"]
    wrong = [name for name, one in schemas.items() if "properties" in one and one.keys() & {"anyOf", "oneOf", "allOf"}]
    assert wrong == []


def test_what_is_absent_is_not_true_by_default() -> None:
    schemas = json.loads(openapi.PATH.read_text())["components"]["schemas"]
    fields = {(name, field): one for name in schemas for field, one in schemas[name].get("properties", {}).items()}
    marks = {key for key, one in fields.items() if one.get("const") is True}
    assert ("SessionReceipt", "duplicate") in marks
    assert not [key for key in marks if "default" in fields[key]]


def test_python_works(generated: Generated, platform: Platform) -> None:
    models = generated.models
    no_key = generated.client.Client(base_url=platform.url)
    reader = generated.client.AuthenticatedClient(
        base_url=platform.url, token=platform.read_key, prefix="", auth_header_name="X-API-Key"
    )
    sender = generated.client.AuthenticatedClient(
        base_url=platform.url, token=platform.ingest_key, prefix="", auth_header_name="X-API-Key"
    )

    logged_in = generated.operation("auth", "post_auth_session").sync_detailed(
        client=no_key, body=models.LogIn(api_key=platform.read_key)
    )
    assert (logged_in.status_code, logged_in.parsed.role) == (201, "read"), logged_in.content

    one = models.SessionPost(
        session_id="generated 1", tutor_id="T-1", student_id="S-1", rating=4.5,
        scheduled_time=datetime(2026, 1, 20, 10, tzinfo=UTC), status=models.SessionPostStatus.RESCHEDULED,
        reschedule_info=models.RescheduleInfo(initiator=models.RescheduleInfoInitiator.TUTOR),
    )  # fmt: skip
    receipt = generated.operation("sessions", "post_session").sync(
        client=sender, body=one, idempotency_key="generated-1"
    )
    assert isinstance(receipt, models.SessionReceipt), receipt
    assert (receipt.session_id, receipt.status, bool(receipt.duplicate)) == ("generated 1", "queued", False)

    wrong = evolve(one, session_id="generated 2", tutor_id=" ")
    batch = generated.operation("sessions", "post_session_batch").sync(client=sender, body=[one, wrong])
    assert isinstance(batch, models.BatchReceipt), batch
    assert [row.status for row in batch.rows] == ["duplicate", "rejected"]
    assert [error.field for error in batch.rows[1].errors] == ["tutor_id"]

    list_tutors = generated.operation("tutors", "list_tutors")
    wanted = {"risk_status": [models.RiskStatus.HIGH_RISK, models.RiskStatus.WATCH], "limit": 2, "client": reader}
    first, second = list_tutors.sync(**wanted), list_tutors.sync(**wanted, offset=2)
    assert isinstance(first, models.TutorList), first
    assert {tutor.risk_status for tutor in first.data} <= {"high_risk", "watch"}
    assert not {tutor.tutor_id for tutor in first.data} & {tutor.tutor_id for tutor in second.data}
    assert first.meta.total >= len(first.data) == 2

    problem = list_tutors.sync(client=reader, limit=0)
    assert isinstance(problem, models.Problem), problem
    assert (problem.status, problem.type_) == (400, "urn:tutorq:problem:invalid-request")
    assert [(error.field, "greater" in error.message) for error in problem.errors] == [("limit", True)]
    forbidden = generated.operation("sessions", "post_session").sync(client=reader, body=one)
    assert (forbidden.status, forbidden.title) == (403, "This is not allowed")


PROGRAM = """
import createClient from "openapi-fetch";
import type { components, paths } from "./api-types.ts";

const env = process.env as { TUTORQ_URL: string; READ_KEY: string; INGEST_KEY: string };
const client = (key?: string) =>
  createClient<paths>({ baseUrl: env.TUTORQ_URL, headers: key === undefined ? {} : { "X-API-Key": key } });
const [reader, sender] = [client(env.READ_KEY), client(env.INGEST_KEY)];

const loggedIn = await client().POST("/api/auth/session", { body: { api_key: env.READ_KEY } });
const session: components["schemas"]["SessionPost"] = {
  session_id: "typed 1",
  tutor_id: "T-1",
  student_id: "S-1",
  scheduled_time: "2026-01-20T10:00:00Z",
  status: "rescheduled",
  reschedule_info: { initiator: "tutor" },
};
const receipt = await sender.POST("/api/sessions", { body: session });
const batch = await sender.POST("/api/sessions/batch", { body: [session, { ...session, tutor_id: " " }] });
const tutors = await reader.GET("/api/tutors", {
  params: { query: { risk_status: ["high_risk", "watch"], limit: 2 } },
});
const next = await reader.GET("/api/tutors", {
  params: { query: { risk_status: ["high_risk", "watch"], limit: 2, offset: 2 } },
});
const wrong = await reader.GET("/api/tutors", { params: { query: { limit: 0 } } });
const fields: string[] = wrong.error?.errors?.map((each) => each.field) ?? [];
console.log(
  JSON.stringify({
    role: loggedIn.data?.role,
    receipt: receipt.data?.status,
    rows: batch.data?.rows.map((row) => row.status),
    wrong: [wrong.error?.status, ...fields],
    pages: [tutors.data?.data.length, tutors.data?.data.some((one) => next.data?.data[0]?.tutor_id === one.tutor_id)],
  }),
);
"""


def test_typescript_is_checked_and_works(platform: Platform, tmp_path: Path) -> None:
    typescript_project(tmp_path, PROGRAM)
    keys = {"READ_KEY": platform.read_key, "INGEST_KEY": platform.ingest_key}
    assert json.loads(run_typescript(tmp_path, {"TUTORQ_URL": platform.url, **keys})) == {
        "role": "read",
        "receipt": "queued",
        "rows": ["duplicate", "rejected"],
        "wrong": [400, "limit"],
        "pages": [2, False],
    }


def typescript_project(folder: Path, program: str) -> None:
    """The program, as tsc --strict accepts it, and the types beside it, generated without options."""
    (folder / "node_modules").symlink_to(NODE_MODULES)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "program.ts").write_text(program)
    said = node(folder, "openapi-typescript/bin/cli.js", str(openapi.PATH), "--output", "api-types.ts")
    assert "warn" not in said.lower(), said
    strict = ("--strict", "--noUncheckedIndexedAccess", "--skipLibCheck", "--noEmit", "--allowImportingTsExtensions")
    target = ("--target", "es2023", "--module", "esnext", "--moduleResolution", "bundler", "--types", "node")
    node(folder, "typescript/bin/tsc", *strict, *target, "program.ts")


def run_typescript(folder: Path, environment: dict[str, str]) -> str:
    """What the program prints. Node leaves the types out by itself."""
    return node(folder, None, "program.ts", environment=environment)


def node(folder: Path, module: str | None, *arguments: str, environment: dict[str, str] | None = None) -> str:
    program = [] if module is None else [str(NODE_MODULES / module)]
    done = subprocess.run(
        [str(PROJECT_ROOT / ".venv" / "bin" / "node"), *program, *arguments],
        cwd=folder,
        env=environment or {},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
