"""What is dropped into the landing directory is loaded once, when it is complete, and moved away with a report."""

import errno
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import Database
from ingest import (
    Taken,
    arrivals,
    complete_files,
    failures,
    inside,
    landing_directory,
    left_alone,
    load_file,
    load_folder,
    readers,
    take_files,
    unmoved_files,
)
from ingest.batches import RawBatch
from ingest.checksums import checksum
from ingest.csv_reader import CsvReader
from ingest.files import NOT_FOLLOWED
from ingest.filing import Outcome, destination
from tests.examples import examples
from tests.ingest.conftest import empty_raw

HEADER = "session_id,tutor_id,student_id,scheduled_time,status"
ENTITIES = ("tutors", "students", "sessions", "reschedules")
PATIENCE_SECONDS = 30

# A run's process that is killed at a call by which it moves a file away. As text, because it cannot import the tests.
KILLED = """
import os, signal, sys
from pathlib import Path
from core.database import Database
from ingest import inside, take_files
from core.settings import Settings

url, home, landing, call = sys.argv[1:]
setattr(inside, call, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
take_files(Database(Settings(home=home, database_url=url)), Path(landing), "sessions", timezone="UTC")
"""

# A writer that keeps the file open; it goes on whenever it is told to, and says when it has written.
WRITER = """
import sys
with open(sys.argv[1], "w") as file:
    for line in sys.stdin:
        file.write(line)
        file.flush()
        print("written", flush=True)
"""


