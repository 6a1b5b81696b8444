"""Who may stop: of one tutor, in the list of all, and never on the tutor's own page."""

from collections.abc import Iterator

import httpx2
import pytest

from api.attrition.schemas import TutorAttritionResponse
from tests.api.appeals import own_page
from tests.api.conftest import Served
from tests.api.matching import everyone
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem

CHANCES = {"T-1": 0.41, "T-2": 0.2, "T-3": 0.05}
FACTORS = """[
    {"feature": "days_since_session", "value": 12, "effect": 0.8},
    {"feature": "of_a_later_version", "value": null, "effect": -0.3}
]"""


@pytest.fixture(scope="module")
def client(matching: Served) -> Iterator[httpx2.Client]:
    with matching.database.connect() as connection:
        for tutor, chance in CHANCES.items():
            connection.execute(
                "insert into ml.tutor_predictions (tutor_id, stop_probability, factors, model_version, as_of) "
                "select tutor_id, %s, %s, 'attrition-1', '2026-01-31' from raw.tutors where external_id = %s",
                [chance, FACTORS, tutor],
            )
        connection.execute("update ml.prediction_version set version = version + 1")
    with matching.client(matching.key) as client:
        yield client


def test_one_tutor(client: httpx2.Client) -> None:
    response = client.get("/api/tutors/T-1/attrition")
    assert_is(TutorAttritionResponse, response.content)
    found = response.json()["data"]
    assert (found["stop_probability"], found["level"]) == (pytest.approx(0.41), "high")
    assert (found["as_of"], found["model_version"]) == ("2026-01-31", "attrition-1")
    assert [(each["label"], each["value"], each["effect"]) for each in found["factors"]] == [
        ("days since the last session held", 12, 0.8),
        ("of a later version", None, -0.3),
    ]
    assert client.get("/api/tutors/T-2/attrition").json()["data"]["level"] == "medium"
    without = client.get("/api/tutors/T-4/attrition").json()
    assert (without["data"], without["meta"]["is_predicted"]) == (None, True)
    problem(client.get("/api/tutors/nobody/attrition"), 404)


def test_the_list_by_who_may_stop(client: httpx2.Client) -> None:
    found = everyone(client, "/api/tutors", sort_by="stop_probability")
    chances = {row["external_id"]: row["stop_probability"] for row in found}
    assert list(chances)[:3] == ["T-1", "T-2", "T-3"]
    assert [chances[tutor] for tutor in CHANCES] == pytest.approx(list(CHANCES.values()))
    assert {chance for tutor, chance in chances.items() if tutor not in CHANCES} == {None}


def test_answers_are_revalidated_by_the_predictions_too(matching: Served, client: httpx2.Client) -> None:
    for path in ("/api/tutors", "/api/tutors/T-1/attrition"):
        before = client.get(path)
        same = client.get(path, headers={"If-None-Match": before.headers["etag"]})
        assert same.status_code == 304
        with matching.database.connect() as connection:
            connection.execute("update ml.prediction_version set version = version + 1")
        after = client.get(path, headers={"If-None-Match": before.headers["etag"]})
        assert after.status_code == 200


def test_the_tutors_own_page_has_none_of_it(matching: Served, client: httpx2.Client) -> None:
    with matching.database.connect() as connection:
        row = connection.execute("select tutor_id from raw.tutors where external_id = 'T-1'").fetchone()
    assert row is not None
    with own_page(matching, row[0]) as own:
        page = own.get("/my")
        assert page.status_code == 200
        assert "stop" not in page.text.lower()
        assert "41%" not in page.text
        # Nor does the page's cookie open the API.
        assert own.get("/api/tutors/T-1/attrition").status_code == 401


def test_before_the_first_predictions(matching: Served, client: httpx2.Client) -> None:
    with matching.database.connect() as connection:
        predicted = connection.execute(
            "delete from ml.tutor_predictions returning tutor_id, stop_probability, factors::text, model_version, as_of"
        ).fetchall()
        connection.execute("update ml.prediction_version set version = version + 1")
    try:
        found = client.get("/api/tutors/T-1/attrition").json()
    finally:
        with matching.database.connect() as connection:
            for row in predicted:
                connection.execute(
                    "insert into ml.tutor_predictions (tutor_id, stop_probability, factors, model_version, as_of) "
                    "values (%s, %s, %s, %s, %s)",
                    row,
                )
            connection.execute("update ml.prediction_version set version = version + 1")
    assert (found["data"], found["meta"]["is_predicted"]) == (None, False)
