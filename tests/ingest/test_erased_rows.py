"""Rows of erased people are taken out of landing files of every form, and nothing else is."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.erased import ErasedIds
from ingest.erased_rows import drop_erased
from ingest.ids import entity_uuid
from tests.ingest.test_excel import workbook

ERASED = ErasedIds("a key")
HASHES = frozenset(
    [ERASED.check, ERASED.hash("tutor", entity_uuid("T-77")), ERASED.hash("session", entity_uuid("S-9"))]
)
DAY = "processed/2026-01-31"
HEADER = "session_id,tutor_id,student_id,scheduled_time,status\r\n"
KEPT = 'S-1,T-1,"a\r\nb",2026-01-05T10:00:00Z,completed\r\n'
GONE = "S-2,T-77,c,2026-01-05T10:00:00Z,completed\r\n"
# What cannot be read names them, too; an id of a student is no id of a tutor.
GONE_TOO = "S-3,T-77,c,never,completed\r\n"
OTHER = "S-4,T-1,T-77,2026-01-06T10:00:00Z,completed\r\n"


def drop(landing: Path, source: str) -> str:
    return drop_erased(landing, source, ERASED, HASHES, "UTC")


@pytest.fixture
def day(tmp_path: Path) -> Path:
    folder = tmp_path / DAY
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize(
    ("name", "pack", "unpack"),
    [
        ("sessions.csv", str.encode, bytes.decode),
        ("sessions.csv.gz", lambda text: gzip.compress(text.encode()), lambda data: gzip.decompress(data).decode()),
        ("sessions-2.csv", lambda text: text.encode("utf-16"), lambda data: data.decode("utf-16")),
        ("sessions-3.csv", lambda text: text.encode("utf-8-sig"), lambda data: data.decode("utf-8-sig")),
    ],
)
def test_text_loses_their_rows_and_no_byte_more(
    tmp_path: Path, day: Path, name: str, pack: Callable[[str], bytes], unpack: Callable[[bytes], str]
) -> None:
    path = day / name
    path.write_bytes(pack(HEADER + KEPT + GONE + "\r\n" + GONE_TOO + OTHER))
    path.chmod(0o640)
    assert drop(tmp_path, f"{DAY}/{name}") == "rewritten"
    assert unpack(path.read_bytes()) == HEADER + KEPT + OTHER
    assert path.stat().st_mode & 0o777 == 0o640
    before = path.read_bytes()
    assert drop(tmp_path, f"{DAY}/{name}") == "kept"
    assert path.read_bytes() == before
    assert [entry.name for entry in day.iterdir()] == [name]


def test_moves_of_their_sessions_go(tmp_path: Path, day: Path) -> None:
    header, other = "session_id,initiator,reason,requested_at\n", "S-8,tutor,,2026-01-04T10:00:00Z\n"
    (day / "reschedules.csv").write_text(f"{header}S-9,tutor,ill,2026-01-04T10:00:00Z\n{other}")
    assert drop(tmp_path, f"{DAY}/reschedules.csv") == "rewritten"
    assert (day / "reschedules.csv").read_text() == header + other


def test_parquet_and_its_parts(tmp_path: Path, day: Path) -> None:
    def table(*ids: str) -> pa.Table:
        return pa.table({"tutor_id": list(ids), "age": [30] * len(ids)})

    pq.write_table(table("T-77", "T-1"), day / "tutors.parquet")
    parts = day / "tutors-2.parquet"
    parts.mkdir()
    pq.write_table(table("T-2", "T-3"), parts / "part-0.parquet")
    pq.write_table(table("T-4", "T-77"), parts / "part-1.parquet")
    assert drop(tmp_path, f"{DAY}/tutors.parquet") == "rewritten"
    assert drop(tmp_path, f"{DAY}/tutors-2.parquet") == "rewritten"
    assert pq.read_table(day / "tutors.parquet").to_pylist() == [{"tutor_id": "T-1", "age": 30}]
    ids = [pq.read_table(parts / f"part-{place}.parquet").column("tutor_id").to_pylist() for place in (0, 1)]
    assert ids == [["T-2", "T-3"], ["T-4"]]
    assert drop(tmp_path, f"{DAY}/tutors-2.parquet") == "kept"


def test_a_file_with_a_mapping(tmp_path: Path, day: Path) -> None:
    (tmp_path / "mapping.yml").write_text(
        'tutors:\n  files: "coaches*.csv"\n  columns:\n    tutor_id: Coach\n    name: Called\n'
    )
    (day / "coaches.csv").write_text("Coach;Called\nT-77;Zenobia\nT-1;Ann\n")
    assert drop(tmp_path, f"{DAY}/coaches.csv") == "rewritten"
    assert (day / "coaches.csv").read_text() == "Coach;Called\nT-1;Ann\n"


def test_a_sheet_is_removed(tmp_path: Path, day: Path) -> None:
    (day / "tutors.xlsx").write_bytes(workbook(tutors=[["tutor_id", "name"], ["T-77", "Zenobia"], ["T-1", "Ann"]]))
    (day / "tutors-2.xlsx").write_bytes(workbook(tutors=[["tutor_id", "name"], ["T-1", "Ann"]]))
    assert drop(tmp_path, f"{DAY}/tutors.xlsx") == "removed"
    assert drop(tmp_path, f"{DAY}/tutors-2.xlsx") == "kept"
    assert [entry.name for entry in day.iterdir()] == ["tutors-2.xlsx"]