@pytest.fixture
def database(raw_database: Database) -> Database:
    return raw_database


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not open for writing counts as settled, and a folder as at rest."""
    monkeypatch.setattr(arrivals, "SETTLED_SECONDS", 0)
    monkeypatch.setattr(arrivals, "QUIET_SECONDS", 0)


def sessions(*names: str, status: str = "completed") -> str:
    return "\n".join([HEADER, *(f"{name},t1,p1,2026-01-05T10:00:00Z,{status}" for name in names)]) + "\n"


def drop(landing: Path, source: str, content: str | bytes, *, age_seconds: float = 60) -> Path:
    path = landing / source
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    moment = time.time() - age_seconds
    os.utime(path, (moment, moment))
    return path


def take(database: Database, landing: Path, *entities: str) -> list[Taken]:
    return [taken for entity in entities or ENTITIES for taken in take_files(database, landing, entity, timezone="UTC")]


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def loaded_sessions(database: Database) -> list[str]:
    return [name for (name,) in rows(database, "select external_id from raw.sessions order by 1")]


def tree(folder: Path) -> set[str]:
    """Everything below, as paths; days and times of moving read as `DAY` and `TIME`."""
    paths = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {
        re.sub(r"/\d{4}-\d\d-\d\dT\d{6}Z", "/TIME", path)
        for path in {re.sub(r"/\d{4}-\d\d-\d\d/", "/DAY/", path) for path in paths}
    }


def report(landing: Path, pattern: str) -> dict[str, Any]:
    [path] = landing.glob(f"{pattern}.report.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_file_is_loaded_and_moved_with_a_report(database: Database, landing: Path) -> None:
    text = "session_id,tutor_id,student_id,scheduled_time,status,mood\n"
    text += "s1,t1,p1,2026-01-05T10:00:00Z,completed,good\ns2,t1,p1,soon,completed,\ns3,t1,p1,2026-01-05,lost,\n"
    path = drop(landing, "sessions.2026-01.csv", text)
    digest = checksum(path)

    [taken] = take(database, landing)

    assert (taken.is_new, taken.stays) == (True, None)
    assert tree(landing) == {
        "processed/DAY/sessions.2026-01.csv", "processed/DAY/sessions.2026-01.csv.report.json"
    }  # fmt: skip
    found = report(landing, "processed/*/sessions.2026-01.csv")
    today = datetime.now(UTC).date().isoformat()
    [(load_id, finished_at, moved_to)] = rows(database, "select load_id, finished_at, moved_to from raw.loads")
    assert (
        found.pop("moved_at")
        >= found["loads"][0].pop("loaded_at")
        == finished_at.astimezone(UTC).isoformat(timespec="seconds")
    )
    assert found == {
        "file": "sessions.2026-01.csv",
        "outcome": "loaded",
        "message": "3 rows read: 1 inserted, 0 updated, 0 unchanged, 0 stale, 2 quarantined",
        "entity": "sessions",
        "bytes": len(text),
        "sha256": digest,
        "loads": [
            {
                "entity": "sessions",
                "load_id": load_id,
                "rows": {"read": 3, "inserted": 1, "updated": 0, "unchanged": 0, "stale": 0, "quarantined": 2},
                "unknown_columns": ["mood"],
                "notes": [],
                "unknown_people": [
                    {
                        "entity": entity,
                        "count": 1,
                        "are_others_known": False,
                        "examples": [{"id": name, "resembles": None}],
                    }
                    for entity, name in (("tutors", "t1"), ("students", "p1"))
                ],
                "first_quarantined": [
                    {"line": 3, "reason": "scheduled_time: soon is not an ISO 8601 time such as 2026-01-31T15:00:00Z"},
                    {
                        "line": 4,
                        "reason": "status: lost is not one of scheduled, completed, rescheduled, cancelled, no_show; "
                        "a mapping may say what it means",
                    },
                ],
                "remarks": 0,
                "first_remarks": [],
            }
        ],
        "moved_to": moved_to,
    }
    assert moved_to == f"processed/{today}/sessions.2026-01.csv"
    assert checksum(landing / moved_to) == digest
    assert take(database, landing) == []


def test_a_broken_file_fails_and_is_loaded_when_mended(database: Database, landing: Path) -> None:
    good = gzip.compress(sessions(*(f"s{number}" for number in range(2000))).encode())
    drop(landing, "sessions.csv.gz", good[:-100])
    drop(landing, "sessions.parquet", b"PAR1 but no more")
    drop(landing, "sessions.other.csv", sessions("s1"))
    take(database, landing)
    assert tree(landing) == {
        "failed/DAY/sessions.csv.gz", "failed/DAY/sessions.csv.gz.report.json",
        "failed/DAY/sessions.parquet", "failed/DAY/sessions.parquet.report.json",
        "processed/DAY/sessions.other.csv", "processed/DAY/sessions.other.csv.report.json",
    }  # fmt: skip
    found = report(landing, "failed/*/sessions.csv.gz")
    assert (found["outcome"], found["loads"]) == ("failed", [])
    assert found["message"] == "sessions.csv.gz is cut short: the gzip data ends too early"
    assert [line.partition(": ")[2] for line in failures(landing, "sessions")] == [
        "sessions.csv.gz is cut short: the gzip data ends too early",
        "sessions.parquet is not a complete Parquet file",
    ]
    assert loaded_sessions(database) == ["s1"]

    drop(landing, "sessions.csv.gz", good)
    take(database, landing)
    assert len(loaded_sessions(database)) == 2000
    assert report(landing, "processed/*/sessions.csv.gz")["loads"][0]["rows"]["inserted"] == 1999


def test_a_file_without_a_good_row_fails(database: Database, landing: Path) -> None:
    for _ in range(2):
        drop(landing, "sessions.csv", sessions("s1", "s2", status="lost"))
        take(database, landing)
    assert tree(landing) == {
        f"failed/{folder}/sessions.csv{end}" for folder in ("DAY", "TIME") for end in ("", ".report.json")
    }
    found = report(landing, f"failed/{datetime.now(UTC):%Y-%m-%d}/sessions.csv")
    assert found["message"] == "none of its 2 rows could be taken"
    assert [each["line"] for each in found["loads"][0]["first_quarantined"]] == [2, 3]


@pytest.mark.usefixtures("at_once")
def test_a_file_is_not_taken_while_a_writer_has_it_open(database: Database, landing: Path) -> None:
    path = landing / "sessions.csv"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin
        assert writer.stdout
        for line in sessions("s1", "s2").splitlines(keepends=True):
            writer.stdin.write(line)
            writer.stdin.flush()
            assert writer.stdout.readline() == "written\n"
            moment = time.time() - 3600  # the writer has paused for as long as you like
            os.utime(path, (moment, moment))
            assert take(database, landing) == []
        writer.stdin.close()
        writer.wait()
    take(database, landing)
    assert loaded_sessions(database) == ["s1", "s2"]
    assert tree(landing) == {"processed/DAY/sessions.csv", "processed/DAY/sessions.csv.report.json"}


def test_where_the_system_does_not_tell_a_file_waits_longer(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's file, or a network's."""
    drop(landing, "sessions.csv", sessions("s1"), age_seconds=5)
    assert len(complete_files(landing)) == 1
    monkeypatch.setattr(arrivals, "_is_open_for_writing", lambda _: None)
    assert complete_files(landing) == []
    drop(landing, "sessions.csv", sessions("s1"), age_seconds=15)
    assert len(complete_files(landing)) == 1


