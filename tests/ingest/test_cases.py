"""Files as people really have them, in `cases/`: what comes of each, and what is said of it.

One line per folder: the rows of each file that came in, that were refused, and that lost a cell; what the summary says,
and whether the command ends with an error. With a mapping, the same folder once more.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.app import app
from core.database import Database
from tests.ingest.conftest import empty_raw

pytestmark = pytest.mark.slow

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """`counts`: by kind, in the order of loading: rows inserted, refused, and left without a cell."""

    folder: str
    counts: tuple[tuple[str, int, int, int], ...]
    said: tuple[str, ...] = ()
    is_error: bool = False
    mapping: str | None = None


SESSION = (("sessions", 1, 0, 0),)
TABLE = [
    Case("e01-calendly", (), ("required columns missing: session_id", "use: calendly"), is_error=True),
    Case("e01-calendly", SESSION, mapping="use: calendly"),
    Case("e02-calcom-mapped", (("sessions", 1, 1, 0),), ("accepted is not one of", "a mapping may say what it means")),
    Case("e02-calcom-mapped", (("sessions", 2, 0, 0), ("reschedules", 0, 0, 0)), mapping="use: calcom"),
    Case("e03-emails-as-ids", (("tutors", 1, 0, 0), ("sessions", 2, 0, 0)), ("(like Ann@Example.org?)",)),
    Case("e04-rails", (("sessions", 5, 0, 0),), ("times in another form than ISO 8601",)),
    Case("e06-excel-resaved", (("sessions", 0, 2, 0),), ("in Excel, set the cell format",), is_error=True),
    Case("e06-excel-resaved", (("sessions", 2, 0, 0),), mapping="sessions: {dates: '%m/%d/%Y %H:%M'}"),
    Case("f02-semicolon", SESSION, ("separated by semicolons",)),
    Case("f03b-sep-comma", SESSION),
    Case("f04-cp1252", (("tutors", 3, 0, 0), ("sessions", 1, 0, 0)), ("CP1252", "Zoë Müller")),
    Case("f06-tsv", SESSION, ("separated by tabs",)),
    Case("f08-zip", (("tutors", 1, 0, 0),), ("sessions.csv.zip was ignored: an archive; unpack it",), is_error=True),
    Case("f09-jsonl", (), ("sessions.jsonl: JSON is not read; save it as CSV",), is_error=True),
    Case("f14-trailing-comma-rows", (("sessions", 2, 0, 0),), ("empty cells at the end of rows do not count",)),
    Case("f16b-dup-unknown", SESSION),
    Case("f17-header-space", SESSION),
    Case("f17c-optional-variant", SESSION),
    Case("f18-names", SESSION * 5, ("session.csv was ignored: did you mean sessions.csv?",), is_error=True),
    Case("f19-spark-dir", (("tutors", 1, 0, 0), ("sessions", 1, 0, 0))),
    Case("f20b-blank-first", SESSION),
    Case("p07-uuid-binary", (("sessions", 2, 0, 0),), ("UUIDs of 16 bytes",)),
    Case("p11-bool-hired", (("tutors", 2, 0, 0),)),
    Case("v01-status-case", (("sessions", 14, 6, 0),), ("words in another spelling", "confirmed is not one of")),
    Case("v03-times", (("sessions", 30, 13, 0),), ("does not say which number is the day",)),
    Case("v04-sentinel-optional", (("sessions", 3, 0, 2),), ("9999-12-31 00:00:00 is not between",)),
    Case("v05-numbers", (("sessions", 17, 0, 15),), ("0 as not given", "1,234 is not a whole number")),
    Case("v06-bools", (("tutors", 11, 5, 0),), ("Active is neither true nor false", "WAHR is neither")),
    Case("v08-subjects", (("tutors", 6, 0, 0),), ("lists with a comma", "lists in JSON", "lists with |")),
    Case("v09-ids-float", (("tutors", 2, 0, 0), ("sessions", 2, 0, 0)), ("whole numbers with .0 behind them",)),
    Case("v11-group", (("sessions", 1, 2, 0),), ("group_lessons: true",)),
    Case("v11-group", (("sessions", 3, 0, 0),), mapping="sessions: {group_lessons: true}"),
    Case("v13-three-moves", (("sessions", 1, 0, 0), ("reschedules", 3, 0, 0))),
    Case("v13b-last-mover", (("sessions", 1, 0, 0), ("reschedules", 3, 0, 0))),
    Case("v14-emails", (("tutors", 5, 0, 2),), ("→ ann@example.org", "is not one e-mail address")),
    Case("v18-nan-parquet", (("sessions", 3, 0, 0),)),
    Case("v20-ends-before-start", (("sessions", 3, 0, 1),), ("2026-11-03T16:01:00Z is after completed_time",)),
]  # fmt: skip


@pytest.fixture
def home(shared_database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    empty_raw(shared_database)
    monkeypatch.setenv("TUTORQ_DATABASE_URL", shared_database.url)
    yield
    empty_raw(shared_database)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case.folder}{' mapped' if case.mapping else ''}")
def test_what_comes_of_a_folder_and_what_is_said(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(CASES / case.folder, folder)
    if case.mapping:
        (folder / "mapping.yml").write_text(case.mapping)
    told = CliRunner().invoke(app, ["load", str(folder)], env={"COLUMNS": "1000"})
    everything = " ".join(told.output.split())
    for said in case.said:
        assert said in everything
    assert (told.exit_code != 0) == case.is_error, told.output
    again = CliRunner().invoke(app, ["load", str(folder), "--json"])
    if not case.counts:
        return
    files = json.loads(again.stdout)["files"]
    found = [(file["entity"], file["unchanged"], file["quarantined"], file["remarks"]) for file in files]
    # Loaded once more, what came in is there, and the rest is refused for the same reasons.
    assert tuple(found) == case.counts


def test_each_folder_has_a_line() -> None:
    assert {case.folder for case in TABLE} == {path.name for path in CASES.iterdir()}
