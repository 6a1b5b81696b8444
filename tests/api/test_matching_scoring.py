"""Predictions made by the API: for people who change, and by a trained model."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx2
import pytest

from core import locks
from ingest.ids import entity_uuid
from ml.features import MATCH
from ml.registry import record
from ml.rules import rules_for
from ml.training import train
from tests.api.conftest import Served, served
from tests.api.matching import ACTIVE_STUDENTS, ACTIVE_TUTORS, everyone, rows, scramble
from tests.ml.conftest import made_up_matches

if TYPE_CHECKING:
    from tests.conftest import Postgres

STORED = """
select student_id, tutor_id, churn_probability, model_version, predicted_at from marts.match_predictions
"""


@pytest.fixture(scope="module")
def api(postgres: "Postgres", people: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("scoring")
    database = postgres.new_database(home, people)
    with served(database, home) as api:
        yield api


@pytest.fixture
def client(api: Served) -> Iterator[httpx2.Client]:
    scramble(api.database)
    with api.client(api.key) as client:
        yield client


def stored(api: Served) -> dict[tuple[Any, Any], Any]:
    with api.database.connect() as connection:
        return {(row[0], row[1]): row[2:] for row in rows(connection, STORED)}


def predicted(client: httpx2.Client, student: str, tutor: str, *, explain: bool = False) -> dict[str, Any]:
    response = client.get(f"/api/matching/predict/{student}/{tutor}", params={"explain": explain})
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


@pytest.mark.parametrize(("path", "person", "place"), [("students/S-3", "S-3", 0), ("tutors/T-3", "T-3", 1)])
def test_a_change_predicts_the_pairs_of_that_person_and_no_others(
    api: Served, client: httpx2.Client, path: str, person: str, place: int
) -> None:
    before = stored(api)
    pace = 1 if client.get(f"/api/matching/{path}").json()["data"]["preferred_pace"] != 1 else 2
    assert client.patch(f"/api/matching/{path}", json={"preferred_pace": pace}).status_code == 200
    after = stored(api)
    assert after.keys() == before.keys()
    changed = {pair for pair in after if after[pair] != before[pair]}
    assert changed == {pair for pair in after if pair[place] == entity_uuid(person)}
    other = "T-1" if place == 0 else "S-1"
    data = predicted(client, *((person, other) if place == 0 else (other, person)))
    assert data["is_stored"] is True
    assert data["pace_mismatch"] == abs(
        pace
        - client.get(f"/api/matching/{'tutors' if place == 0 else 'students'}/{other}").json()["data"]["preferred_pace"]
    )
    with api.database.connect() as connection:
        assert rows(connection, "select count(*) from ml.touched_people") == [(0,)]


def test_many_changes_at_a_time_are_all_followed(api: Served, client: httpx2.Client) -> None:
    def change(i: int) -> int:
        path = f"/api/matching/{'students/S' if i % 2 else 'tutors/T'}-{1 + i // 2}"
        return client.patch(path, json={"communication_style": 5, "age": 20 + i}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, range(12))) == {200}
    with api.database.connect() as connection:
        assert rows(connection, "select count(*) from ml.touched_people") == [(0,)]
    assert predicted(client, "S-1", "T-6")["is_stored"] is True
    assert predicted(client, "S-1", "T-6")["age_mismatch"] == 9


def test_who_leaves_has_no_pairs_and_who_comes_has_all(api: Served, client: httpx2.Client) -> None:
    assert everyone(client, "/api/matching/tutors/T-4/matches")
    client.patch("/api/matching/tutors/T-4", json={"is_active": False})
    assert everyone(client, "/api/matching/tutors/T-4/matches") == []
    client.patch("/api/matching/tutors/T-4", json={"is_active": True})
    found = everyone(client, "/api/matching/tutors/T-4/matches", shares_subject=False)
    assert len(found) == len(ACTIVE_STUDENTS)
    student = f"P-{uuid4()}"
    client.post("/api/matching/students", json={"student_id": student, "preferred_pace": 3})
    found = everyone(client, f"/api/matching/students/{student}/matches")
    assert {row["external_id"] for row in found} == set(ACTIVE_TUTORS)
    assert predicted(client, student, "T-4")["is_stored"] is True
    with api.database.connect() as connection:
        connection.execute("delete from raw.students where student_id = %s", (entity_uuid(student),))


def test_while_all_pairs_are_being_written_a_change_is_answered_and_scored_on_the_spot(
    api: Served, client: httpx2.Client
) -> None:
    before = stored(api)
    with api.database.connect() as writer:
        writer.execute("select pg_advisory_xact_lock_shared(%s)", [locks.PAIRS_WRITE])
        response = client.patch("/api/matching/students/S-5", json={"preferred_pace": 5, "urgency_level": 1})
        assert response.status_code == 200
        assert stored(api) == before
        data = predicted(client, "S-5", "T-5")
        tutor = client.get("/api/matching/tutors/T-5").json()["data"]
        assert data["is_stored"] is False
        assert data["pace_mismatch"] == 5 - tutor["preferred_pace"]
    with api.database.connect() as connection:
        assert rows(connection, "select entity, person_id from ml.touched_people") == [("student", entity_uuid("S-5"))]
    client.patch("/api/matching/students/S-5", json={"preferred_pace": 4})
    assert predicted(client, "S-5", "T-5")["is_stored"] is True


@pytest.fixture
def promoted(api: Served) -> Iterator[str]:
    """The version of a trained model that is the champion while the test runs."""
    trained = train(MATCH, made_up_matches(2000), seed=1, champion=None, rules=rules_for(MATCH))
    version = record(api.settings, api.database, dataclasses.replace(trained, is_promoted=True))
    assert version is not None
    yield version
    with api.database.connect() as connection:
        connection.execute("delete from ml.models")


def test_a_promoted_model_answers_and_explains(api: Served, client: httpx2.Client, promoted: str) -> None:
    # What is stored is by the rules still, and said to be.
    assert predicted(client, "S-1", "T-1")["model"]["kind"] == "rules"
    fresh = predicted(client, "S-1", "T-1", explain=True)
    assert (fresh["is_stored"], fresh["model_version"]) == (False, promoted)
    assert (fresh["model"]["kind"], fresh["model"]["version"]) == ("model", promoted)
    assert fresh["model"]["trained_at"]
    strengths = [abs(each["contribution"]) for each in fresh["explanation"]["contributions"]]
    assert strengths == sorted(strengths, reverse=True)
    names = {each["feature"] for each in fresh["explanation"]["contributions"]}
    assert names <= set(MATCH.names)
    assert names - {"pace_mismatch", "style_mismatch", "communication_mismatch", "age_mismatch"}
    # A changed student is predicted by it, and then both come from the table.
    client.patch("/api/matching/students/S-1", json={"preferred_pace": 3})
    data = predicted(client, "S-1", "T-1", explain=True)
    assert (data["is_stored"], data["model_version"]) == (True, promoted)
    assert data["model"] == fresh["model"]
    again = predicted(client, "S-1", "T-1")
    assert (again["churn_probability"], again["model"]) == (data["churn_probability"], data["model"])


def test_what_another_champion_says_is_no_news_that_is_kept_back(
    api: Served, client: httpx2.Client, promoted: str
) -> None:
    """Explanations follow the champion at once, before anything stored has changed."""
    path = f"/api/matching/predict/{entity_uuid('S-2')}/{entity_uuid('T-1')}?explain=true"
    first = client.get(path)
    assert client.get(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    with api.database.connect() as connection:
        connection.execute("update ml.models set is_champion = false")
    after = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (after.status_code, after.json()["data"]["model_version"]) == (200, "rules-v1")


def test_a_model_that_is_not_in_the_store_leaves_the_answer_to_rules_that_say_so(
    api: Served, client: httpx2.Client, promoted: str
) -> None:
    with api.database.connect() as connection:
        connection.execute(
            "update ml.models set model_version = 'gone', artifact_uri = 'match/gone' where model_version = %s",
            (promoted,),
        )
    before = stored(api)
    data = predicted(client, "S-1", "T-2", explain=True)
    assert data["model"] == {"version": "rules-v1", "kind": "rules", "trained_at": None}
    # Rules must not take the place of what a model has said.
    assert client.patch("/api/matching/students/S-1", json={"preferred_pace": 1}).status_code == 200
    assert stored(api) == before
