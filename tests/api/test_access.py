"""Who may do what: every operation that `openapi.json` describes, asked for by everybody there is."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from core import people
from core.roles import KEY_ROLES, PERSON_ROLES, Role
from core.settings import PROJECT_ROOT
from ingest.ids import entity_uuid
from tests.api.conftest import Served, served
from tests.api.test_auth_sessions import OURS, logged_in, new_key, person
from tests.api.test_sessions import session
from tests.conftest import Postgres

EXPECTED = PROJECT_ROOT / "docs" / "access.md"
INTRODUCTION = """# Who may do what

Every operation of the API with every role, as measured by `tests/api/test_access.py`, which writes this page.
● is allowed, · gets 401 or 403. *own*: coaches are allowed for tutors of their own team, and get 403 for others.
Programs with a [token of the OpenID provider](log-in.md#tokens-for-programs) have the rights of keys of their role,
except `POST /api/sessions` and `/batch`.

"""
COLUMNS = ["nobody", *(f"key: {role}" for role in KEY_ROLES), *PERSON_ROLES]
# They end the session that asks, or all of its person.
ENDS = {"delete_auth_session", "delete_auth_sessions"}
# It would take the session from those that come after it.
DELETES = {"delete_session"}
BODIES: Mapping[str, Any] = {
    "post_excuse": {"reason": "Storm"},
    "post_day_excuse": {"reason": "Storm"},
    "patch_match_tutor": {"capacity": 3},
    "post_reschedule_excuse": {"reason": "Storm"},
}
# It would go on for ever.
QUERIES: Mapping[str, Mapping[str, int]] = {"stream_events": {"seconds": 0}}
LET_IN, KEPT_OUT, OWN = "●", "·", "*own*"
Operation = tuple[str, str, str]


@pytest.fixture
def platform(postgres: Postgres, tmp_path: Path) -> Iterator[Served]:
    with served(postgres.new_database(tmp_path), tmp_path) as platform:
        yield platform


def operations(platform: Served) -> list[Operation]:
    """Method, path and name of every operation, in the order of the description."""
    with platform.client(None) as client:
        paths = client.get("/api/openapi.json").json()["paths"]
    return [
        (method.upper(), path, operation["operationId"])
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


def filled(path: str, tutor: str) -> str:
    """The path with something in place of each parameter: the tutor, a session of theirs, or nobody and nothing."""
    number = "9" * 9
    known = {
        "tutor_id": tutor, "session_id": f"session of {tutor}", "day": "2026-01-05", "browser_session_id": number,
        "case_id": number, "event_id": number, "appeal_id": number,
    }  # fmt: skip
    return re.sub(r"\{(\w+)\}", lambda match: known.get(match.group(1), str(uuid4())), path)


@contextmanager
def caller(platform: Served, column: str, name: str = "P") -> Iterator[httpx2.Client]:
    if column in PERSON_ROLES:
        with logged_in(platform, Role(column), f"{name} {column}") as client:
            client.headers.update(OURS)
            yield client
    else:
        role = column.removeprefix("key: ")
        key = None if column == "nobody" else new_key(platform, f"{role} {uuid4()}", Role(role))
        with platform.client(key) as client:
            yield client


def is_let_in(client: httpx2.Client, operation: Operation, tutor: str) -> bool:
    method, path, name = operation
    address = filled(path, "nobody" if name in DELETES else tutor)
    status = client.request(method, address, json=BODIES.get(name), params=QUERIES.get(name)).status_code
    assert status != 500, operation
    # Made-up bodies and ids are refused later, and nothing is published here.
    return status not in (401, 403)


def post_sessions(platform: Served, *tutors: str) -> None:
    with platform.client(platform.key) as client:
        for tutor in tutors:
            body = session(f"session of {tutor}", tutor_id=tutor, status="cancelled")
            assert client.post("/api/sessions", json=body).status_code == 202


def test_who_may_do_what(platform: Served, tmp_path: Path) -> None:
    post_sessions(platform, "own", "other")
    coach = person(platform, Role.COACH, "P coach")
    with platform.database.connect() as connection:
        people.change_team(connection, coach, give={"own": entity_uuid("own")}, take={})
    rows = []
    with ExitStack() as stack:
        clients = {column: stack.enter_context(caller(platform, column)) for column in COLUMNS}
        for operation in operations(platform):
            method, path, name = operation
            cells = []
            for column, client in clients.items():
                for tutor in ("own", "other"):
                    asked = stack.enter_context(caller(platform, column, "Leaver")) if name in ENDS else client
                    cells.append(is_let_in(asked, operation, tutor))
            marks = [
                LET_IN if of_own and of_other else OWN if of_own else KEPT_OUT
                for of_own, of_other in zip(cells[::2], cells[1::2], strict=True)
            ]
            rows.append(f"| `{method} {path}` | {' | '.join(marks)} |")
    head = f"| | {' | '.join(COLUMNS)} |\n|---|{':---:|' * len(COLUMNS)}\n"
    found = INTRODUCTION + head + "\n".join(rows) + "\n"
    (tmp_path / EXPECTED.name).write_text(found)
    assert found == EXPECTED.read_text(), f"if this is as it should be: cp {tmp_path / EXPECTED.name} {EXPECTED}"
