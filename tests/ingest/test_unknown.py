"""Ids that no tutors or students file names are told after a load, beside the known ones that they resemble."""

from pathlib import Path

import pytest

from core.database import Database
from ingest import long_unknown
from ingest.unknown import UnknownId, differ_by_one_letter
from tests.ingest.landed import HEADER, load


@pytest.fixture
def database(raw_database: Database) -> Database:
    return raw_database


def sessions(*tutors: str) -> str:
    lines = [f"x{at},{tutor},S1,2026-11-02T15:00:00Z,completed" for at, tutor in enumerate(tutors)]
    return "\n".join([HEADER, *lines])


@pytest.mark.parametrize(
    ("known", "unknown", "resembles"),
    [
        ("42", "00042", True),
        ("T-Abc", "t-abc", True),
        ("T-Abc", "TABC", True),
        ("Ann@Example.org", "ann@example.org", True),
        ("S 1", "s1", True),
        ("müller", "Müller", True),
        ("anna", "ana", True),
        ("anna", "anne", True),
        ("anna", "nana", True),
        ("T-101", "T-102", False),
        ("12", "123", False),
        ("anna", "bob", False),
    ],
)
def test_what_an_unknown_id_resembles(
    database: Database, tmp_path: Path, known: str, unknown: str, resembles: bool
) -> None:
    files = {"tutors.csv": f"tutor_id\n{known}\nsomebody\n", "sessions.csv": sessions(unknown)}
    tutors, students = load(database, tmp_path, files).unknown_people
    assert (tutors.entity, tutors.count, tutors.are_others_known) == ("tutors", 1, True)
    assert tutors.examples == [UnknownId(unknown, known if resembles else None)]
    assert str(tutors).startswith("1 tutor of sessions is in no tutors file: ")
    assert str(students) == "1 student is known from sessions only; no students file has come"


def test_only_new_ones_are_told_and_ten_at_most(database: Database, tmp_path: Path) -> None:
    many = [f"zz{number:02}" for number in range(30)]
    files = {"tutors.csv": "tutor_id\nann\n", "sessions.csv": sessions("ANN", *many)}
    tutors = load(database, tmp_path, files).unknown_people[0]
    assert tutors.count == 31
    assert tutors.examples[0] == UnknownId("ANN", "ann"), "who resembles somebody comes first"
    assert [each.id for each in tutors.examples[1:]] == many[:9]
    assert load(database, tmp_path, {}).unknown_people == []
    named = load(database, tmp_path / "later", {"tutors.csv": "tutor_id\nANN\n", "sessions.csv": sessions("new")})
    assert [(each.id, each.resembles) for each in named.unknown_people[0].examples] == [("new", None)]


def test_a_file_that_comes_in_the_same_load_makes_them_known(database: Database, tmp_path: Path) -> None:
    load(database, tmp_path / "first", {"sessions.csv": sessions("T1")})
    files = {"tutors.csv": "tutor_id\nT1\n", "sessions.csv": sessions("T1")}
    assert [each.entity for each in load(database, tmp_path / "second", files).unknown_people] == []


def test_who_stays_unknown_is_counted(shared_database: Database, database: Database, tmp_path: Path) -> None:
    load(database, tmp_path, {"sessions.csv": sessions("T1", "T2")})
    with shared_database.connect() as connection:
        for table in ("tutors", "students"):
            connection.execute(f"update raw.{table} set created_at = now() - interval '2 days'".encode())
    load(database, tmp_path, {"tutors.csv": "tutor_id\nT1\n", "sessions.csv": sessions("T1", "T2", "T3")})
    with database.connect() as connection:
        assert long_unknown(connection, "tutors") == 1, "T3 has come today"
        assert long_unknown(connection, "students") == 0, "no file names students here"


@pytest.mark.slow
@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_many_unknown_ones_do_not_hold_a_load_up(database: Database, tmp_path: Path, count: int) -> None:
    """Beside as many known ones: a comparison of each with each would take minutes or hours, not seconds."""
    files = {
        "tutors.csv": "tutor_id\n" + "\n".join(f"known.{number}@example.org" for number in range(count)),
        "sessions.csv": sessions(*(f"other.{number}@example.org" for number in range(count))),
    }
    load(database, tmp_path, files | {"sessions.csv": sessions("T1")})
    tutors = load(database, tmp_path, files).unknown_people[0]
    assert tutors.count == count


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("ab", "ab", False), ("ab", "abc", True), ("abc", "ab", True), ("ab", "ba", True), ("abcd", "acbd", True),
        ("abc", "axc", True), ("abc", "xyz", False), ("a1", "a2", False), ("", "a", True), ("ab", "cd", False),
        ("abcd", "badc", False),
    ],
)  # fmt: skip
def test_one_letter(one: str, other: str, expected: bool) -> None:
    assert differ_by_one_letter(one, other) is expected
    assert differ_by_one_letter(other, one) is expected
