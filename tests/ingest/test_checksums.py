"""Landing files are read again when they may have changed, and only then."""

import os
import time
from pathlib import Path

import pytest

from core.database import Database
from ingest import checksums as landing_checksums
from ingest.checksums import checksum, remembered_checksum


def test_unchanged_files_are_not_read_again(
    raw_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing_checksums, "SETTLED_SECONDS", 0)
    read: list[str] = []

    def reading(path: Path) -> str:
        read.append(path.name)
        return checksum(path)

    monkeypatch.setattr(landing_checksums, "checksum", reading)

    def look(*paths: Path) -> list[str]:
        read.clear()
        time.sleep(0.02)  # more than a tick of the file system's clock
        with raw_database.connect() as connection:
            found = {path: remembered_checksum(connection, path) for path in paths}
        assert found == {path: checksum(path) for path in paths}
        return read

    one, other = tmp_path / "tutors.csv", tmp_path / "students.csv"
    one.write_text("tutor_id\nt1\n")
    other.write_text("student_id\np1\n")
    assert look(one, other) == ["tutors.csv", "students.csv"]
    assert look(one, other) == []
    other.write_text("student_id\np1\np2\n")
    assert look(one, other) == ["students.csv"]
    # Of the same size, and with its old modification time, as rsync and cp -p leave it.
    times = one.stat()
    one.write_text("tutor_id\nt9\n")
    os.utime(one, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert look(one, other) == ["tutors.csv"]
    replaced = tmp_path / "incoming"
    replaced.write_text("tutor_id\nt8\n")
    os.utime(replaced, ns=(times.st_atime_ns, times.st_mtime_ns))
    replaced.rename(one)
    assert look(one, other) == ["tutors.csv"]
    assert look(one, other) == []


def test_a_file_that_changed_just_now_is_read_again(raw_database: Database, tmp_path: Path) -> None:
    """Within a tick of the file system's clock it may change once more, and look the same."""
    path = tmp_path / "tutors.csv"
    path.write_text("tutor_id\nt1\n")
    with raw_database.connect() as connection:
        assert remembered_checksum(connection, path) == checksum(path)
        assert connection.execute("select count(*) from raw.landing_checksums").fetchone() == (0,)
