"""The API in `top` mode: pairs that are stored and pairs that are not answer alike."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from api.matching.queries import matches_of_tutor
from api.matching.schemas.predictions import MatchesOfTutorFilters
from core.database import Database, DatabaseRole
from core.settings import Settings
from ingest.ids import entity_uuid
from ml.features import MATCH
from ml.predictions import predict_all
from ml.registry import champion, record
from ml.rules import rules_for
from ml.training import train
from tests.api.conftest import Served, served
from tests.api.matching import ACTIVE_STUDENTS, ACTIVE_TUTORS, everyone, rows
from tests.ml.conftest import made_up_matches

if TYPE_CHECKING:
    from tests.conftest import Postgres


@pytest.fixture(scope="module")
def api(postgres: "Postgres", people: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With a trained model. Lists hold all candidates: who is on none teaches other subjects, or has no free place."""
    home = tmp_path_factory.mktemp("top")
    database = postgres.new_database(home, people)
    with served(database, home, match_pairs="top") as api:
        candidate = train(MATCH, made_up_matches(4_000), seed=1, champion=None, rules=rules_for(MATCH))
        assert record(api.settings, as_runs_do(database), candidate), candidate.reason
        yield api


@pytest.fixture
def client(api: Served) -> Iterator[httpx2.Client]:
    predict(api, "top")
    with api.client(api.key) as client:
        yield client


def as_runs_do(database: Database) -> Database:
    return database.as_role(DatabaseRole.TRANSFORM)


def predict(api: Served, kept: str) -> None:
    settings = Settings.model_validate({**api.settings.model_dump(), "match_pairs": kept})
    predict_all(settings, as_runs_do(api.database), champion(settings, as_runs_do(api.database), "match").model)


def predicted(client: httpx2.Client, student: str, tutor: str, **options: str) -> dict[str, Any]:
    response = client.get(f"/api/matching/predict/{student}/{tutor}", params={"explain": True, **options})
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def test_every_pair_has_the_answer_that_all_pairs_would_give(api: Served, client: httpx2.Client) -> None:
    pairs = [(student, tutor) for student in ACTIVE_STUDENTS for tutor in ACTIVE_TUTORS]
    top = {pair: predicted(client, *pair) for pair in pairs}
    of_maths = {pair: predicted(client, *pair, subject="maths") for pair in pairs}
    predict(api, "all")
    whole = {pair: predicted(client, *pair) for pair in pairs}
    assert {each["is_stored"] for each in whole.values()} == {True}
    stored = {pair for pair in pairs if top[pair]["is_stored"]}
    assert 10 < len(stored) < len(pairs) - 10
    for pair in pairs:
        ignored = {"is_stored", "predicted_at", "explanation"}
        assert {name: value for name, value in top[pair].items() if name not in ignored} == {
            name: value for name, value in whole[pair].items() if name not in ignored
        }
        # Whoever has a free place and shares a subject is on the list here.
        assert top[pair]["explanation"] == whole[pair]["explanation"]
        place = predicted(client, *pair, subject="maths")
        assert [of_maths[pair][name] for name in ("rank", "rank_of")] == [place[name] for name in ("rank", "rank_of")]


def test_lists_have_who_shares_a_subject_and_has_a_free_place(api: Served, client: httpx2.Client) -> None:
    for student in ACTIVE_STUDENTS:
        found = everyone(client, f"/api/matching/students/{student}/matches", shares_subject=False)
        predict(api, "all")
        address = f"/api/matching/students/{student}/matches"
        expected = everyone(client, address, has_capacity=True) or everyone(client, address)
        predict(api, "top")
        assert [row["tutor_id"] for row in found] == [row["tutor_id"] for row in expected]
        assert [row["churn_probability"] for row in found] == [row["churn_probability"] for row in expected]


def test_a_tutors_matches_are_those_on_whose_lists_the_tutor_is(api: Served, client: httpx2.Client) -> None:
    with api.database.connect() as connection:
        stored = rows(connection, "select student_id::text, tutor_id::text from ml.match_predictions")
    for tutor in ACTIVE_TUTORS:
        found = everyone(client, f"/api/matching/tutors/{tutor}/matches", shares_subject=False)
        key = str(entity_uuid(tutor))
        assert {row["student_id"] for row in found} == {student for student, other in stored if other == key}


def test_a_tutors_matches_are_found_by_an_index(api: Served, client: httpx2.Client) -> None:
    """Few rows would be read faster without one, so the planner is asked to avoid that where it can."""
    sql = matches_of_tutor(entity_uuid("T-1"), MatchesOfTutorFilters()).sql
    with api.database.connect() as connection:
        connection.execute("set local enable_seqscan = off")
        text = "\n".join(line for (line,) in connection.execute(f"explain (generic_plan) {sql}".encode()))
    assert "Index Cond: (tutor_id = $1)" in text, text
    assert "Seq Scan on match_predictions" not in text


@pytest.mark.parametrize("path", ["students/S-3", "tutors/T-2"])
def test_a_changed_person_is_followed_at_once(api: Served, client: httpx2.Client, path: str) -> None:
    person = client.get(f"/api/matching/{path}").json()["data"]
    pace = 1 if person["preferred_pace"] != 1 else 5
    assert client.patch(f"/api/matching/{path}", json={"preferred_pace": pace}).status_code == 200
    stored = "select student_id, tutor_id, churn_probability, model_version from marts.match_predictions order by 1, 2"
    with api.database.connect() as connection:
        assert rows(connection, "select count(*) from ml.touched_people") == [(0,)]
        followed = rows(connection, stored)
    predict(api, "top")
    with api.database.connect() as connection:
        assert rows(connection, stored) == followed
    client.patch(f"/api/matching/{path}", json={"preferred_pace": person["preferred_pace"]})
