"""Offers over the API: who may, what is written, and that nothing is written twice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest

from api.offers.schemas import AcceptedAssignment, OfferSlate
from core import keys
from core.database import Database
from core.roles import Role
from ingest.ids import entity_uuid
from ml.offers import Candidates, draw
from tests.api.conftest import Served, served
from tests.api.matching import ACTIVE_STUDENTS, ACTIVE_TUTORS, everyone, rows
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem
from tests.conftest import Postgres

ASSIGNMENTS, ACCEPT = "/api/matching/assignments", "/api/matching/assignments/accept"
OFFERED = """
select place, tutor_id, propensity, churn_probability, accepted_at is not null as is_accepted, accepted_by
from ml.offers where slate_id = %s order by place
"""
SLATE = "select * from ml.slates where slate_id = %s"
HAD_MET = "select tutor_id from raw.sessions where student_id = %s"


@pytest.fixture
def platform(postgres: Postgres, people: str, tmp_path: Path) -> Iterator[Served]:
    """People to be matched, in a database of the test's own."""
    with served(postgres.new_database(tmp_path, people), tmp_path, offer_exploration=0.5) as platform:
        yield platform


@pytest.fixture
def client(platform: Served) -> Iterator[httpx2.Client]:
    with platform.client(platform.key) as client:
        yield client


def offers(client: httpx2.Client, student: str = "S-12", **body: Any) -> dict[str, Any]:
    response = client.post(f"/api/matching/students/{student}/offers", json=body)
    assert response.status_code == 201, response.text
    assert_is(OfferSlate, response.content)
    found: dict[str, Any] = response.json()
    return found


def one(database: Database, query: str, *values: object) -> dict[str, Any]:
    with database.connect() as connection, connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        [row] = cursor.execute(query.encode(), values).fetchall()
    return row


def stored(database: Database, query: str, *values: object) -> list[Any]:
    with database.connect() as connection:
        return rows(connection, query, *values)


def roomy(database: Database) -> None:
    """Tutors have five places each that nobody has."""
    with database.connect() as connection:
        connection.execute("update raw.tutors set capacity = 20 where capacity is not null")


def test_a_slate_is_written_as_it_is_answered(platform: Served, client: httpx2.Client) -> None:
    found = offers(client, count=2, subject="maths")
    slate = one(platform.database, SLATE, found["slate_id"])
    assert (slate["source"], slate["policy"], slate["model_version"]) == ("offer", "model", "rules-v1")
    assert (str(slate["student_id"]), slate["subject"]) == (str(entity_uuid("S-12")), "maths")
    assert slate["made_by"].startswith("local-")
    assert slate["exploration_share"] == found["exploration_share"] == 0.5
    assert slate["lottery"] == {"model": 0.5, "rules": 0.25, "chance": 0.25}
    assert (slate["holdout_share"], slate["holdout_week"], slate["is_holdout"]) == (0, None, False)
    written = stored(platform.database, OFFERED, found["slate_id"])
    answered = [
        (each["place"], UUID(each["tutor_id"]), each["propensity"], each["churn_probability"], False, None)
        for each in found["offers"]
    ]
    assert len(written) == 2
    for row, other in zip(written, answered, strict=True):
        assert row == pytest.approx(other) if row[1] is None else (row[0], row[1]) == other[:2]
        assert (row[2], row[3]) == pytest.approx((other[2], other[3]))
    # The row says all that it was drawn from.
    among = Candidates(
        tuple(slate["candidates"]),
        *(_single(slate[name]) for name in ("candidate_churn", "candidate_rules")),
    )
    again = draw(among, 2, slate["lottery"], slate["seed"])
    assert [str(among.tutors[at]) for at in again.places] == [each["tutor_id"] for each in found["offers"]]
    assert again.propensity.tolist() == pytest.approx([each["propensity"] for each in found["offers"]])


def _single(values: list[float]) -> Any:
    import numpy as np

    return np.array(values, dtype=np.float32)


def test_who_is_offered_teaches_it_is_free_and_has_not_met_the_student(platform: Served, client: httpx2.Client) -> None:
    tutors = {row["tutor_id"]: row for row in everyone(client, "/api/matching/tutors")}
    for student in ("S-1", "S-2", "S-3"):
        about = client.get(f"/api/matching/students/{student}").json()["data"]
        met = {str(tutor) for (tutor,) in stored(platform.database, HAD_MET, entity_uuid(student))}
        assert met
        response = client.post(f"/api/matching/students/{student}/offers", json={"count": 10})
        shown = {each["tutor_id"] for each in response.json().get("offers", [])}
        expected = {
            tutor_id
            for tutor_id, tutor in tutors.items()
            if tutor["is_active"]
            and (tutor["free_capacity"] is None or tutor["free_capacity"] > 0)
            and (not tutor["subjects"] or set(tutor["subjects"]) & set(about["subjects"]))
            and tutor_id not in met
        }
        assert shown == expected
        assert response.status_code == (201 if expected else 409)


