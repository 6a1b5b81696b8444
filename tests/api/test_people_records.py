"""Tutors and students of the marketplace: added, changed and read, one by one and many at once."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.bodies import NDJSON
from api.people.commands import MOST_MERGED
from api.people.schemas import (
    StudentBatchReceipt,
    StudentPost,
    StudentRecordList,
    StudentRecordResponse,
    TutorBatchReceipt,
    TutorPost,
    TutorRecordResponse,
)
from core import keys
from core.database import DatabaseRole
from core.roles import Role
from ingest.contract import STUDENTS, TUTORS
from ingest.ids import entity_uuid
from ingest.load import load_folder
from tests.api.conftest import Served
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem
from tests.api.test_sessions import rows, session
from tests.examples import examples

TUTOR: dict[str, Any] = {
    "name": "Ada Novak", "email": "ada@novak.example", "subjects": ["maths", "physics"], "is_active": True,
    "hired_at": "2024-09-01", "capacity": 12, "age": 34, "experience_years": 6.5, "teaching_style": "flexible",
    "preferred_pace": 4, "communication_style": 2, "time_zone": "Europe/Vienna",
}  # fmt: skip
STUDENT: dict[str, Any] = {
    "name": "Lea Berg", "age": 14, "subjects": ["maths"], "preferred_teaching_style": "structured", "preferred_pace": 2,
    "communication_style": 5, "urgency_level": 3, "learning_goals": "the exam in May",
}  # fmt: skip
KINDS = [("tutor", TUTOR), ("student", STUDENT)]
both = pytest.mark.parametrize(("kind", "content"), KINDS, ids=["tutor", "student"])


@pytest.fixture(scope="module")
def ingester(intake: Served) -> Iterator[httpx2.Client]:
    with intake.database.connect() as connection:
        key = keys.create(connection, f"people {uuid4()}", Role.INGEST).secret
    with intake.client(key) as client:
        yield client


def new_id(kind: str) -> str:
    return f"{kind} {uuid4()}"


def one(kind: str, person: str) -> str:
    return f"/api/{kind}s/{quote(person, safe='')}"


def read(client: httpx2.Client, kind: str, person: str) -> dict[str, Any]:
    response = client.get(one(kind, person) + ("/profile" if kind == "tutor" else ""))
    assert response.status_code == 200, response.text
    assert_is(TutorRecordResponse if kind == "tutor" else StudentRecordResponse, response.content)
    data: dict[str, Any] = response.json()["data"]
    return data


def audit(intake: Served, person: str) -> list[tuple[Any, ...]]:
    query = "select action, details from app.audit_log where subject_id = %s order by entry_id"
    return rows(intake.database, query, str(entity_uuid(person)))


def test_every_column_of_the_contract_can_be_sent() -> None:
    assert TUTOR.keys() == {column.name for column in TUTORS.columns} - {"tutor_id"}
    assert STUDENT.keys() == {column.name for column in STUDENTS.columns} - {"student_id"}
    assert set(TutorPost.model_fields) == {column.name for column in TUTORS.columns}
    assert set(StudentPost.model_fields) == {column.name for column in STUDENTS.columns}


@both
def test_a_person_is_added_whole_and_once(
    intake: Served, ingester: httpx2.Client, kind: str, content: dict[str, Any]
) -> None:
    person = new_id(kind)
    body = {f"{kind}_id": person, **content}
    added = ingester.post(f"/api/{kind}s", json=body)
    assert added.status_code == 201
    data = read(ingester, kind, person)
    assert added.json() == {"data": data}
    assert {name: data[name] for name in content} == content
    assert (data[f"{kind}_id"], data["external_id"], data["is_stub"]) == (str(entity_uuid(person)), person, False)
    refused = problem(ingester.post(f"/api/{kind}s", json=body), 409)
    assert refused.detail.startswith(f"There is a {kind} with this id. Change it with PATCH")
    assert audit(intake, person) == [(f"{kind}.add", {"fields": sorted(content)})]


@both
def test_somebody_known_only_from_sessions_is_described(
    ingester: httpx2.Client, kind: str, content: dict[str, Any]
) -> None:
    person = new_id(kind)
    assert ingester.post("/api/sessions", json=session(new_id("s"), **{f"{kind}_id": person})).status_code == 202
    assert read(ingester, kind, person)["is_stub"] is True
    assert ingester.post(f"/api/{kind}s", json={f"{kind}_id": person, **content}).status_code == 201
    assert read(ingester, kind, person)["is_stub"] is False


@both
@given(data=st.data())
@examples(15)
def test_a_change_changes_what_is_sent_and_nothing_else(
    intake: Served, ingester: httpx2.Client, kind: str, content: dict[str, Any], data: st.DataObject
) -> None:
    person = new_id(kind)
    first = data.draw(st.sets(st.sampled_from(sorted(content))))
    sent = {name: content[name] for name in first}
    assert ingester.post(f"/api/{kind}s", json={f"{kind}_id": person, **sent}).status_code == 201
    before = read(ingester, kind, person)
    names = data.draw(st.sets(st.sampled_from(sorted(content))))
    cleared = {name: None for name in names if name != "is_active" and data.draw(st.booleans())}
    patch = {name: content[name] for name in names} | cleared
    changed = ingester.patch(one(kind, person), json=patch)
    assert changed.status_code == 200, changed.text
    after = read(ingester, kind, person)
    assert changed.json() == {"data": after}
    wanted = before | {name: [] if name == "subjects" and value is None else value for name, value in patch.items()}
    assert {**after, "updated_at": 0} == {**wanted, "updated_at": 0}
    different = {name for name in patch if before[name] != after[name]}
    entries = [details for action, details in audit(intake, person) if action == f"{kind}.change"]
    # What was in the fields stays out: nobody is ever taken out of the log.
    assert entries == ([{"fields": sorted(different)}] if different else [])


@both
def test_what_is_wrong_is_named(ingester: httpx2.Client, kind: str, content: dict[str, Any]) -> None:
    problem(ingester.patch(one(kind, "nobody at all"), json={"age": 3}), 404)
    refused = problem(ingester.post(f"/api/{kind}s", json={f"{kind}_id": " ", "age": 200, "colour": "red"}), 400)
    fields = {error.field.partition(".")[0] for error in refused.errors or []}
    assert fields == {f"{kind}_id", "age", "colour"}
    for no_id in (True, None, 1e40, 1.5, [], "x" * 201):
        refused = problem(ingester.post(f"/api/{kind}s", json={f"{kind}_id": no_id}), 400)
        assert [error.field for error in refused.errors or []] == [f"{kind}_id"]
    for bad in ({"hired_at": "1.9.2024"}, {"is_active": None}, {"subjects": ["a;b"]}):
        if kind == "tutor":
            problem(ingester.patch(one(kind, "x"), json=bad), 400)


NO_IDS = ["NULL", "nan", " N/A ", "-", r"\N", "1.23457E+11"]


@both
@pytest.mark.parametrize("no_id", NO_IDS)
def test_what_is_no_id_is_an_error_of_its_field(
    intake: Served, ingester: httpx2.Client, kind: str, content: dict[str, Any], no_id: str
) -> None:
    refused = problem(ingester.post(f"/api/{kind}s", json={f"{kind}_id": no_id, **content}), 400)
    [error] = refused.errors or []
    assert error.field == f"{kind}_id"
    assert error.message.startswith(no_id.strip())
    good = new_id(kind)
    receipt = ingester.post(f"/api/{kind}s/batch", json=[{f"{kind}_id": no_id}, {f"{kind}_id": good}]).json()
    assert [row["status"] for row in receipt["rows"]] == ["rejected", "created"]
    assert receipt["rows"][0]["errors"] == [error.model_dump()]
    assert read(ingester, kind, good)["external_id"] == good


def test_a_long_id_of_a_rejected_row_is_kept_in_quarantine(intake: Served, ingester: httpx2.Client) -> None:
    mark = uuid4().hex
    # Too long for an index, and for a row of quarantine: random, because Postgres packs what repeats.
    long = mark + "".join(uuid4().hex for _ in range(400))
    fields = {f"field {at}": long for at in range(12)}
    batch = [{"tutor_id": long}, {"tutor_id": f"T {mark}", **fields}]
    receipt = ingester.post("/api/tutors/batch", json=batch)
    assert receipt.status_code == 200, receipt.text
    assert receipt.json()["rejected"] == 2
    found = rows(
        intake.database,
        "select delivered_id, content::json ->> 'tutor_id' from raw.quarantine where content like %s order by 1",
        f"%{mark}%",
    )
    assert [delivered for delivered, _ in found] == sorted([long[:200], f"T {mark}"])
    assert [found_id for _, found_id in found if found_id is not None and len(found_id) < 200] == [f"T {mark}"]


@both
def test_of_two_who_add_the_same_person_at_once_one_is_refused(
    ingester: httpx2.Client, kind: str, content: dict[str, Any]
) -> None:
    def add(person: str, name: str) -> int:
        return ingester.post(f"/api/{kind}s", json={f"{kind}_id": person, **content, "name": name}).status_code

    with ThreadPoolExecutor(2) as threads:
        for _ in range(10):
            person = new_id(kind)
            assert sorted(threads.map(partial(add, person), ("First", "Second"))) == [201, 409]


def test_addresses_and_days_are_read_as_in_files(ingester: httpx2.Client) -> None:
    person = new_id("tutor")
    body = {"tutor_id": person, "email": "Ada Novak <ada@novak.example>", "hired_at": "2024-09-01"}
    assert ingester.post("/api/tutors", json=body).json()["data"]["email"] == "ada@novak.example"
    bad = {"email": "ada at novak", "hired_at": "2024-W36-7"}
    refused = problem(ingester.patch(one("tutor", person), json=bad), 400)
    assert {error.field for error in refused.errors or []} == {"email", "hired_at"}


def test_large_batches_of_people_are_merged_in_parts(ingester: httpx2.Client) -> None:
    mark = uuid4().hex
    batch = [{"student_id": f"{mark} {at}", "name": f"{at}"} for at in range(2 * MOST_MERGED + 1)]
    assert ingester.post("/api/students/batch", json=batch).json()["created"] == len(batch)
    assert ingester.post("/api/students/batch", json=batch).json()["duplicate"] == len(batch)


@both
@pytest.mark.parametrize("is_lines", [False, True], ids=["array", "lines"])
def test_a_batch_adds_and_changes_as_a_file_does(
    intake: Served, ingester: httpx2.Client, kind: str, content: dict[str, Any], *, is_lines: bool
) -> None:
    key, known, stub, new = f"{kind}_id", new_id(kind), new_id(kind), new_id(kind)
    assert ingester.post(f"/api/{kind}s", json={key: known, **content}).status_code == 201
    assert ingester.post("/api/sessions", json=session(new_id("s"), **{key: stub})).status_code == 202
    bad = {key: new_id(kind), "age": "old"}
    batch: list[Any] = [
        {key: known, "age": 50},
        {key: stub, "name": "Known now"},
        {key: new, "name": "First", "age": 20},
        {key: new, "name": "Last"},
        bad,
        {key: known, "age": 50},
        {key: 4711.0, "name": "A number"},
    ]
    if is_lines:
        lines = "\n".join(json.dumps(row) for row in batch) + "\nno json\n"
        response = ingester.post(f"/api/{kind}s/batch", content=lines, headers={"Content-Type": NDJSON})
    else:
        response = ingester.post(f"/api/{kind}s/batch", json=[*batch, "no object"])
    assert response.status_code == 200, response.text
    model = TutorBatchReceipt if kind == "tutor" else StudentBatchReceipt
    model.model_validate_json(response.content)
    receipt = response.json()
    number = receipt["rows"][6]["status"]
    statuses = ["updated", "created", "created", "created", "rejected", "updated", number, "rejected"]
    assert [row["status"] for row in receipt["rows"]] == statuses
    assert [row[key] for row in receipt["rows"]] == [known, stub, new, new, bad[key], known, "4711", None]
    assert {name: receipt[name] for name in ("updated", "rejected")} == {"updated": 2, "rejected": 2}
    [error] = receipt["rows"][4]["errors"]
    assert error["field"] == "age"
    assert {**read(ingester, kind, known), **content, "age": 50} == read(ingester, kind, known), "the rest stays"
    assert (read(ingester, kind, new)["name"], read(ingester, kind, new)["age"]) == ("Last", 20)
    found = rows(intake.database, "select entity, source, reason from raw.quarantine where delivered_id = %s", bad[key])
    assert [(entity, source) for entity, source, _ in found] == [(f"{kind}s", "api")]
    again = ingester.post(f"/api/{kind}s/batch", json=batch[:4]).json()
    # The same content is no change, however it comes.
    assert {row["status"] for row in again["rows"]} == {"duplicate"}


@both
def test_a_batch_leaves_what_a_file_leaves(
    intake: Served, ingester: httpx2.Client, kind: str, content: dict[str, Any], tmp_path: Path
) -> None:
    posted, loaded = new_id(kind), new_id(kind)
    cells = [";".join(value) if isinstance(value, list) else str(value) for value in content.values()]
    (tmp_path / f"{kind}s.csv").write_text(f"{kind}_id,{','.join(content)}\n{loaded},{','.join(cells)}\n")
    load_folder(intake.database.as_role(DatabaseRole.INGEST), tmp_path, timezone="UTC")
    assert ingester.post(f"/api/{kind}s/batch", json=[{f"{kind}_id": posted, **content}]).json()["created"] == 1
    own = {f"{kind}_id", "external_id", "created_at", "updated_at"}
    first, second = (
        {name: value for name, value in read(ingester, kind, person).items() if name not in own}
        for person in (posted, loaded)
    )
    assert first == second


def test_students_are_listed(ingester: httpx2.Client) -> None:
    mark = uuid4().hex
    for name in ("Zoë", "Ann", None):
        body = {"student_id": f"{mark} {name}", "name": name, "subjects": [mark]}
        assert ingester.post("/api/students", json=body).status_code == 201
    response = ingester.get("/api/students", params={"subject": mark, "limit": 2})
    assert_is(StudentRecordList, response.content)
    body = response.json()
    assert [row["name"] for row in body["data"]] == ["Ann", "Zoë"]
    cursor = body["meta"].pop("next_cursor")
    assert body["meta"] == {"total": 3, "limit": 2, "offset": 0}
    last = ingester.get("/api/students", params={"subject": mark, "limit": 2, "cursor": cursor})
    assert [row["name"] for row in last.json()["data"]] == [None]
    assert "Link" in response.headers
    assert "Link" not in last.headers
    file = ingester.get("/api/students", params={"subject": mark, "format": "csv"})
    assert [line.split(",")[1] for line in file.text.splitlines()] == ["name", "Ann", "Zoë", ""]
    for text in (f"{mark} ZOE", str(entity_uuid(f"{mark} Zoë"))[:8]):
        assert [row["name"] for row in ingester.get("/api/students", params={"search": text}).json()["data"]] == ["Zoë"]


def test_readers_see_tutors_and_change_nothing(intake: Served) -> None:
    with intake.database.connect() as connection:
        key = keys.create(connection, f"reader {uuid4()}", Role.READ).secret
    with intake.client(key) as reader:
        problem(reader.get("/api/students"), 403)
        problem(reader.get("/api/students/x"), 403)
        problem(reader.get("/api/tutors/nobody/profile"), 404)
        for kind, content in KINDS:
            problem(reader.post(f"/api/{kind}s", json={f"{kind}_id": "x", **content}), 403)
            problem(reader.post(f"/api/{kind}s/batch", json=[]), 403)
            problem(reader.patch(one(kind, "x"), json={}), 403)
