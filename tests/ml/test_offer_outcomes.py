"""What became of offers, from sessions in Postgres; and the estimates from there, against those without a database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from benchmarks.policy import IDS, PLACES, visits, weeks_of, what_comes
from core import dbt_runner
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import Settings
from ml.offer_outcomes import evaluate_offers
from ml.offers import WRITE, Offered, Slate, as_json, draw, lottery_of
from ml.policy import OUTCOMES, POLICIES, evaluate, slates_of
from tests.conftest import Postgres
from tests.marts import DAY

OFFERED_AT = datetime.combine(DAY - timedelta(days=70), datetime.min.time(), UTC).replace(hour=9)
SETTINGS = Settings(offer_days=30)
SESSION = """
insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, booked_at, status)
values (gen_random_uuid(), %s, %s, %s, %s, %s)
"""


def build(database: Database, home: Path) -> None:
    """What outcomes of offers are read from, as of DAY."""
    settings = Settings(home=home, database_url=database.url, as_of=DAY.isoformat())
    dbt_runner.build(settings, database, select=["+int_pairs", "+fct_sessions", "+int_as_of"])


def write(database: Database, slate: Slate, offered_at: datetime = OFFERED_AT) -> None:
    with database.connect() as connection:
        connection.execute(WRITE.format(parameter="%s"), [as_json([slate])])
        connection.execute("update ml.slates set offered_at = %s where slate_id = %s", [offered_at, slate.slate_id])


def slate_of(student: UUID, tutors: Sequence[UUID], **changes: Any) -> Slate:
    slate = Slate(
        slate_id=uuid4(),
        student_id=student,
        subject="maths",
        source="offer",
        plan_id=None,
        policy="model",
        model_version="m-1",
        exploration_share=0,
        lottery=lottery_of("model"),
        seed=1,
        holdout_share=0,
        holdout_week=None,
        is_holdout=False,
        candidates=tutors,
        candidate_churn=[0.2] * len(tutors),
        candidate_rules=[0.2] * len(tutors),
        made_by="test",
        offers=[Offered(place, tutor, 1.0, 0.2) for place, tutor in enumerate(tutors, start=1)],
    )
    return replace(slate, **changes)


@dataclass(frozen=True)
class Told:
    """What is offered to a student, the sessions of the two, and what it comes to: taken, started, continued."""

    what: str
    sessions: Mapping[float, str]  # by days after the offer
    booked: float | None
    expected: tuple[int, int, int]


STORIES = [
    Told("nothing", {}, None, (0, 0, 0)),
    Told("a first session that is followed", {3: "completed", 12: "completed"}, None, (1, 1, 1)),
    Told("a first session that is not", {3: "completed"}, None, (1, 1, 0)),
    Told("followed too late", {3: "completed", 34: "completed"}, None, (1, 1, 0)),
    Told("followed on the last day", {3: "completed", 33: "completed"}, None, (1, 1, 1)),
    Told("held just in time", {29.9: "completed", 31: "completed"}, 29, (1, 1, 1)),
    Told("held too late, booked in time", {31: "completed", 33: "completed"}, 20, (1, 0, 0)),
    Told("booked and held too late", {32: "completed", 33: "completed"}, 31, (0, 0, 0)),
    Told("booked and cancelled", {5: "cancelled"}, 1, (1, 0, 0)),
]
MET_BEFORE = Told("had met before", {-3: "completed", 2: "completed"}, None, (1, 0, 0))


@pytest.fixture(scope="module")
def told(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Each story with a student and a tutor of its own."""
    home = tmp_path_factory.mktemp("told")
    database = postgres.new_database(home)
    with database.connect() as connection:
        for number, story in enumerate([*STORIES, MET_BEFORE]):
            student, tutor = UUID(int=1000 + number), UUID(int=2000 + number)
            connection.execute("insert into raw.tutors (tutor_id) values (%s)", [tutor])
            connection.execute("insert into raw.students (student_id) values (%s)", [student])
            for days, status in story.sessions.items():
                at = OFFERED_AT + timedelta(days=days)
                booked = None if story.booked is None else OFFERED_AT + timedelta(days=story.booked)
                connection.execute(SESSION, [tutor, student, at, booked, status])
    build(database, home)
    return database


@pytest.fixture
def database(told: Database) -> Iterator[Database]:
    yield told
    with told.connect() as connection:
        connection.execute("delete from ml.slates")


def outcomes(database: Database, **more: Any) -> dict[str, Any]:
    return evaluate_offers(SETTINGS, database.as_role(DatabaseRole.TRANSFORM), **more)


@pytest.mark.parametrize("number", range(len(STORIES)), ids=[story.what for story in STORIES])
def test_what_became_of_an_offer(database: Database, number: int) -> None:
    write(database, slate_of(UUID(int=1000 + number), [UUID(int=2000 + number), UUID(int=2999)]))
    [found] = outcomes(database)["observed"]
    assert (found["taken"], found["started"], found["continued"]) == STORIES[number].expected
    assert (found["slates"], found["offers"], found["had_met"]) == (1, 2, 0)


def test_a_pair_that_had_met_is_no_new_one(database: Database) -> None:
    number = len(STORIES)
    write(database, slate_of(UUID(int=1000 + number), [UUID(int=2000 + number)]))
    [found] = outcomes(database)["observed"]
    assert (found["offers"], found["had_met"], found["taken"], found["started"]) == (0, 1, 0, 0)


