"""People as matching sees them: lists, single ones, and changes."""

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from api.bodies import JSON
from api.matching.schemas.people import (
    STUDENTS_SORTABLE,
    TUTORS_SORTABLE,
    MatchStudentList,
    MatchStudentResponse,
    MatchTutorList,
    MatchTutorResponse,
)
from api.people.schemas import StudentPost, StudentPreferences, TutorPreferences
from core import keys
from core.database import DatabaseRole
from core.roles import Role
from ingest.contract import STUDENTS as STUDENTS_FILE
from ingest.contract import TUTORS as TUTORS_FILE
from ingest.contract import Entity, Kind
from ingest.ids import entity_uuid
from ingest.load import load_folder
from tests.api.conftest import Served
from tests.api.matching import STUDENTS, TUTORS, everyone, rows
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem

PEOPLE = "/api/matching/students", "/api/matching/tutors"


@pytest.fixture(scope="module")
def client(matching: Served) -> Iterator[httpx2.Client]:
    with matching.client(matching.key) as client:
        yield client


@pytest.fixture
def student(client: httpx2.Client) -> str:
    """A student of their own for a test that changes them."""
    name = f"new-{uuid4()}"
    body = {"student_id": name, "name": "Ottoline Frick", "subjects": ["maths"], "preferred_pace": 2, "age": 12}
    assert client.post("/api/matching/students", json=body).status_code == 201
    return name


@pytest.fixture
def tutor(matching: Served) -> str:
    """A tutor of their own for a test that changes them; known only from a session."""
    name = f"tutor-{uuid4()}"
    with matching.database.connect() as connection:
        connection.execute(
            "insert into raw.tutors (tutor_id, external_id, is_stub) values (%s, %s, true)", (entity_uuid(name), name)
        )
    return name


def audit(matching: Served, person: str) -> list[Any]:
    with matching.database.connect() as connection:
        query = "select actor, action, subject_kind, details from app.audit_log where subject_id = %s order by entry_id"
        return rows(connection, query, str(entity_uuid(person)))


# ---- lists


def test_lists_and_rows_are_what_the_description_says(client: httpx2.Client) -> None:
    for path, listed, one in (
        (PEOPLE[0], MatchStudentList, MatchStudentResponse),
        (PEOPLE[1], MatchTutorList, MatchTutorResponse),
    ):
        response = client.get(path, params={"limit": 500})
        assert_is(listed, response.content)
        row = response.json()["data"][0]
        person = next(value for key, value in row.items() if key in ("student_id", "tutor_id"))
        found = client.get(f"{path}/{person}")
        assert_is(one, found.content)
        assert found.json()["data"] == row
        assert client.get(f"{path}/{row['external_id']}").json()["data"] == row


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(
    ("path", "column"),
    [*((PEOPLE[0], name) for name in STUDENTS_SORTABLE), *((PEOPLE[1], name) for name in TUTORS_SORTABLE)],
)
def test_pages_hold_everybody_once_and_in_order(client: httpx2.Client, path: str, column: str, order: str) -> None:
    key = "student_id" if path == PEOPLE[0] else "tutor_id"
    seen: list[dict[str, Any]] = []
    for offset in itertools.count(0, 5):
        body = client.get(f"{path}?sort_by={column}&sort_order={order}&limit=5&offset={offset}").json()
        seen += body["data"]
        if not body["data"]:
            break
    assert len({row[key] for row in seen}) == len(seen) == body["meta"]["total"]
    values = [row[column] for row in seen]
    known = [value for value in values if value is not None]
    assert values == sorted(known, reverse=order == "desc") + [None] * (len(values) - len(known))


def test_filters(client: httpx2.Client) -> None:
    students = everyone(client, PEOPLE[0])
    tutors = everyone(client, PEOPLE[1])
    assert len(students) >= STUDENTS
    assert len(tutors) >= TUTORS

    def ids(found: list[dict[str, Any]]) -> set[str]:
        return {row["external_id"] for row in found}

    assert ids(everyone(client, PEOPLE[0], search="QUIST 1")) == {"S-1", "S-10", "S-11", "S-12"}
    assert ids(everyone(client, PEOPLE[0], search="s-7")) == {"S-7"}
    assert ids(everyone(client, PEOPLE[0], search=str(entity_uuid("S-7"))[:8])) == {"S-7"}
    assert ids(everyone(client, PEOPLE[1], search=str(entity_uuid("T-4"))[:8])) == {"T-4"}
    assert ids(everyone(client, PEOPLE[0], is_active=False)) >= {"S-11"}
    assert ids(everyone(client, PEOPLE[0], subject="geography")) == {"S-1", "S-4", "S-7", "S-10"}
    assert ids(everyone(client, PEOPLE[1], subject="geography", is_active=True)) == {"T-1", "T-4", "T-7"}
    full = {row["external_id"] for row in tutors if row["free_capacity"] == 0}
    assert full
    assert ids(everyone(client, PEOPLE[1], has_capacity=False)) == full
    # Nobody says that T-8 is full.
    assert "T-8" in ids(everyone(client, PEOPLE[1], has_capacity=True))


