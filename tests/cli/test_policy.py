"""`tutorq assign --accept` and `tutorq evaluate-policy`."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from cli.policy import verdict
from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from ingest.ids import entity_uuid
from ml.acceptance import Conditions, accept
from ml.plan import plan
from tests.api.matching import people_template
from tests.conftest import Postgres

# It needs marts.
pytestmark = pytest.mark.slow


@pytest.fixture
def database(postgres: Postgres, tmp_path: Path) -> Database:
    return postgres.new_database(tmp_path, people_template(postgres))


@pytest.fixture(autouse=True)
def _in(environment: Settings) -> None:
    """The verbs read the environment."""


def tutorq(*arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == exit_code, result.output
    return result


def answer(*arguments: str) -> Any:
    return json.loads(tutorq(*arguments, "--json").stdout)


def rows(database: Database, query: str) -> list[Any]:
    with database.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def test_an_assignment_is_accepted_from_the_command_line(database: Database) -> None:
    assert answer("assign")["accepted"] is None
    assert rows(database, "select count(*) from ml.slates") == [(0,)]
    found = answer("assign", "--accept", "--capacity", "1", "--fixed", "S-12:T-8")
    assert found["accepted"] == len(found["pairs"]) > 0
    written = rows(
        database,
        "select student_id, tutor_id, churn_probability, policy, propensity, made_by like 'command line (%' "
        "from ml.slates inner join ml.offers using (slate_id) where accepted_at is not null",
    )
    assert {(str(student), str(tutor)) for student, tutor, *_ in written} == {
        (pair["student_id"], pair["tutor_id"]) for pair in found["pairs"]
    }
    by_hand = {row[0] for row in written if row[3:5] == ("by_hand", None)}
    assert by_hand == {entity_uuid("S-12")}
    assert {row[3:] for row in written if row[0] not in by_hand} == {("assignment", 1.0, True)}
    [(details,)] = rows(database, "select details from app.audit_log where action = 'assignment.accept'")
    assert details == {"pairs": len(found["pairs"]), "model": "rules-v1"}
    assert "pairs as offers" in tutorq("assign", "--accept").stdout


def test_places_that_were_given_are_no_longer_free(database: Database) -> None:
    only = ("assign", "--tutor", "T-8", "--capacity", "1")
    assert answer(*only, "--student", "S-12", "--accept")["accepted"] == 1
    assert answer(*only, "--student", "S-1")["unassigned"] == {"S-1": "no_capacity"}
    # For the same student it is the place that they have.
    assert len(answer(*only, "--student", "S-12")["pairs"]) == 1


def test_a_plan_from_before_is_refused_when_its_places_are_gone(database: Database, environment: Settings) -> None:
    def planned(student: str) -> Any:
        return plan(
            environment, database, students=[entity_uuid(student)], tutors=[entity_uuid("T-8")], fixed=[],
            forbidden=[], unknown_capacity=1, require_subject=True, exploration_share=0, seed=0,
        )  # fmt: skip

    first, second = planned("S-1"), planned("S-2")
    conditions = Conditions(1, 0, 0)
    assert accept(environment, database, uuid4(), first, conditions, "somebody") == 1
    with pytest.raises(TutorqError, match=r"too few places by now \(T-8: 0 free, 1 wanted\)"):
        accept(environment, database, uuid4(), second, conditions, "somebody")
    assert rows(database, "select count(*) from ml.slates") == [(1,)]
    with database.connect() as connection:
        connection.execute("update raw.tutors set is_active = false where external_id = 'T-8'")
    with pytest.raises(TutorqError, match="not active any more"):
        accept(environment, database, uuid4(), second, conditions, "somebody")


def test_evaluate_policy_says_why_it_cannot_tell(database: Database) -> None:
    said = tutorq("evaluate-policy").stdout
    assert "0 slates, 0 with a known outcome 60 days after the offer" in said
    assert "cannot tell: there is no offer whose outcome is known yet" in said
    assert "cannot tell: no cell was held out" in said
    assert "Does the model's order help, against that of the rules? Cannot tell: there is no offer" in said
    found = answer("evaluate-policy", "--since", "2026-01-01", "--policy", "rules")
    assert found["since"] == "2026-01-01"
    assert {(each["policy"], each["against"]) for each in found["estimates"]} == {
        ("rules", None), ("model", "rules"), ("offered", "rules"),
    }  # fmt: skip
    assert "'best' is not one of offered, model, rules, chance" in " ".join(
        tutorq("evaluate-policy", "--policy", "best", exit_code=1).output.split()
    )


ESTIMATE = {"outcome": "continued", "policy": "model", "against": "rules", "reason": None, "estimate": 0.1}


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [(0.01, 0.2, "Yes: +0.100"), (-0.3, -0.1, "No, it harms: "), (-0.1, 0.3, "No difference found: ")],
)
def test_the_answer_in_a_sentence(low: float, high: float, says: str) -> None:
    said = verdict([{**ESTIMATE, "low": low, "high": high}])
    assert says in said
    assert f"95%: {low:+.3f} to {high:+.3f}" in said
    assert verdict([{**ESTIMATE, "outcome": "started"}]) == ""