def test_churn_is_as_for_the_pair_alone(client: httpx2.Client) -> None:
    found = offers(client, count=5)
    for each in found["offers"]:
        one_pair = client.get(f"/api/matching/predict/S-12/{each['tutor_id']}").json()["data"]
        assert each["churn_probability"] == one_pair["churn_probability"]


def test_the_same_slate_again_under_its_id(platform: Served, client: httpx2.Client) -> None:
    slate_id = str(uuid4())
    first = offers(client, slate_id=slate_id)
    assert [offers(client, slate_id=slate_id) for _ in range(3)] == [first] * 3
    with ThreadPoolExecutor(4) as pool:
        other = str(uuid4())
        at_once = list(pool.map(lambda _: offers(client, slate_id=other)["offers"], range(4)))
    assert at_once == [at_once[0]] * 4
    assert stored(platform.database, "select count(*) from ml.slates") == [(2,)]
    response = client.post("/api/matching/students/S-1/offers", json={"slate_id": slate_id})
    assert "another student" in problem(response, 409).detail
    for other in ({"subject": "needlework"}, {"count": 1}):
        response = client.post("/api/matching/students/S-12/offers", json={"slate_id": slate_id, **other})
        assert "another student, subject or count" in problem(response, 409).detail
    key = {"Idempotency-Key": "offer-1"}
    path = "/api/matching/students/S-12/offers"
    again = [client.post(path, json={}, headers=key).json() for _ in range(2)]
    assert again[0] == again[1]
    assert stored(platform.database, "select count(*) from ml.slates") == [(3,)]


def test_looking_writes_nothing(platform: Served, client: httpx2.Client) -> None:
    client.get("/api/matching/students/S-1/matches")
    client.get("/api/matching/predict/S-1/T-1")
    assert client.post(ASSIGNMENTS, json={}).status_code == 200
    assert stored(platform.database, "select count(*) from ml.slates") == [(0,)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"count": 0}, "count"),
        ({"count": 11}, "count"),
        ({"subject": " "}, "subject"),
        ({"slate_id": "17"}, "slate_id"),
        ({"seed": 1}, "seed"),
    ],
)
def test_a_mistake_in_what_is_asked_for_is_named(client: httpx2.Client, body: dict[str, Any], field: str) -> None:
    errors = problem(client.post("/api/matching/students/S-12/offers", json=body), 400).errors
    assert errors is not None
    assert [error.field for error in errors] == [field]


def test_students_whom_nobody_can_be_offered(client: httpx2.Client) -> None:
    problem(client.post("/api/matching/students/nobody/offers", json={}), 404)
    assert "not active" in problem(client.post("/api/matching/students/S-11/offers", json={}), 409).detail


def test_an_offer_is_accepted_once(platform: Served, client: httpx2.Client) -> None:
    found = offers(client, count=3)
    path = f"/api/matching/offers/{found['slate_id']}/accept"
    chosen, other = found["offers"][1]["tutor_id"], found["offers"][0]["tutor_id"]
    accepted = client.post(path, json={"tutor_id": chosen})
    assert accepted.status_code == 200, accepted.text
    assert_is(OfferSlate, accepted.content)
    assert [each["accepted_at"] is not None for each in accepted.json()["offers"]] == [False, True, False]
    assert client.post(path, json={"tutor_id": chosen}).json() == accepted.json()
    assert "Another tutor" in problem(client.post(path, json={"tutor_id": other}), 409).detail
    problem(client.post(path, json={"tutor_id": "T-nobody"}), 404)
    problem(client.post(f"/api/matching/offers/{uuid4()}/accept", json={"tutor_id": chosen}), 404)
    entries = client.get("/api/audit?action=offer.accept").json()["data"]
    assert [(each["subject_id"], each["details"]) for each in entries] == [(found["slate_id"], {"tutor_id": chosen})]