def test_students_who_need_a_tutor(matching: Served, client: httpx2.Client, student: str) -> None:
    """Somebody new needs one, until a session is planned or held with a tutor who has not left."""

    def need_one() -> set[str]:
        found = everyone(client, PEOPLE[0], needs_tutor=True)
        assert all(row["needs_tutor"] for row in found)
        others = everyone(client, PEOPLE[0], needs_tutor=False)
        assert not any(row["needs_tutor"] for row in others)
        assert len(found) + len(others) == len(everyone(client, PEOPLE[0]))
        return {row["external_id"] for row in found}

    # The last session of S-11 was a year ago, S-12 never had any, and S-8 to S-10 had theirs with T-4 to T-7 lately.
    assert need_one() >= {"S-11", "S-12", student}
    assert not need_one() & {f"S-{i}" for i in range(1, 9)}
    body = {"session_id": f"N-{uuid4()}", "student_id": student, "scheduled_time": "2026-02-20T15:00:00Z"}

    def post(tutor: str, status: str, **more: str) -> None:
        answer = client.post("/api/sessions", json={**body, "tutor_id": tutor, "status": status, **more})
        assert answer.status_code == 202

    post("T-9", "scheduled", updated_at="2026-01-30T08:00:00Z")  # inactive
    assert student in need_one()
    post("T-1", "scheduled", updated_at="2026-01-30T09:00:00Z")
    assert student not in need_one()
    post("T-1", "cancelled", updated_at="2026-01-30T10:00:00Z")
    assert student in need_one()


@pytest.mark.parametrize(
    "path",
    [
        "students?needs_tutor=perhaps",
        "students?sort_by=tutor_rating",
        "students?has_capacity=true",
        "students?limit=501",
        "students?search=a%00b",
        "students/S-1?x=1",
        "students/a%00b",
        "tutors?sort_by=email",
        "tutors?is_active=perhaps",
        "tutors/" + "x" * 201,
    ],
)
def test_a_wrong_parameter_is_named(client: httpx2.Client, path: str) -> None:
    errors = problem(client.get(f"/api/matching/{path}"), 400).errors
    assert errors is not None
    assert len(errors) == 1


@pytest.mark.parametrize("person", ["nobody", uuid4(), "%20", "S-1'--"])
@pytest.mark.parametrize("path", PEOPLE)
def test_an_unknown_person_is_a_404(client: httpx2.Client, path: str, person: object) -> None:
    problem(client.get(f"{path}/{person}"), 404)
    problem(client.patch(f"{path}/{person}", json={"preferred_pace": 3}), 404)
    problem(client.get(f"{path}/{person}/matches"), 404)


# ---- changes


def test_a_patch_changes_what_it_names_and_leaves_a_trail(matching: Served, client: httpx2.Client, tutor: str) -> None:
    path = f"/api/matching/tutors/{tutor}"
    before = client.get(path)
    body = {
        "subjects": [" maths ", "physics"],
        "teaching_style": "flexible",
        "preferred_pace": 4,
        "capacity": 6,
        "age": 41,
    }
    response = client.patch(path, json=body)
    assert response.status_code == 200
    assert_is(MatchTutorResponse, response.content)
    data = response.json()["data"]
    assert {name: data[name] for name in body} == {**body, "subjects": ["maths", "physics"]}
    # It was known only from a session; now it is described.
    assert (before.json()["data"]["is_active"], data["is_active"]) == (False, True)
    assert client.get(path).json() == response.json()

    cleared = client.patch(path, json={"capacity": None, "subjects": None, "is_active": False}).json()["data"]
    assert (cleared["capacity"], cleared["subjects"], cleared["is_active"]) == (None, [], False)
    assert (cleared["preferred_pace"], cleared["teaching_style"]) == (4, "flexible")

    actor = f"local-{matching.key.split('_')[1]}"
    assert [(who, action, kind) for who, action, kind, _ in audit(matching, tutor)] == [
        (actor, "tutor.change", "tutor")
    ] * 2
    assert audit(matching, tutor)[1][3] == {"fields": ["capacity", "is_active", "subjects"]}


