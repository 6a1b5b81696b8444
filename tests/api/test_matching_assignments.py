"""Assignments over the API: conditions are kept, mistakes are named, and the answer says what it rests on."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from api.auth import Caller
from api.matching import assignments
from api.matching.schemas.assignments import Assignment, AssignmentRequest
from api.problems import OverloadedError
from core import keys
from core.roles import Role
from ingest.ids import entity_uuid
from ml.assign import NEW_TUTOR_SESSIONS
from tests.api.conftest import Served
from tests.api.matching import ACTIVE_STUDENTS, ACTIVE_TUTORS, everyone
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem

PATH = "/api/matching/assignments"
STUDENTS = ACTIVE_STUDENTS
TUTORS = ACTIVE_TUTORS


@pytest.fixture(scope="module")
def client(matching: Served) -> Iterator[httpx2.Client]:
    with matching.client(matching.key) as client:
        yield client


def assigned(client: httpx2.Client, **body: Any) -> dict[str, Any]:
    response = client.post(PATH, json={"student_ids": STUDENTS, "tutor_ids": TUTORS, **body})
    assert response.status_code == 200, response.text
    assert_is(Assignment, response.content)
    found: dict[str, Any] = response.json()
    return found


def pairs(found: dict[str, Any]) -> set[tuple[str, str]]:
    return {(pair["student_id"], pair["tutor_id"]) for pair in found["pairs"]}


def ids(*named: tuple[str, str]) -> set[tuple[str, str]]:
    return {(str(entity_uuid(student)), str(entity_uuid(tutor))) for student, tutor in named}


def fit(student: dict[str, Any], tutor: dict[str, Any]) -> bool:
    """Whether the two share a subject, or either names none."""
    return not student["subjects"] or not tutor["subjects"] or bool(set(student["subjects"]) & set(tutor["subjects"]))


def test_only_those_who_need_a_tutor_if_asked_for(client: httpx2.Client) -> None:
    needy = {row["student_id"] for row in everyone(client, "/api/matching/students", needs_tutor=True, is_active=True)}
    assert 0 < len(needy) < len(STUDENTS)
    found = assigned(client, student_ids=None, needs_tutor=True)
    assert {each["student_id"] for each in (*found["pairs"], *found["unassigned"])} == needy
    # Those who are named are wanted.
    assert assigned(client, needs_tutor=True)["students"] == len(STUDENTS)


def test_everybody_is_assigned_or_told_why_not(client: httpx2.Client) -> None:
    found = assigned(client)
    everybody = [pair["student_id"] for pair in found["pairs"]] + [one["student_id"] for one in found["unassigned"]]
    assert sorted(everybody) == sorted(str(entity_uuid(name)) for name in STUDENTS)
    students = {row["student_id"]: row for row in everyone(client, "/api/matching/students")}
    tutors = {row["tutor_id"]: row for row in everyone(client, "/api/matching/tutors")}
    taken = Counter(pair["tutor_id"] for pair in found["pairs"])
    for tutor_id, count in taken.items():
        free = tutors[tutor_id]["free_capacity"]
        assert count <= (1 if free is None else free)
    for pair in found["pairs"]:
        student, tutor = students[pair["student_id"]], tutors[pair["tutor_id"]]
        assert fit(student, tutor)
        assert (pair["student_name"], pair["tutor_name"]) == (student["name"], tutor["name"])
        one = client.get(f"/api/matching/predict/{pair['student_id']}/{pair['tutor_id']}").json()["data"]
        for name in ("churn_probability", "risk_level", "compatibility_score"):
            assert pair[name] == one[name]
        assert (pair["tutor_attention"], pair["tutor_concerns"]) == (tutor["attention"], tutor["concerns"])
    assert found["unassigned"]
    for one in found["unassigned"]:
        student = students[one["student_id"]]
        assert (one["student_name"], one["external_id"]) == (student["name"], student["external_id"])
        assert one["subjects"] == student["subjects"]
        assert one["why"] == "places_taken"
        assert one["reason"] == assignments.WHY_NOBODY["places_taken"]
    assert (found["students"], found["tutors"], found["model_version"]) == (len(STUDENTS), len(TUTORS), "rules-v1")
    total = sum(pair["churn_probability"] for pair in found["pairs"])
    assert found["expected_churn"]["assigned"] == pytest.approx(total)
    assert found["students_with_tutor"]["assigned"] == len(found["pairs"])
    for other in ("greedy", "random"):
        better = found["students_with_tutor"]["assigned"] - found["students_with_tutor"][other]
        assert better > 0 or found["expected_churn"]["assigned"] <= found["expected_churn"][other] + 1e-9


def test_each_pair_has_its_place_among_the_tutors_who_fit(client: httpx2.Client) -> None:
    found = assigned(
        client, fixed=[{"student_id": "S-1", "tutor_id": "T-3"}], capacities=[{"tutor_id": "T-3", "capacity": 1}]
    )
    students = {row["student_id"]: row for row in everyone(client, "/api/matching/students")}
    tutors = [row for row in everyone(client, "/api/matching/tutors", is_active=True) if row["external_id"] in TUTORS]
    for pair in found["pairs"]:
        student = students[pair["student_id"]]
        fitting = [row for row in tutors if fit(student, row) or row["tutor_id"] == pair["tutor_id"]]
        assert pair["rank_of"] == len(fitting)
        chances = [
            client.get(f"/api/matching/predict/{student['student_id']}/{row['tutor_id']}").json()["data"]
            for row in fitting
        ]
        lower = sum(each["churn_probability"] < pair["churn_probability"] for each in chances)
        assert pair["rank"] == lower + 1
    [fixed] = [pair for pair in found["pairs"] if pair["is_fixed"]]
    assert fixed["rank_of"] == 5  # T-1, T-4, T-7 of geography, T-8 of no subject, and T-3, who teaches others


def test_the_audit_log_tells_who_asked(client: httpx2.Client) -> None:
    found = assigned(client)
    entry = client.get("/api/audit?action=assignment.compute&limit=1").json()["data"][0]
    assert entry["actor"].startswith("local-")
    assert entry["details"] == {
        "assigned": len(found["pairs"]),
        "unassigned": len(found["unassigned"]),
        "model": "rules-v1",
    }


def test_by_default_all_who_are_active(client: httpx2.Client) -> None:
    found = client.post(PATH, json={}).json()
    assert found["students"] == client.get("/api/matching/students?is_active=true").json()["meta"]["total"]
    assert found["tutors"] == client.get("/api/matching/tutors?is_active=true").json()["meta"]["total"]


def test_fixed_and_forbidden_pairs_and_given_capacities(client: httpx2.Client) -> None:
    capacities = [{"tutor_id": tutor, "capacity": 2} for tutor in TUTORS]
    free = assigned(client, capacities=capacities)
    assert len(free["pairs"]) == len(STUDENTS)
    # Another subject, which only a fixed pair may have.
    fixed = {"student_id": "S-1", "tutor_id": "T-3"}
    [forbidden] = [pair for pair in free["pairs"] if pair["student_id"] == str(entity_uuid("S-2"))]
    found = assigned(
        client,
        capacities=capacities,
        fixed=[fixed],
        forbidden=[{"student_id": "S-2", "tutor_id": forbidden["tutor_id"]}],
    )
    assert ids(("S-1", "T-3")) <= pairs(found)
    assert not pairs(found) & {("S-2", forbidden["tutor_id"]), (forbidden["student_id"], forbidden["tutor_id"])}
    [pair] = [pair for pair in found["pairs"] if pair["is_fixed"]]
    assert pair["reasons"][0] == assignments.ON_REQUEST
    assert max(Counter(pair["tutor_id"] for pair in found["pairs"]).values()) <= 2


def test_subjects_may_be_left_out_of_account(client: httpx2.Client) -> None:
    body = {"student_ids": ["S-1"], "tutor_ids": ["T-3"]}  # geography, and maths with physics
    [nobody] = assigned(client, **body)["unassigned"]
    assert (nobody["why"], nobody["reason"]) == ("no_eligible_tutor", assignments.WHY_NOBODY["no_eligible_tutor"])
    same = {"student_ids": ["S-2"], "tutor_ids": ["T-3"]}
    full = assigned(client, **same, capacities=[{"tutor_id": "T-3", "capacity": 0}])
    assert [one["why"] for one in full["unassigned"]] == ["no_capacity"]
    pair = {"student_id": "S-2", "tutor_id": "T-3"}
    forbidden = assigned(client, **same, capacities=[{"tutor_id": "T-3", "capacity": 1}], forbidden=[pair])
    assert [one["why"] for one in forbidden["unassigned"]] == ["forbidden"]
    assert pairs(assigned(client, **body, require_subject=False)) == ids(("S-1", "T-3"))
    # Without subjects of one's own, everybody fits.
    assert pairs(assigned(client, student_ids=["S-12"], tutor_ids=["T-3"])) == ids(("S-12", "T-3"))


def test_exploration_and_the_same_again(client: httpx2.Client) -> None:
    sessions = {row["tutor_id"]: row["tutor_sessions_90d"] for row in everyone(client, "/api/matching/tutors")}
    body = {
        "capacities": [{"tutor_id": tutor, "capacity": 3} for tutor in TUTORS],
        "exploration_share": 0.5,
        "seed": 7,
        "require_subject": False,
    }
    found = assigned(client, **body)
    explored = [pair for pair in found["pairs"] if pair["is_exploration"]]
    new = {tutor for tutor in map(str, map(entity_uuid, TUTORS)) if sessions[tutor] < NEW_TUTOR_SESSIONS}
    assert {pair["tutor_id"] for pair in explored} <= new
    assert len(explored) == min(round(len(STUDENTS) / 2), 3 * len(new))
    assert all(pair["reasons"][0] == assignments.EXPLORATION for pair in explored)
    again = assigned(client, **body)
    said_once = {"seconds": 0, "plan_id": None}
    assert {**again, **said_once} == {**found, **said_once}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"student_ids": ["S-1", "nobody"]}, "student_ids.1"),
        ({"tutor_ids": ["T-9"]}, "tutor_ids.0"),  # inactive
        ({"tutor_ids": [" "]}, "tutor_ids.0"),
        ({"capacities": [{"tutor_id": "T-77", "capacity": 1}]}, "capacities.0.tutor_id"),
        ({"capacities": [{"tutor_id": "T-1", "capacity": -1}]}, "capacities.0.capacity"),
        ({"fixed": [{"student_id": "S-77", "tutor_id": "T-1"}]}, "fixed.0.student_id"),
        ({"fixed": [{"student_id": "S-1", "tutor_id": "T-77"}]}, "fixed.0.tutor_id"),
        ({"forbidden": [{"student_id": "S-77", "tutor_id": "T-1"}]}, "forbidden.0.student_id"),
        ({"fixed": [{"student_id": "S-1", "tutor_id": "T-1", "why": "x"}]}, "fixed.0.why"),
        (
            {
                "fixed": [{"student_id": "S-1", "tutor_id": "T-1"}],
                "forbidden": [{"student_id": str(entity_uuid("S-1")), "tutor_id": "T-1"}],
                "capacities": [{"tutor_id": "T-1", "capacity": 1}],
            },
            "fixed.0",
        ),
        (
            {
                "fixed": [{"student_id": "S-1", "tutor_id": "T-1"}, {"student_id": "S-1", "tutor_id": "T-2"}],
                "capacities": [{"tutor_id": tutor, "capacity": 1} for tutor in ("T-1", "T-2")],
            },
            "fixed.1.student_id",
        ),
        (
            {
                "fixed": [{"student_id": student, "tutor_id": "T-1"} for student in ("S-1", "S-2")],
                "capacities": [{"tutor_id": "T-1", "capacity": 1}],
            },
            "fixed.1.tutor_id",
        ),
        ({"exploration_share": 1.5}, "exploration_share"),
        ({"seed": -1}, "seed"),
        ({"colour": "red"}, "colour"),
        ({"student_ids": ["S-1"] * 10_001}, "student_ids"),
    ],
)
def test_a_mistake_is_named(client: httpx2.Client, body: dict[str, Any], field: str) -> None:
    errors = problem(client.post(PATH, json=body), 400).errors
    assert errors is not None
    assert [error.field for error in errors] == [field]


def test_nobody_to_assign_is_an_empty_answer(client: httpx2.Client) -> None:
    assert assigned(client, student_ids=[])["pairs"] == []
    found = assigned(client, tutor_ids=[])
    assert (found["pairs"], len(found["unassigned"])) == ([], len(STUDENTS))


@pytest.mark.parametrize(
    ("bound", "value"),
    [
        ("MOST_PAIRS", len(STUDENTS) * len(TUTORS) - 1),
        ("MOST_CELLS", 10),
        ("MOST_STUDENTS", len(STUDENTS) - 1),
        ("MOST_TUTORS", len(TUTORS) - 1),
    ],
)
def test_too_many_are_refused(client: httpx2.Client, monkeypatch: pytest.MonkeyPatch, bound: str, value: int) -> None:
    monkeypatch.setattr(assignments, bound, value)
    assert problem(client.post(PATH, json={}), 400).detail.startswith("Too many for one request")


def test_who_waits_too_long_for_others_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignments, "PATIENCE_SECONDS", 0.01)

    async def work() -> None:
        busy: Any = assignments.Assignments(None, None, 30)  # type: ignore[arg-type]
        async with AsyncExitStack() as stack:
            for at in range(assignments.AT_A_TIME):
                await stack.enter_async_context(busy._computed.turn(Caller(at, "other", Role.READ), 1))
            with pytest.raises(OverloadedError):
                await busy.assign(AssignmentRequest(), Caller(-1, "late", Role.READ))

    asyncio.run(work())


@pytest.mark.parametrize(("role", "status"), [(None, 401), (Role.READ, 200), (Role.INGEST, 403), (Role.ADMIN, 200)])
def test_readers_may_ask(matching: Served, role: Role | None, status: int) -> None:
    secret = None
    if role is not None:
        with matching.database.connect() as connection:
            secret = keys.create(connection, f"assignments-{role}", role).secret
    with matching.client(secret) as client:
        assert client.post(PATH, json={"student_ids": STUDENTS}).status_code == status
