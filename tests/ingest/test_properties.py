"""Whatever rows arrive, in whatever order and files: the same content, and every row accounted for."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from core.database import Database, DatabaseRole
from ingest import FileSummary, load_folder
from ingest.batches import RawBatch
from ingest.contract import SESSIONS
from ingest.ids import NAMESPACE, convert_keys, entity_uuid
from ingest.notes import Notes
from ingest.parser import BatchParser
from ingest.spelling import EMPTY_MARKS
from ingest.times import parse_times
from tests.examples import examples

pytestmark = pytest.mark.slow

CONTENT = {
    "tutors": "tutor_id, external_id, name, is_stub",
    "students": "student_id, external_id, is_stub",
    "sessions": "session_id, external_id, tutor_id, student_id, scheduled_time, status, rating, initiator, updated_at",
    "reschedules": "session_id, initiator, reason, requested_at, updated_at",
}
HEADERS = {
    "tutors": "tutor_id,name",
    "sessions": "session_id,tutor_id,student_id,scheduled_time,status,rating,initiator,updated_at",
    "reschedules": "session_id,initiator,reason,requested_at,updated_at",
}

_times = st.sampled_from(["2026-01-05T10:00:00Z", "2026-01-05 11:00", "2026-01-06"])
_maybe_times = st.one_of(st.just(""), _times, st.just("soon"), st.just("2099-01-01"))
_session_ids = st.sampled_from(["s1", "s2", str(entity_uuid("s1"))])
_session = st.tuples(
    _session_ids,
    st.sampled_from(["t1", "t2", str(entity_uuid("t1")), ""]),
    st.sampled_from(["p1", str(entity_uuid("p1")).upper()]),
    _times,
    st.sampled_from(["scheduled", "completed", "no_show", "lost"]),
    st.sampled_from(["", "1", "5.0", "9"]),
    st.sampled_from(["", "tutor", "student"]),
    _maybe_times,
)
_reschedule = st.tuples(
    _session_ids,
    st.sampled_from(["tutor", "student"]),
    st.sampled_from(["", "ill", "'; \\ö"]),
    _maybe_times,
    _maybe_times,
)
_tutor = st.sampled_from([("t1", "Ada"), ("t2", "Bo")])
_row = st.one_of(
    st.tuples(st.just("sessions"), _session),
    st.tuples(st.just("sessions"), _session),
    st.tuples(st.just("reschedules"), _reschedule),
    st.tuples(st.just("tutors"), _tutor),
)


@pytest.fixture
def database(shared_database: Database) -> Database:
    """As its owner, who may empty it between examples."""
    return shared_database


def load_rows(database: Database, folder: Path, files: list[list[tuple[str, tuple[str, ...]]]]) -> list[FileSummary]:
    """Load each list of rows as one folder, after emptying the database."""
    with database.connect() as connection:
        for table in ("reschedules", "sessions", "tutors", "students", "quarantine", "loads", "changes"):
            connection.execute(f"delete from raw.{table}".encode())
    summaries = []
    for rows in files:
        for path in folder.iterdir():
            path.unlink()
        for table, header in HEADERS.items():
            lines = [",".join(cells) for name, cells in rows if name == table]
            if lines:
                (folder / f"{table}.csv").write_text("\n".join([header, *lines]))
        summary = load_folder(database.as_role(DatabaseRole.INGEST), folder, timezone="Europe/Vienna")
        assert summary.errors == []
        summaries += summary.files
    return summaries


def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.connect() as connection:
        return {
            table: connection.execute(f"select {columns} from raw.{table} order by {columns}".encode()).fetchall()
            for table, columns in CONTENT.items()
        }


@examples(8)
@given(rows=st.lists(_row, min_size=1, max_size=12), data=st.data())
def test_order_and_split_of_rows_never_change_the_content(
    database: Database, tmp_path: Path, rows: list[tuple[str, tuple[str, ...]]], data: st.DataObject
) -> None:
    summaries = load_rows(database, tmp_path, [rows])
    expected = content(database)
    shuffled = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    bounds = [0, *cuts, len(rows)]
    parts = [shuffled[a:b] for a, b in pairwise(bounds) if a < b]
    summaries += load_rows(database, tmp_path, parts)
    assert content(database) == expected
    for summary in summaries:
        taken = summary.inserted + summary.updated + summary.unchanged + summary.stale
        assert summary.read == taken + summary.quarantined
    assert sum(summary.read for summary in summaries) == 2 * len(rows)
    with database.connect() as connection:
        [(recorded,)] = connection.execute(
            "select coalesce(sum(read_rows - inserted_rows - updated_rows - unchanged_rows - stale_rows"
            " - quarantined_rows), 0) from raw.loads"
        ).fetchall()
    assert recorded == 0
    ahead = [cells for name, cells in rows if name != "tutors" and cells[-1] == "2099-01-01"]
    assert sum(summary.quarantined for summary in summaries) >= 2 * len(ahead)
    for table in ("sessions", "reschedules"):
        with database.connect() as connection:
            query = f"select count(*) from raw.{table} where updated_at > now() + interval '1 day'"
            assert connection.execute(query.encode()).fetchone() == (0,)


# Few values, so that most versions of the one session tie in part.
_version = st.tuples(
    st.just("s1"),
    st.just("t1"),
    st.just("p1"),
    st.just("2026-01-05"),
    st.sampled_from(["completed", "scheduled", "no_show"]),
    st.sampled_from(["", "4", "5"]),
    st.sampled_from(["", "student", "tutor"]),
    st.sampled_from(["2026-01-06", "2026-01-06", ""]),
)


@examples(30)
@given(versions=st.lists(_version, min_size=2, max_size=4, unique=True), data=st.data())
def test_versions_one_by_one_end_like_all_at_once(
    database: Database, tmp_path: Path, versions: list[tuple[str, ...]], data: st.DataObject
) -> None:
    rows = [("sessions", version) for version in versions]
    load_rows(database, tmp_path, [rows])
    expected = content(database)
    load_rows(database, tmp_path, [[row] for row in data.draw(st.permutations(rows))])
    assert content(database) == expected


@settings(max_examples=200)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=5))
def test_derived_ids_are_version_5_uuids_of_the_namespace(texts: list[str]) -> None:
    converted, externals = convert_keys(pa.array(texts, pa.string()))
    assert converted.to_pylist() == [uuid5(NAMESPACE, text).hex for text in texts]
    assert externals.to_pylist() == texts


_hex = st.uuids()
_ids = (
    _hex.map(str)
    | _hex.map(lambda key: key.hex.upper())
    | st.builds(
        "{}{}{}".format, st.sampled_from(["", "{", "urn:uuid:", "URN:UUID:{"]), _hex, st.sampled_from(["", "}"])
    )
    | st.integers(0, 10**31).map(lambda number: f"{number}.0")
    | st.floats().map(repr)
    | st.sampled_from([*sorted(EMPTY_MARKS), "", "1.23457E+11", "1,5e+20", "12.00", "-1.0", "1.0.0", "None", "Ä" * 70])
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=130)
)
_blank = st.text(st.sampled_from(" \t\n\x1c\x85\xa0\u2003\u3000"), max_size=2)


def _entity_uuid(text: str) -> UUID | None:
    try:
        return entity_uuid(text)
    except ValueError:
        return None


@examples(30)
@given(st.lists(st.builds("{1}{0}{2}".format, _ids, _blank, _blank), min_size=1, max_size=40))
def test_sql_and_python_and_files_give_an_id_the_same_uuid(database: Database, texts: list[str]) -> None:
    expected = [_entity_uuid(text) for text in texts]
    with database.connect() as connection:
        query = "select raw.entity_uuid(id) from unnest(%s::text[]) with ordinality as t (id, place) order by place"
        assert [key for (key,) in connection.execute(query, [texts])] == expected
    columns = {name: pa.array(texts) for name in ("session_id", "tutor_id", "student_id")}
    columns |= {"scheduled_time": pa.array(["2026-01-05"] * len(texts)), "status": pa.array(["completed"] * len(texts))}
    raw = RawBatch(np.arange(len(texts)), columns, lambda row: texts[row])
    batch = BatchParser(SESSIONS, "UTC", Notes()).parse(raw)
    found: dict[int, UUID | None] = dict.fromkeys(range(len(texts)))
    for line, key in zip(batch.rows["line"].to_pylist(), batch.rows["tutor_id"].to_pylist(), strict=True):
        found[line] = UUID(key)
    assert list(found.values()) == expected
    assert batch.rows["tutor_id"].equals(batch.rows["student_id"])


@settings(max_examples=200)
@given(
    st.datetimes(min_value=datetime.fromisoformat("1971-01-01"), max_value=datetime.fromisoformat("2100-12-30")),
    st.sampled_from(["UTC", "Europe/Vienna", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca"]),
)
def test_local_times_are_read_as_zoneinfo_reads_them(wall: datetime, zone: str) -> None:
    values, rules = parse_times(pa.array([wall.isoformat()]), zone)
    # A text does not say which of two equal hours it means: the first one.
    assert values[0].as_py() == wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
    assert not any(mask[0].as_py() for mask, _ in rules)


@examples(25)
@given(st.binary(max_size=400))
def test_no_bytes_at_all_make_the_loader_crash(database: Database, tmp_path: Path, noise: bytes) -> None:
    (tmp_path / "tutors.csv").write_bytes(b"tutor_id,name\n" + noise)
    summary = load_folder(database.as_role(DatabaseRole.INGEST), tmp_path, timezone="UTC")
    # Letters of an encoding that nobody can tell refuse the file; whatever else it is, its rows are accounted for.
    assert all("save it as UTF-8" in error.message for error in summary.errors)
    assert summary.read == summary.inserted + summary.updated + summary.unchanged + summary.quarantined