def test_a_patch_that_changes_nothing_leaves_no_trail(matching: Served, client: httpx2.Client, student: str) -> None:
    path = f"/api/matching/students/{student}"
    version = client.get(path).json()["meta"]["prediction_version"]
    for body in ({}, {"preferred_pace": 2}):
        response = client.patch(path, json=body)
        assert response.status_code == 200
        assert response.json()["meta"]["prediction_version"] == version
    assert [action for _, action, _, _ in audit(matching, student)] == ["student.add"]


def test_matches_say_when_all_pairs_were_predicted(matching: Served, client: httpx2.Client) -> None:
    path = "/api/matching/students/S-1/matches"
    assert client.get(path).json()["meta"]["predicted_at"] is None
    try:
        with matching.database.connect() as connection:
            connection.execute(
                """
                insert into ml.prediction_buckets (bucket, model_version, pairs, possible, run_id, predicted_at)
                select bucket, 'rules-v1', 1, 1, (select max(run_id) from ml.match_runs), predicted_at::timestamptz
                from (values (0, '2026-01-20T10:00Z'), (1, '2026-01-20T11:00Z')) as predicted (bucket, predicted_at)
                """
            )
            connection.execute("update ml.prediction_version set version = version + 1")
        assert client.get(path).json()["meta"]["predicted_at"] == "2026-01-20T11:00:00+00:00"
    finally:
        with matching.database.connect() as connection:
            connection.execute("delete from ml.prediction_buckets")


def test_an_answer_that_was_cached_before_a_change_is_not_used_after_it(client: httpx2.Client, student: str) -> None:
    paths = ("/api/matching/students", f"/api/matching/students/{student}", "/api/matching/students/S-1/matches")
    tags = {path: client.get(path).headers["etag"] for path in paths}
    for path, tag in tags.items():
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    client.patch(f"/api/matching/students/{student}", json={"preferred_pace": 5})
    for path, tag in tags.items():
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("students/S-1", {"preferred_pace": 6}, "preferred_pace"),
        ("students/S-1", {"preferred_pace": 2.5}, "preferred_pace"),
        ("students/S-1", {"preferred_teaching_style": "strict"}, "preferred_teaching_style"),
        ("students/S-1", {"teaching_style": "flexible"}, "teaching_style"),
        ("students/S-1", {"name": "Other"}, "name"),
        ("students/S-1", {"urgency_level": 0}, "urgency_level"),
        ("students/S-1", {"age": True}, "age"),
        ("students/S-1", {"age": "15"}, "age"),
        ("students/S-1", {"subjects": "maths"}, "subjects"),
        ("students/S-1", {"subjects": ["a;b"]}, "subjects.0"),
        ("students/S-1", {"subjects": ["x" * 499] * 21}, "subjects"),
        ("tutors/T-1", {"subjects": [" "]}, "subjects.0"),
        ("tutors/T-1", {"capacity": 1001}, "capacity"),
        ("tutors/T-1", {"is_active": None}, "is_active"),
        ("tutors/T-1", {"age": -1}, "age"),
        ("tutors/T-1", [], "body"),
    ],
)
def test_what_a_patch_does_not_take(client: httpx2.Client, path: str, body: object, field: str) -> None:
    errors = problem(client.patch(f"/api/matching/{path}", json=body), 400).errors
    assert errors is not None
    assert [error.field for error in errors] == [field]


@pytest.mark.parametrize("blank", ["", " ", "\x1c", "\x85", "\u3000"])
def test_an_id_of_nothing_but_space_is_none(client: httpx2.Client, blank: str) -> None:
    problem(client.post("/api/matching/students", json={"student_id": blank}), 400)
    problem(client.post("/api/matching/assignments", json={"student_ids": [blank]}), 400)


def test_the_longest_texts_are_taken_however_they_are_escaped(client: httpx2.Client) -> None:
    body = {"student_id": f"P-{uuid4()}", "name": 500 * "😀", "subjects": 19 * [500 * "😀"]}
    answer = client.post(
        "/api/matching/students",
        content=json.dumps({**body, "learning_goals": 10_000 * "😀"}),
        headers={"Content-Type": JSON},
    )
    assert answer.status_code == 201


def test_a_whole_number_may_be_written_with_a_point(client: httpx2.Client) -> None:
    answer = client.patch("/api/matching/students/S-1", content='{"age": 15.0}', headers={"Content-Type": JSON})
    assert answer.json()["data"]["age"] == 15