def test_a_folder_waits_until_all_of_it_is_there(
    database: Database, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "QUIET_SECONDS", 0)
    drop(landing, "2026-11-26/people/tutors.csv", "tutor_id,name\nt1,Ada\n")
    drop(landing, "2026-11-26/sessions.csv", sessions("s1"))
    upload = drop(landing, "2026-11-26/sessions.more.csv.filepart", sessions("s2")[:60], age_seconds=0)
    assert take(database, landing) == []
    with upload.open("a") as file:
        file.write(sessions("s2")[60:])
        file.flush()
        os.utime(upload, (0, 0))
        assert take(database, landing) == []
    upload.rename(landing / "2026-11-26" / "sessions.more.csv")

    assert [taken.report.file for taken in take(database, landing)] == [
        "2026-11-26/people/tutors.csv", "2026-11-26/sessions.csv", "2026-11-26/sessions.more.csv",
    ]  # fmt: skip
    assert loaded_sessions(database) == ["s1", "s2"]
    assert rows(database, "select source from raw.loads order by 1") == [
        ("2026-11-26/people/tutors.csv",), ("2026-11-26/sessions.csv",), ("2026-11-26/sessions.more.csv",),
    ]  # fmt: skip
    assert [path.name for path in landing.iterdir()] == ["processed"], "the empty folder is still there"
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    assert report(landing, f"processed/{day}/2026-11-26/people/tutors.csv")["outcome"] == "loaded"