def test_an_offer_of_a_tutor_who_is_full_by_now_is_not_accepted(platform: Served, client: httpx2.Client) -> None:
    roomy(platform.database)
    found = offers(client, count=3)
    [(tutor, *_), *_] = stored(
        platform.database,
        "select tutor_id from ml.offers inner join raw.tutors using (tutor_id) "
        "where slate_id = %s and capacity is not null",
        found["slate_id"],
    )
    with platform.database.connect() as connection:
        connection.execute("update raw.tutors set capacity = 0 where tutor_id = %s", [tutor])
    refused = client.post(f"/api/matching/offers/{found['slate_id']}/accept", json={"tutor_id": str(tutor)})
    detail = problem(refused, 409).detail
    assert "0 free, 1 wanted" in detail
    assert detail.endswith("Ask for another slate.")


def planned(client: httpx2.Client, **body: Any) -> dict[str, Any]:
    response = client.post(ASSIGNMENTS, json={"student_ids": ACTIVE_STUDENTS, "tutor_ids": ACTIVE_TUTORS, **body})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    assert found["pairs"]
    return found


def acceptance(plan: dict[str, Any], **more: Any) -> dict[str, Any]:
    names = ("student_id", "tutor_id", "churn_probability", "is_fixed")
    return {
        "plan_id": plan["plan_id"],
        "model_version": plan["model_version"],
        "pairs": [{name: pair[name] for name in names} for pair in plan["pairs"]],
        **more,
    }


def test_an_assignment_is_accepted_once(platform: Served, client: httpx2.Client) -> None:
    plan = planned(client)
    response = client.post(ACCEPT, json=acceptance(plan))
    assert response.status_code == 200, response.text
    assert_is(AcceptedAssignment, response.content)
    assert response.json() == {"plan_id": plan["plan_id"], "pairs": len(plan["pairs"]), "is_new": True}
    with ThreadPoolExecutor(3) as pool:
        again = list(pool.map(lambda _: client.post(ACCEPT, json=acceptance(plan)).json(), range(3)))
    assert again == [{**response.json(), "is_new": False}] * 3
    written = stored(
        platform.database,
        "select student_id, tutor_id, propensity, policy, source, accepted_by = made_by, plan_id::text "
        "from ml.slates inner join ml.offers using (slate_id)",
    )
    assert {(str(row[0]), str(row[1])) for row in written} == {
        (pair["student_id"], pair["tutor_id"]) for pair in plan["pairs"]
    }
    assert {row[2:] for row in written} == {(1.0, "assignment", "assignment", True, plan["plan_id"])}
    entries = client.get("/api/audit?action=assignment.accept").json()["data"]
    assert [(each["subject_id"], each["details"]) for each in entries] == [
        (plan["plan_id"], {"pairs": len(plan["pairs"]), "model": "rules-v1"})
    ]
    fewer = acceptance(plan, pairs=acceptance(plan)["pairs"][1:])
    if fewer["pairs"]:
        assert "Other pairs" in problem(client.post(ACCEPT, json=fewer), 409).detail


def test_with_exploration_or_by_hand_nobody_knows_how_probable_it_was(platform: Served, client: httpx2.Client) -> None:
    roomy(platform.database)
    fixed = {"student_id": "S-12", "tutor_id": "T-1"}
    plan = planned(client, fixed=[fixed], exploration_share=0.2)
    body = acceptance(plan, exploration_share=0.2)
    assert client.post(ACCEPT, json=body).status_code == 200
    written = stored(
        platform.database,
        "select student_id, policy, propensity from ml.slates inner join ml.offers using (slate_id)",
    )
    assert {propensity for *_, propensity in written} == {None}
    assert {policy for student, policy, _ in written if student == entity_uuid("S-12")} == {"by_hand"}
    assert {policy for student, policy, _ in written if student != entity_uuid("S-12")} == {"assignment"}


def test_places_that_were_given_are_taken_until_a_session_shows_it(platform: Served, client: httpx2.Client) -> None:
    plan = planned(client, student_ids=["S-12"], tutor_ids=["T-8"])  # of unknown capacity: one place by default
    assert client.post(ACCEPT, json=acceptance(plan)).status_code == 200
    # Lea's place is spoken for: no plan gives it away, and none from before can be accepted.
    later = client.post(ASSIGNMENTS, json={"student_ids": ["S-1"], "tutor_ids": ["T-8"]}).json()
    assert [each["why"] for each in later["unassigned"]] == ["no_capacity"]
    pair = {"student_id": "S-1", "tutor_id": "T-8", "churn_probability": 0.3}
    body = {"plan_id": str(uuid4()), "model_version": "rules-v1", "pairs": [pair]}
    detail = problem(client.post(ACCEPT, json=body), 409).detail
    assert detail.startswith("Tutors have too few places by now (T-8: 0 free, 1 wanted)")
    assert client.post(ACCEPT, json={**body, "default_capacity": 2}).status_code == 200
    # Somebody who has a tutor since does not need one, until the acceptance is too old.
    ask = {"needs_tutor": True}
    everybody = client.post(ASSIGNMENTS, json=ask).json()["students"]
    with platform.database.connect() as connection:
        connection.execute("update ml.offers set accepted_at = now() - interval '31 days'")
    assert client.post(ASSIGNMENTS, json=ask).json()["students"] > everybody
    again = client.post(ASSIGNMENTS, json={"student_ids": ["S-1"], "tutor_ids": ["T-8"]}).json()
    assert len(again["pairs"]) == 1