def test_outcomes_are_known_once_all_days_are_over_and_not_before(database: Database) -> None:
    day = datetime.combine(DAY, datetime.min.time(), UTC)
    for days in (59, 60, 61):
        write(database, slate_of(UUID(int=1001), [UUID(int=2001)]), day - timedelta(days=days))
    found = outcomes(database)
    assert (found["slates"], found["known"], found["known_after_days"]) == (3, 2, 60)
    assert outcomes(database, since=DAY - timedelta(days=60))["known"] == 1
    assert outcomes(database, since=date(2100, 1, 1))["slates"] == 0


def test_what_was_accepted_is_taken_and_assignments_stand_apart(database: Database) -> None:
    assigned = slate_of(
        UUID(int=1000), [UUID(int=2000)], source="assignment", policy="assignment", plan_id=uuid4(), lottery=None,
        candidates=(), candidate_churn=(), candidate_rules=(),
    )  # fmt: skip
    write(database, assigned)
    found = outcomes(database)
    [observed] = found["observed"]
    assert (observed["source"], observed["taken"], observed["started"]) == ("assignment", 1, 0)
    assert {each["reason"] for each in found["estimates"]} == {"there is no offer whose outcome is known yet"}


def test_cells_are_told_apart_by_subject_and_week(database: Database) -> None:
    for number in range(40):
        week = date(2025, 1, 6) + timedelta(weeks=number % 10)
        held_out = number % 20 in (0, 3, 5, 8, 11, 14)
        slate = slate_of(
            UUID(int=1001 if number % 2 else 1000), [UUID(int=2001 if number % 2 else 2000)],
            subject="maths" if number % 20 < 10 else None, holdout_share=0.3, holdout_week=week, is_holdout=held_out,
            policy="rules" if held_out else "model",
        )  # fmt: skip
        write(database, slate)
    started, continued = outcomes(database)["holdout"]
    assert (started["outcome"], continued["outcome"]) == OUTCOMES
    assert (started["cells"], started["slates"]) == ((6, 14), (12, 28))
    assert started["reason"] is None
    assert started["held_out"] == pytest.approx(0.5)
    assert started["others"] == pytest.approx(0.5)
    # They count for no estimate of policies: what they show was drawn for their cell.
    assert outcomes(database)["estimates"][0]["slates"] == 28


def test_marts_that_are_not_there(postgres: Postgres, tmp_path: Path) -> None:
    with pytest.raises(TutorqError, match="run `tutorq score` first"):
        evaluate_offers(SETTINGS, postgres.new_database(tmp_path))


@pytest.mark.slow
def test_estimates_from_the_database_are_those_of_the_same_slates_in_memory(postgres: Postgres, tmp_path: Path) -> None:
    database = postgres.new_database(tmp_path)
    rng, busy, made = np.random.default_rng(11), weeks_of(), []
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("insert into raw.tutors (tutor_id) select unnest(%s::uuid[])", [IDS])
        for number, visit in enumerate(visits(rng, 300)):
            student, lottery = UUID(int=10_000 + number), lottery_of("model", 0.5)
            drawn = draw(visit.among, PLACES, lottery, number)
            starts, goes_on = what_comes(rng, visit, drawn.places, busy)
            cursor.execute("insert into raw.students (student_id) values (%s)", [student])
            shown = [visit.among.tutors[at] for at in drawn.places]
            for at in np.flatnonzero(starts):
                held = OFFERED_AT + timedelta(days=1 + int(at))
                for day in (0, 5) if goes_on[at] else (0,):
                    cursor.execute(SESSION, [shown[at], student, held + timedelta(days=day), None, "completed"])
            slate = slate_of(
                student, visit.among.tutors, lottery=lottery, exploration_share=0.5, seed=number,
                candidate_churn=[float(str(each)) for each in visit.among.churn],
                candidate_rules=[float(str(each)) for each in visit.among.rules],
                offers=[
                    Offered(place, tutor, float(chance), 0.5)
                    for place, (tutor, chance) in enumerate(zip(shown, drawn.propensity, strict=True), start=1)
                ],
            )  # fmt: skip
            cursor.execute(WRITE.format(parameter="%s"), [as_json([slate])])
            made.append(
                {
                    "student_id": student, "lottery": lottery, "shown": drawn.places,
                    "candidate_churn": visit.among.churn, "candidate_rules": visit.among.rules,
                    "started": starts.astype(float), "continued": (starts & goes_on).astype(float),
                }
            )  # fmt: skip
        # A moment apart, so that they come in the order in which they were drawn.
        cursor.execute(
            "update ml.slates set offered_at = %s::timestamptz + seed * interval '1 millisecond'", [OFFERED_AT]
        )
    build(database, tmp_path)
    found = {(each["outcome"], each["policy"], each["against"]): each for each in outcomes(database)["estimates"]}
    slates, told_of = slates_of(made), 0
    for outcome in OUTCOMES:
        for (policy, against), each in evaluate(slates, outcome).items():
            row = found[outcome, policy, against]
            told_of += each.can_tell
            for name in ("estimate", "low", "high", "slates", "students", "effective", "unsupported"):
                assert row[name] == pytest.approx(getattr(each, name), rel=1e-6), (outcome, policy, name)
    assert told_of == 2 * (len(POLICIES) + 3)
