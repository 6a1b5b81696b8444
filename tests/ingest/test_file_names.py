"""What files are called: loaded, or left alone and named with the way out."""

from pathlib import Path

import pytest

from core.database import Database
from core.errors import TutorqError
from ingest.files import entity_of, is_landing_file, other
from tests.ingest.landed import HEADER, SESSION, load, rows, session_ids


@pytest.fixture
def database(raw_database: Database) -> Database:
    return raw_database


@pytest.mark.parametrize(
    "name",
    [
        "sessions.csv", "Sessions.CSV", "SESSIONS.2026-01.csv", "sessions (1).csv",
        "sessions-2026-01.csv", "sessions_2026-01.csv", "sessions_2026.csv", "sessions2026.csv",
        "sessions 2026-01-31.csv",
        "Copy of sessions.csv", "sessions - Copy.csv", "sessions - Copy (2).csv",
        "sessions_export_20260131T101500Z.csv",
        "sessions-part-0001.csv.gz", "sessions.v2.parquet", "sessions_jan_2026.xlsx", "sessions.tsv", "sessions.tsv.gz",
        "sessions-2026-W05.csv", "sessions_2026_Q1.csv", "sessions.anything at all.csv",
    ],
)  # fmt: skip
def test_names_of_sessions(name: str) -> None:
    assert entity_of(Path(name)).name == "sessions"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("session.csv", "did you mean sessions.csv?"),
        ("lessons.csv", "did you mean sessions.csv?"),
        ("export_sessions.csv", "did you mean sessions.csv?"),
        ("StudentLessons.csv", "did you mean sessions.csv?"),
        ("sessions_summary.csv", "did you mean sessions.csv?"),
        ("sesions.csv.gz", "did you mean sessions.csv.gz?"),
        ("reschedule.csv", "did you mean reschedules.csv?"),
        ("teachers.xlsx", "did you mean tutors.xlsx?"),
        ("Pupils.parquet", "did you mean students.parquet?"),
        ("sessions.csv.zip", "an archive; unpack it"),
        ("sessions.jsonl", "JSON is not read; save it as CSV"),
        ("sessions.xls", "this kind of sheet is not read; save it as .xlsx or CSV"),
        ("tutors.ods", "this kind of sheet is not read; save it as .xlsx or CSV"),
        ("sessions.avro", "this format is not read; save it as Parquet or CSV"),
        ("sessions.pq", "name it sessions.parquet"),
        ("sessions.txt", "name it sessions.csv"),
        ("sessions.csv.bz2", "compressed in a way that is not read; use gzip, such as sessions.csv.gz"),
        ("sessions.csv.part", "by its name, it has not arrived completely"),
        ("README.txt", ""),
        ("mapping.yml", ""),
        ("data.csv", ""),
        ("sessions", ""),
    ],
)
def test_other_names(name: str, why: str) -> None:
    assert not is_landing_file(Path(name))
    found = other(name)
    assert (found.why, found.entity is not None) == (why, bool(why))


def test_a_name_that_is_almost_endless_is_told_apart_at_once() -> None:
    assert not is_landing_file(Path("sessions" + "-1" * 120 + "!.csv"))
    assert not is_landing_file(Path("sessions" + "1" * 240 + "!.csv"))


def test_the_order_of_names_does_not_change_the_result(database: Database, tmp_path: Path) -> None:
    def version(name: str, status: str, day: str) -> str:
        return f"{HEADER},updated_at\n{name},T1,S1,2026-11-02,{status},{day}\n"

    files = {
        "sessions.csv": version("x1", "no_show", "2026-11-04"),
        "sessions (1).csv": version("x1", "completed", "2026-11-05"),
        "sessions-2026-01.csv": version("x1", "cancelled", "2026-11-03"),
        "Sessions.2.CSV": version("x2", "completed", ""),
    }
    summary = load(database, tmp_path, files)
    assert [file.source for file in summary.files] == sorted(files)
    assert rows(database, "select external_id, status from raw.sessions order by 1") == [
        ("x1", "completed"), ("x2", "completed"),
    ]  # fmt: skip


def test_folders_of_months_are_part_of_the_folder(database: Database, tmp_path: Path) -> None:
    places = ("2026-02/", "2026-01/", "year=2026/month=03/", "2025/12/31/", "dt=2026-01-05/", "")
    files = {f"{place}sessions.csv": SESSION.replace("x1", f"x{at}") for at, place in enumerate(places)}
    others = {"archive/sessions.csv": SESSION, "truth/notes.md": "", "sessions/2026.csv": SESSION}
    summary = load(database, tmp_path, files | others)
    assert [file.source for file in summary.files] == [
        "2025/12/31/sessions.csv", "2026-01/sessions.csv", "2026-02/sessions.csv", "dt=2026-01-05/sessions.csv",
        "sessions.csv", "year=2026/month=03/sessions.csv",
    ]  # fmt: skip
    assert session_ids(database) == [f"x{at}" for at in range(len(places))]
    assert [(each.source, each.why) for each in summary.others] == [
        ("archive", "a folder with landing files; load it by itself")
    ]
    assert summary.neglected == []


def test_links_are_not_followed(database: Database, tmp_path: Path) -> None:
    load(database, tmp_path / "elsewhere", {"sessions.csv": SESSION, "sessions.parquet/a.parquet": b""})
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("sessions.csv", "sessions.parquet"):
        (folder / name).symlink_to(tmp_path / "elsewhere" / name)
    (folder / "2026-01").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TutorqError, match=r"no landing file in .*; sessions.csv: a link, which is not followed"):
        load(database, folder, {})


def test_data_of_which_nothing_is_loaded_is_an_error(database: Database, tmp_path: Path) -> None:
    files = {
        "tutors.csv": "tutor_id\nT1\n", "teachers.json": "", "session.csv": SESSION, "notes.txt": "",
        "~$tutors.xlsx": "",
        ".DS_Store": "", "Thumbs.db": "", "desktop.ini": "", "_SUCCESS": "", "sessions.csv.report.json": "{}",
    }  # fmt: skip
    summary = load(database, tmp_path, files)
    assert [str(each) for each in summary.others] == [
        "notes.txt", "session.csv: did you mean sessions.csv?", "teachers.json: JSON is not read; save it as CSV",
    ]  # fmt: skip
    assert [each.source for each in summary.neglected] == ["session.csv"]
    assert summary.to_dict()["others"][1] == {
        "source": "session.csv", "why": "did you mean sessions.csv?", "entity": "sessions", "is_misnamed": True,
    }  # fmt: skip


def test_a_table_that_only_lacks_its_name_is_an_error_beside_others_of_its_kind(
    database: Database, tmp_path: Path
) -> None:
    files = {"sessions (1).csv": SESSION, "session.csv": SESSION, "sessions.jsonl": "", "tutors.csv": "tutor_id\nT1\n"}
    summary = load(database, tmp_path, files)
    assert [file.source for file in summary.files] == ["tutors.csv", "sessions (1).csv"]
    assert [each.source for each in summary.neglected] == ["session.csv"]