def test_a_folder_rests_before_it_is_taken(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An uploader pauses between two files, and may give them the times of their origin."""
    drop(landing, "day/sessions.csv", sessions("s1"), age_seconds=3600)
    assert complete_files(landing) == []
    monkeypatch.setattr(arrivals, "QUIET_SECONDS", 0.5)
    wait_for(lambda: len(complete_files(landing)) == 1)
    drop(landing, "day/notes.txt", "one more", age_seconds=3600)
    assert complete_files(landing) == []


def test_a_folder_that_never_rests_holds_nothing_up_for_ever(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(landing, "partner/sessions.1.csv", sessions("s1"))
    with (landing / "partner" / "log.txt").open("w"):
        assert complete_files(landing) == []
        monkeypatch.setattr(arrivals, "PATIENCE_SECONDS", 0)
        assert [file.source for file in complete_files(landing)] == ["partner/sessions.1.csv"]


@pytest.mark.usefixtures("at_once")
def test_what_is_no_landing_file_is_left_alone_and_named(database: Database, landing: Path) -> None:
    for name in (
        "README.txt", "data.xlsx", "sessions.csv.part", "day/notes.md", ".sessions.csv.x7", ".hidden/sessions.csv",
        "day/.hidden/sessions.csv", "processed/old/sessions.csv", "failed/old/sessions.csv",
    ):  # fmt: skip
        drop(landing, name, sessions("s1"))
    (landing / os.fsdecode(b"sessions.\xff.csv")).write_text(sessions("s1"))
    (landing / "tutors.csv").symlink_to(landing / "nowhere")
    os.mkfifo(landing / "students.csv")
    before = tree(landing)

    assert take(database, landing) == []
    assert tree(landing) == before
    assert left_alone(landing) == [
        "README.txt",
        "data.xlsx",
        "day/notes.md",
        r"sessions.\udcff.csv (did you mean sessions.csv?)",
        "sessions.csv.part (by its name, it has not arrived completely)",
        f"tutors.csv ({NOT_FOLLOWED})",
    ]
    with (landing / "data.xlsx").open("ab"):
        assert "data.xlsx" not in left_alone(landing), "it may yet get its name"


def test_what_dlt_and_spark_write_for_themselves_is_not_looked_at(
    database: Database, landing: Path, at_once: None
) -> None:
    for name in (
        "init", "school/init", "school/_dlt_loads/school__17.jsonl", "school/_dlt_version/init", "_SUCCESS",
        "school/_dlt_pipeline_state/17.0.parquet", "school/_SUCCESS",
    ):  # fmt: skip
        drop(landing, name, b"")
    drop(landing, "school/sessions.17.a1b2.csv", sessions("s1"))
    assert [taken.report.outcome for taken in take(database, landing)] == ["loaded"]
    assert loaded_sessions(database) == ["s1"]
    assert left_alone(landing) == []


@pytest.mark.parametrize("call", ["write_text", "replace", "rename"])
def test_killed_before_the_move(database: Database, landing: Path, tmp_path: Path, call: str) -> None:
    drop(landing, "sessions.csv", sessions("s1", "s2") + "s3,t1,p1,soon,completed\n")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, database.url, str(tmp_path), str(landing), call], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert (landing / "sessions.csv").exists()
    assert loaded_sessions(database) == ["s1", "s2"]

    [taken] = take(database, landing)

    assert not taken.is_new
    assert rows(database, "select count(*) from raw.loads") == [(1,)]
    assert tree(landing) == {
        "processed/DAY/sessions.csv", "processed/DAY/sessions.csv.report.json"
    }  # fmt: skip
    found = report(landing, "processed/*/sessions.csv")
    assert found["outcome"] == "loaded"
    [load] = found["loads"]
    assert load["rows"] == {"read": 3, "inserted": 2, "updated": 0, "unchanged": 0, "stale": 0, "quarantined": 1}
    assert [each["line"] for each in load["first_quarantined"]] == [4]
    [(moved_to,)] = rows(database, "select moved_to from raw.loads")
    assert (landing / moved_to).is_file()


@pytest.mark.parametrize("call", ["write_text", "rename"])
def test_killed_before_the_move_on_another_day(
    database: Database, landing: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Nothing is left there, and what has been loaded since is not overwritten."""
    for number, tutor in enumerate(("Ada", "Bob"), start=1):
        drop(landing, f"tutors.{number}.csv", f"tutor_id,name\nt1,{tutor}\n")
    load_folder(database, landing, timezone="UTC")

    def yesterday(landing: Path, source: str, outcome: Outcome, now: datetime) -> Path:
        return destination(landing, source, outcome, now - timedelta(days=1))

    write = inside.write_text

    def killed(folder: int, name: str, *_: Any) -> None:
        if call == "write_text":
            write(folder, name, "")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(landing_directory, "destination", yesterday)
        patch.setattr(inside, call, killed)
        with pytest.raises(KeyboardInterrupt):
            take(database, landing)
    assert len(tree(landing)) == 3

    assert [(taken.is_new, taken.report.outcome) for taken in take(database, landing)] == [(False, "loaded")] * 2
    assert rows(database, "select name from raw.tutors") == [("Bob",)]
    assert tree(landing) == {
        f"processed/DAY/tutors.{number}.csv{end}" for number in (1, 2) for end in ("", ".report.json")
    }
    assert len(list((landing / "processed").iterdir())) == 1
    for (moved_to,) in rows(database, "select moved_to from raw.loads"):
        assert (landing / moved_to).is_file()


def test_the_same_name_never_overwrites(database: Database, landing: Path) -> None:
    contents = [sessions(f"s{number}") for number in range(4)]
    for content in contents:
        drop(landing, "day/sessions.csv", content, age_seconds=3600)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(arrivals, "QUIET_SECONDS", 0)
            take(database, landing)
    kept = sorted(path.read_text() for path in landing.glob("processed/*/day/sessions.csv"))
    assert kept == contents
    assert len(list(landing.glob("processed/*/day/sessions.csv.report.json"))) == 4


def test_the_same_content_is_loaded_once(database: Database, landing: Path) -> None:
    drop(landing, "sessions.csv", sessions("s1"))
    take(database, landing)
    drop(landing, "sessions.copy.csv", sessions("s1"))
    [copy] = take(database, landing)
    assert (copy.is_new, copy.report.outcome) == (False, "already_loaded")
    assert copy.report.message == (
        "this content was loaded before, from sessions.csv: "
        "1 rows read: 1 inserted, 0 updated, 0 unchanged, 0 stale, 0 quarantined"
    )
    assert rows(database, "select source, moved_to is not null from raw.loads") == [("sessions.csv", True)]
    assert report(landing, "processed/*/sessions.copy.csv")["outcome"] == "already_loaded"


def test_tutors_are_what_was_dropped_last(database: Database, landing: Path) -> None:
    """Also if it had been dropped before, under the same name or another."""
    for name, tutor in [("tutors", "Ada"), ("tutors.new", "Bob"), ("tutors", "Ada"), ("tutors.2", "Ada")]:
        drop(landing, f"{name}.csv", f"tutor_id,name\nt1,{tutor}\n")
        [taken] = take(database, landing)
        assert rows(database, "select name from raw.tutors") == [(tutor,)]
    assert taken.report.outcome == "already_loaded"
    assert rows(database, "select source from raw.loads order by load_id") == [
        ("tutors.csv",), ("tutors.new.csv",), ("tutors.csv",),
    ]  # fmt: skip


def test_loaded_by_hand_it_is_only_moved(database: Database, landing: Path) -> None:
    drop(landing, "tutors.1.csv", "tutor_id,name\nt1,Ada\n")
    drop(landing, "tutors.2.csv", "tutor_id,name\nt1,Bob\n")
    load_folder(database, landing, timezone="UTC")
    assert tree(landing) == {"tutors.1.csv", "tutors.2.csv"}
    assert [(taken.is_new, taken.report.outcome) for taken in take(database, landing)] == [(False, "loaded")] * 2
    assert rows(database, "select name from raw.tutors") == [("Bob",)]
    assert all(path.startswith("processed/") for path in tree(landing))


def test_loaded_by_hand_from_elsewhere_it_is_another_file(database: Database, landing: Path, tmp_path: Path) -> None:
    """Though it has the same name there, and is that very file brought here."""
    path = drop(tmp_path / "elsewhere", "tutors.csv", "tutor_id,name\nt1,Ada\n")
    load_folder(database, path.parent, timezone="UTC")
    drop(landing, "tutors.b.csv", "tutor_id,name\nt1,Bob\n")
    take(database, landing)
    path.rename(landing / "tutors.csv")
    [taken] = take(database, landing)
    assert (taken.is_new, taken.report.outcome) == (True, "loaded")
    assert rows(database, "select name from raw.tutors") == [("Ada",)]


@pytest.mark.usefixtures("at_once")
def test_links_are_not_followed_but_named(database: Database, landing: Path, tmp_path: Path) -> None:
    secret = drop(tmp_path, "secrets/sessions.csv", sessions("secret"))
    for name, aim in {
        "sessions.csv": secret,
        "sessions.inside.csv": landing / "day" / "sessions.csv",
        "folder": secret.parent,
        "day/tutors.csv": secret,
        "day/folder": secret.parent,
    }.items():
        (landing / name).parent.mkdir(exist_ok=True)
        (landing / name).symlink_to(aim)
    drop(landing, "day/sessions.csv", sessions("s1"))
    take(database, landing)

    links = ("day/folder", "day/tutors.csv", "folder", "sessions.csv", "sessions.inside.csv")
    assert left_alone(landing) == [f"{name} ({NOT_FOLLOWED})" for name in links]
    assert loaded_sessions(database) == ["s1"]
    assert secret.read_text() == sessions("secret")
    assert tree(secret.parent) == {"sessions.csv"}
    assert not arrivals.has_landing_files(landing)


def test_nothing_is_written_behind_a_link(database: Database, landing: Path, tmp_path: Path) -> None:
    """As of somebody who may drop files and knows where they go."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (landing / "processed").symlink_to(outside)
    drop(landing, "sessions.csv", sessions("s1"))
    [taken] = take(database, landing)
    assert taken.stays == "Not a directory"
    (landing / "processed").unlink()

    day = landing / "processed" / f"{datetime.now(UTC):%Y-%m-%d}"
    day.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    for name in ("sessions.csv.report.json", ".sessions.csv.report.json.part"):
        (day / name).symlink_to(victim)
    [taken] = take(database, landing)
    assert taken.stays is None
    assert victim.read_text() == "as it was"
    assert not (day / "sessions.csv.report.json").is_symlink()

    (landing / "failed" / "x").mkdir(parents=True)
    (landing / "failed" / "x" / "tutors.csv").write_text("")
    (landing / "failed" / "x" / "tutors.csv.report.json").symlink_to(day / "sessions.csv.report.json")
    assert failures(landing, "tutors") == ["failed/x/tutors.csv: there is no report beside it"]
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("moment", ["found", "checked", "loaded"])
@pytest.mark.parametrize("swapped", ["the file", "its folder"])
def test_a_link_that_takes_the_place_of_a_file_meanwhile_is_not_followed(
    database: Database, landing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: str, moment: str
) -> None:
    """Whoever drops it changes it for a link when it has been found, has been looked at, or is loaded."""
    monkeypatch.setattr(arrivals, "QUIET_SECONDS", 0)
    monkeypatch.setattr(arrivals, "SETTLED_SECONDS", 0)
    drop(tmp_path, "secrets/sessions.csv", sessions("secret"))
    drop(landing, "day/sessions.csv", sessions("s1"))
    place = landing / "day" / ("sessions.csv" if swapped == "the file" else "")
    aim = tmp_path / "secrets" / ("sessions.csv" if swapped == "the file" else "")

    def swap() -> None:
        place.rename(landing / ".kept")
        place.symlink_to(aim)

    original = {
        name: getattr(landing_directory, name) for name in ("complete_files", "remembered_checksum", "load_file")
    }

    def swapping(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            before = original[name](*arguments, **named) if name == "complete_files" else None
            if not place.is_symlink():
                swap()
            return before if name == "complete_files" else original[name](*arguments, **named)

        return call

    name = {"found": "complete_files", "checked": "remembered_checksum", "loaded": "load_file"}[moment]
    monkeypatch.setattr(landing_directory, name, swapping(name))
    assert take(database, landing, "sessions") == []
    monkeypatch.undo()

    assert "secret" not in loaded_sessions(database)
    assert rows(database, "select count(*) from raw.quarantine") == [(0,)]
    assert (tmp_path / "secrets" / "sessions.csv").read_text() == sessions("secret")
    assert place.is_symlink(), "it stays where it is"
    assert not list(landing.glob("processed/**/*.json"))


def test_who_may_read_the_landing_directory_may_read_what_became_of_it(database: Database, landing: Path) -> None:
    """Its group, if the operator lets it in; others never."""
    before = os.umask(0o077)
    try:
        for mode, folder_mode, report_mode in ((0o2770, 0o2770, 0o640), (0o777, 0o770, 0o640), (0o700, 0o700, 0o600)):
            landing.chmod(mode)
            drop(landing, "sessions.csv", sessions("s1"))
            take(database, landing)
            [found] = landing.glob("processed/*/sessions.csv.report.json")
            assert found.parent.stat().st_mode & 0o7777 == folder_mode
            assert found.stat().st_mode & 0o7777 == report_mode
            shutil.rmtree(landing / "processed")
    finally:
        os.umask(before)


@pytest.mark.parametrize(("call", "number"), [("rename", errno.EACCES), ("write_text", errno.ENOSPC)])
def test_a_move_that_is_refused_leaves_everything_where_it_was(
    database: Database, landing: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    """As between file systems, out of somebody else's folder, or onto a full disk."""
    drop(landing, "sessions.csv", sessions("s1"))

    write = inside.write_text

    def refuse(folder: int, name: str, *_: Any) -> None:
        if call == "write_text":
            write(folder, name, "")
        raise OSError(number, os.strerror(number), name)

    with monkeypatch.context() as patch:
        patch.setattr(inside, call, refuse)
        [taken] = take(database, landing)
    assert (taken.is_new, taken.stays) == (True, os.strerror(number))
    assert [path.name for path in landing.rglob("*")] == ["sessions.csv"]
    [taken] = take(database, landing)
    assert (taken.is_new, taken.stays) == (False, None)
    assert report(landing, "processed/*/sessions.csv")["outcome"] == "loaded"


def test_what_cannot_be_moved_is_loaded_once_all_the_same(
    database: Database, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (landing / "processed").write_text("in the way")
    (landing / "failed").write_text("in the way")
    for number in (1, 2):
        drop(landing, f"tutors.{number}.csv", f"tutor_id,name\nt1,{number}\n")
    drop(landing, "sessions.csv", sessions("s1"))
    drop(landing, "sessions.broken.csv", "nothing,that,is,known\n")
    before = tree(landing)

    first = take(database, landing)
    with monkeypatch.context() as patch:
        patch.setattr(landing_directory, "load_file", None)  # not even tried
        again = take(database, landing)

    assert [taken.stays for taken in first + again] == ["Not a directory"] * 8
    assert [taken.is_new for taken in first] == [True, True, False, True]
    assert not any(taken.is_new for taken in again)
    assert [taken.report.message for taken in again] == [taken.report.message for taken in first]
    assert tree(landing) == before
    assert rows(database, "select source, moved_to from raw.loads order by load_id") == [
        ("tutors.1.csv", None), ("tutors.2.csv", None), ("sessions.csv", None),
    ]  # fmt: skip
    assert unmoved_files(database, complete_files(landing)) == complete_files(landing)

    # Another content in its place is another file.
    drop(landing, "sessions.csv", sessions("s2"))
    assert [file.source for file in unmoved_files(database, complete_files(landing))] == [
        "tutors.1.csv", "tutors.2.csv", "sessions.broken.csv",
    ]  # fmt: skip
    (landing / "processed").unlink()
    (landing / "failed").unlink()
    take(database, landing)
    assert loaded_sessions(database) == ["s1", "s2"]
    assert rows(database, "select name from raw.tutors") == [("2",)]
    assert len(list(landing.glob("processed/*/*.report.json"))) == 3
    assert len(list(landing.glob("failed/*/*.report.json"))) == 1
    assert rows(database, "select count(*) from raw.unmoved_files") == [(0,)]


def test_a_file_that_changes_while_it_is_loaded_is_loaded_anew(
    shared_database: Database, database: Database, landing: Path
) -> None:
    path = drop(landing, "sessions.csv", sessions("s1"))
    # The pool is left last: a load that waits for the lock ends when that is gone.
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database.url) as obstacle:
        obstacle.execute("lock table raw.tutors in exclusive mode")
        taking = pool.submit(take, database, landing, "sessions")
        # Who waits is not for the roles to see.
        waiting = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        wait_for(lambda: bool(rows(shared_database, waiting)))
        drop(landing, "sessions.csv", sessions("s1", "s2"))
        obstacle.rollback()
        assert taking.result() == []
    assert path.exists()
    assert loaded_sessions(database) == []
    assert rows(database, "select count(*) from raw.loads") == [(0,)]

    take(database, landing)
    assert loaded_sessions(database) == ["s1", "s2"]


def test_what_was_wrong_with_half_a_file_says_nothing_about_all_of_it(
    database: Database, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(landing, "sessions.csv", HEADER[:20])

    def completed_meanwhile(*arguments: Any, **named: Any) -> None:
        try:
            load_file(*arguments, **named)
        finally:
            drop(landing, "sessions.csv", sessions("s1"))

    monkeypatch.setattr(landing_directory, "load_file", completed_meanwhile)
    assert take(database, landing) == []
    assert rows(database, "select count(*) from raw.refused_files") == [(0,)]
    monkeypatch.undo()
    take(database, landing)
    assert loaded_sessions(database) == ["s1"]


def test_a_fault_of_ours_costs_one_file_only(
    database: Database, landing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "Ada Lovelace"

    class Failing(CsvReader):
        def batches(self) -> Iterator[RawBatch]:
            if "broken" in self._source:
                raise RecursionError(secret)
            return super().batches()

    monkeypatch.setattr(readers, "CsvReader", Failing)
    for folder in (landing, tmp_path / "by_hand"):
        drop(folder, "sessions.broken.csv", sessions("s1"))
        drop(folder, "sessions.csv", sessions("s2"))
    reason = "sessions.broken.csv cannot be read: RecursionError; this is a fault of tutorq"
    broken, good = take(database, landing)
    assert (broken.report.outcome, good.report.outcome) == ("failed", "loaded")
    assert broken.report.message.startswith(reason)
    summary = load_folder(database, tmp_path / "by_hand", timezone="UTC")
    assert ([file.source for file in summary.files], len(summary.errors)) == (["sessions.csv"], 1)
    assert summary.errors[0].message.startswith(reason)
    assert caplog.text.count("in batches") == 2
    assert secret not in caplog.text


@pytest.mark.slow
def test_two_runs_at_a_time_take_a_file_once(database: Database, landing: Path) -> None:
    for number in range(20):
        drop(landing, f"sessions.{number}.csv", sessions(f"s{number}"))
    with ThreadPoolExecutor(2) as pool:
        taken = [each for found in pool.map(lambda _: take(database, landing, "sessions"), range(2)) for each in found]
    assert len(taken) == 20
    assert all(each.is_new and each.stays is None for each in taken)
    assert rows(database, "select count(*) from raw.loads") == [(20,)]


_content = st.one_of(
    st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda ids: sessions(*(f"s{number}" for number in ids))),
    st.sampled_from(["", "nothing,that,is,known\n", sessions("bad", status="lost")]),
)
_dropped = st.tuples(st.sampled_from(["", "a/", "a/b/", "b/"]), st.sampled_from(["", "1.", "2."]), _content)


@pytest.mark.slow
@pytest.mark.usefixtures("at_once")
@examples(25)
@given(drops=st.lists(st.one_of(st.none(), _dropped), max_size=10), compress=st.booleans())
def test_nothing_is_lost_and_nothing_comes_twice(
    shared_database: Database,
    database: Database,
    landing: Path,
    drops: list[tuple[str, str, str] | None],
    compress: bool,
) -> None:
    """Whatever comes in whatever order, taken in between or not (None): every file ends in one of the two folders with
    its report, and the rows of the good ones are in, each content by one load."""
    empty_raw(shared_database)
    shutil.rmtree(landing)
    landing.mkdir()
    expected: dict[str, list[bytes]] = {"processed": [], "failed": []}
    good: set[str] = set()
    for each in drops:
        folder, part, text = each or ("", "", "")
        source = f"{folder}sessions.{part}csv" + (".gz" if compress else "")
        if each is None or (landing / source).exists():
            take(database, landing)
        if each is not None:
            content = gzip.compress(text.encode(), mtime=0) if compress else text.encode()
            drop(landing, source, content)
            names = set(re.findall(r"^s\d+", text, re.MULTILINE))
            expected["processed" if names else "failed"].append(content)
            good |= names
    take(database, landing)

    for area, contents in expected.items():
        files = [path for path in landing.glob(f"{area}/**/sessions.*") if not path.name.endswith(".report.json")]
        assert sorted(path.read_bytes() for path in files) == sorted(contents)
        for path in files:
            found = json.loads(path.with_name(f"{path.name}.report.json").read_text())
            assert (found["outcome"] == "failed") == (area == "failed")
            assert found["moved_to"] == path.relative_to(landing).as_posix()
            assert found["sha256"] == checksum(path)
    assert {path.name for path in landing.iterdir()} <= {"processed", "failed"}
    assert loaded_sessions(database) == sorted(good)
    assert rows(database, "select checksum from raw.loads group by 1 having count(*) > 1") == []