def test_of_two_at_once_one_gets_the_place(client: httpx2.Client) -> None:
    def take(student: str) -> int:
        pair = {"student_id": student, "tutor_id": "T-8", "churn_probability": 0.3}
        return client.post(
            ACCEPT, json={"plan_id": str(uuid4()), "model_version": "rules-v1", "pairs": [pair]}
        ).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(take, ["S-1", "S-2", "S-3", "S-4"])) == [200, 409, 409, 409]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"pairs": []}, "pairs"),
        ({"plan_id": "x"}, "plan_id"),
        ({"model_version": ""}, "model_version"),
        ({"pairs": [{"student_id": "S-11", "tutor_id": "T-8", "churn_probability": 0.1}]}, "pairs.0.student_id"),
        ({"pairs": [{"student_id": "S-1", "tutor_id": "T-9", "churn_probability": 0.1}]}, "pairs.0.tutor_id"),
        ({"pairs": [{"student_id": "S-1", "tutor_id": "T-8", "churn_probability": 2}]}, "pairs.0.churn_probability"),
        (
            {
                "pairs": [
                    {"student_id": "S-1", "tutor_id": "T-8", "churn_probability": 0.1},
                    {"student_id": str(entity_uuid("S-1")), "tutor_id": "T-7", "churn_probability": 0.1},
                ]
            },
            "pairs.1.student_id",
        ),
    ],
)
def test_a_mistake_in_what_is_accepted_is_named(client: httpx2.Client, changes: dict[str, Any], field: str) -> None:
    pair = {"student_id": "S-1", "tutor_id": "T-8", "churn_probability": 0.1}
    body = {"plan_id": str(uuid4()), "model_version": "rules-v1", "pairs": [pair], **changes}
    errors = problem(client.post(ACCEPT, json=body), 400).errors
    assert errors is not None
    assert [error.field for error in errors] == [field]


@pytest.mark.parametrize(("role", "status"), [(None, 401), (Role.READ, 403), (Role.INGEST, 201), (Role.ADMIN, 201)])
def test_who_writes_may_offer_and_accept(platform: Served, role: Role | None, status: int) -> None:
    secret = None
    if role is not None:
        with platform.database.connect() as connection:
            secret = keys.create(connection, f"offers-{role}", role).secret
    pair = {"student_id": "S-1", "tutor_id": "T-8", "churn_probability": 0.1}
    body = {"plan_id": str(uuid4()), "model_version": "rules-v1", "pairs": [pair]}
    with platform.client(secret) as client:
        offered = client.post("/api/matching/students/S-12/offers", json={})
        assert offered.status_code == status
        expected = 200 if status == 201 else status
        assert client.post(ACCEPT, json=body).status_code == expected
        if status == 201:
            slate = offered.json()
            chosen = {"tutor_id": next(each["tutor_id"] for each in slate["offers"] if each["external_id"] != "T-8")}
            path = f"/api/matching/offers/{slate['slate_id']}/accept"
            assert client.post(path, json=chosen).status_code == 200


def test_cells_that_are_held_out_get_the_order_of_the_rules(postgres: Postgres, people: str, tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path, people)
    with (
        served(database, tmp_path, offer_holdout=0.5, offer_exploration=0.3) as platform,
        platform.client(platform.key) as client,
    ):
        found = {subject: offers(client, subject=subject) for subject in map("s{}".format, range(24))}
        again = {subject: offers(client, subject=subject)["is_holdout"] for subject in found}
    assert {subject: slate["is_holdout"] for subject, slate in found.items()} == again
    assert set(again.values()) == {True, False}
    for slate in found.values():
        held_out = slate["is_holdout"]
        assert (slate["policy"], slate["exploration_share"]) == (("rules", 0) if held_out else ("model", 0.3))
        if held_out:
            assert {each["propensity"] for each in slate["offers"]} == {1}
    written = stored(database, "select distinct holdout_share, extract(isodow from holdout_week)::int from ml.slates")
    assert written == [(0.5, 1)]