def test_a_new_student_can_be_found_and_matched(matching: Served, client: httpx2.Client) -> None:
    body = {
        "student_id": f"P-{uuid4()}",
        "name": " Ottoline Frick ",
        "age": 12,
        "subjects": ["maths"],
        "preferred_teaching_style": "structured",
        "preferred_pace": 2,
        "communication_style": 3,
        "urgency_level": 4,
        "learning_goals": "fractions",
    }
    response = client.post("/api/matching/students", json=body)
    assert response.status_code == 201
    assert_is(MatchStudentResponse, response.content)
    data = response.json()["data"]
    assert data["external_id"] == body["student_id"]
    assert data["student_id"] == str(entity_uuid(str(body["student_id"])))
    assert (data["name"], data["is_active"], data["is_stub"]) == ("Ottoline Frick", True, False)
    assert "learning_goals" not in data
    with matching.database.connect() as connection:
        [(goals,)] = rows(
            connection, "select learning_goals from raw.students where student_id = %s", data["student_id"]
        )
    assert goals == "fractions"
    problem(client.post("/api/matching/students", json=body), 409)
    problem(client.post("/api/matching/students", json={**body, "student_id": data["student_id"], "age": 13}), 409)
    # The log says that somebody was added, and nothing about them.
    [(_, action, _, details)] = audit(matching, str(body["student_id"]))
    assert (action, details) == ("student.add", {"fields": sorted(body.keys() - {"student_id"})})


def test_a_student_known_only_from_a_session_is_described_by_a_post(matching: Served, client: httpx2.Client) -> None:
    name = f"stub-{uuid4()}"
    with matching.database.connect() as connection:
        connection.execute("insert into raw.students (student_id, is_stub) values (%s, true)", (entity_uuid(name),))
    data = client.post("/api/matching/students", json={"student_id": name, "age": 9}).json()["data"]
    assert (data["is_stub"], data["age"], data["external_id"]) == (False, 9, name)


def test_one_of_many_who_add_a_student_succeeds(client: httpx2.Client) -> None:
    body = {"student_id": f"race-{uuid4()}", "age": 12}
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda _: client.post("/api/matching/students", json=body).status_code, range(6)))
    assert sorted(statuses) == [201] + [409] * 5


@pytest.mark.parametrize(
    ("role", "adds", "changes"),
    [(None, 401, 401), (Role.READ, 403, 403), (Role.INGEST, 201, 403), (Role.ADMIN, 201, 200)],
)
def test_who_may_change_people(matching: Served, student: str, role: Role | None, adds: int, changes: int) -> None:
    secret = None
    if role is not None:
        with matching.database.connect() as connection:
            secret = keys.create(connection, f"{role}-{uuid4()}", role).secret
    with matching.client(secret) as client:
        assert client.post("/api/matching/students", json={"student_id": str(uuid4())}).status_code == adds
        assert client.patch(f"/api/matching/students/{student}", json={"age": 15}).status_code == changes


def test_the_last_writer_of_a_column_wins_be_it_a_file_or_a_request(
    matching: Served, client: httpx2.Client, student: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = f"/api/matching/students/{student}"
    client.patch(path, json={"preferred_pace": 5, "urgency_level": 4})
    folder = tmp_path_factory.mktemp("later")
    (folder / "students.csv").write_text(f"student_id,preferred_pace\n{student},1\n")
    load_folder(matching.database.as_role(DatabaseRole.INGEST), folder, timezone="UTC")
    data = client.get(path).json()["data"]
    # A column that the file leaves out is as the request set it.
    assert (data["preferred_pace"], data["urgency_level"]) == (1, 4)
    assert client.patch(path, json={"preferred_pace": 3}).json()["data"]["preferred_pace"] == 3


@pytest.mark.parametrize(
    ("model", "entity"),
    [(StudentPost, STUDENTS_FILE), (StudentPreferences, STUDENTS_FILE), (TutorPreferences, TUTORS_FILE)],
)
def test_bodies_allow_what_landing_files_allow(model: Any, entity: Entity) -> None:
    columns = {column.name: column for column in entity.columns}
    for name, field in model.model_json_schema()["properties"].items():
        column = columns[name]
        shape = next(part for part in field.get("anyOf", [field]) if part.get("type") != "null")
        if column.kind is Kind.INTEGER:
            assert (shape["minimum"], shape["maximum"]) == (column.low, column.high)
        elif column.kind is Kind.CHOICE:
            assert tuple(shape["enum"]) == column.allowed
        elif column.kind in (Kind.TEXT, Kind.ID):
            assert shape["maxLength"] == column.longest
        else:
            assert column.kind in (Kind.TEXTS, Kind.BOOLEAN)
