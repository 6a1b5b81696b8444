"""A clean folder, written in any other way that means the same, loads the same: by any chain of harmless changes."""

import random
from pathlib import Path
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import given

from core.database import Database, DatabaseRole
from ingest import FolderSummary, load_folder
from ingest.contract import ENTITIES
from ingest.headers import OfContract
from ingest.notes import Notes
from ingest.parser import BatchParser
from ingest.readers import open_reader
from tests.examples import examples
from tests.ingest.conftest import empty_raw
from tests.ingest.harmless import CHANGES, CLEAN, FREE, LETTERS, WORDS, ZONE, Sheet, sheet, write

pytestmark = pytest.mark.slow

KEYS = ("tutor_id", "student_id", "session_id")
# The name of a change, and what its choices are drawn from.
Chain = list[tuple[str, int]]
_chains = st.lists(st.tuples(st.sampled_from(list(CHANGES)), st.integers(0, 2**16)), min_size=1, max_size=14)
_texts = st.sampled_from([*WORDS, "", "math", "none", "Café, Zoë", "two\nlines"]) | st.text(LETTERS, max_size=12)


@st.composite
def _rows(draw: st.DrawFn, entity: str) -> list[dict[str, str]]:
    """The clean rows of an entity with any texts in them."""
    return [row | {name: draw(_texts) for name in FREE[entity]} for row in CLEAN[entity]]


def changed(clean: Sheet, chain: Chain) -> Sheet:
    for name, seed in chain:
        CHANGES[name](clean, random.Random(seed))
    return clean


def _comparable(row: dict[str, Any]) -> dict[str, Any]:
    """Columns in one order, and ids in one form: Postgres takes all that there are."""
    ids = {name: UUID(cell) for name, cell in row.items() if name in KEYS}
    return dict(sorted((row | ids).items()))


def is_guessed(written: Sheet) -> bool:
    """Whether the loader has to guess something of this file: its encoding, or its decimal mark."""
    return written.encoding == "cp1252" or written.decimal == ","


def read(folder: Path, written: Sheet) -> tuple[list[dict[str, Any]], int, int, Notes]:
    """What reader and parser make of a file: typed rows, how many were refused, how many cells, and what was said."""
    entity, notes = ENTITIES[written.entity], Notes()
    path = write(written, folder)
    reader = open_reader(path.name, OfContract(entity), path, notes)
    parser = BatchParser(entity, ZONE, notes)
    rows: list[dict[str, Any]] = []
    rejects = remarks = 0
    for raw in reader.batches():
        batch = parser.parse(raw)
        rows += map(_comparable, batch.rows.drop_columns("line").to_pylist())
        rejects, remarks = rejects + len(batch.rejects), remarks + len(batch.remarks)
    reader.close()
    assert reader.header.unknown == []
    return rows, rejects, remarks, notes


@pytest.mark.parametrize("entity", list(CLEAN))
@examples(60)
@given(chain=_chains, data=st.data())
def test_harmless_changes_are_read_the_same(tmp_path: Path, entity: str, chain: Chain, data: st.DataObject) -> None:
    rows = data.draw(_rows(entity))
    clean = read(tmp_path, sheet(entity, rows))
    assert clean[1:3] == (0, 0)
    written = changed(sheet(entity, rows), chain)
    found = read(tmp_path, written)
    assert found[:3] == clean[:3]
    assert {note.kind for note in found[3].all} <= {"understood", *(["guessed"] if is_guessed(written) else [])}


@examples(25)
@given(chain=_chains, data=st.data())
def test_of_a_file_with_faults_the_same_rows_are_refused(tmp_path: Path, chain: Chain, data: st.DataObject) -> None:
    rows = data.draw(_rows("sessions"))
    rows[1] |= {"status": "lost"}
    rows[2] |= {"rating": "9"}
    rows[4] |= {"scheduled_time": "soon"}
    clean = read(tmp_path, sheet("sessions", rows))
    assert clean[1:3] == (2, 1)
    assert read(tmp_path, changed(sheet("sessions", rows), chain))[:3] == clean[:3]


def load(database: Database, folder: Path) -> tuple[FolderSummary, dict[str, list[tuple[Any, ...]]]]:
    """Into an emptied database; what was said, and all that is stored but the times of the load."""
    empty_raw(database)
    summary = load_folder(database.as_role(DatabaseRole.INGEST), folder, timezone=ZONE)
    left_out = "'{created_at, loaded_at}'::text[]"
    with database.connect() as connection:
        stored = {
            entity: connection.execute(
                f"select to_jsonb(t) - {left_out} - case when t.is_person then 'updated_at' else '' end as content "
                f"from (select *, {entity in ('tutors', 'students')} as is_person from raw.{entity}) as t "
                "order by 1".encode()
            ).fetchall()
            for entity in ENTITIES
        }
        refused = connection.execute("select reason from raw.quarantine").fetchall()
    assert (refused, summary.errors, summary.remarks) == ([], [], 0)
    return summary, stored


@examples(5)
@given(data=st.data())
def test_harmless_changes_load_the_same(shared_database: Database, tmp_path: Path, data: st.DataObject) -> None:
    rows = {entity: data.draw(_rows(entity)) for entity in CLEAN}
    loaded = []
    for chains in (dict[str, Chain](), {entity: data.draw(_chains) for entity in CLEAN}):
        for path in tmp_path.iterdir():
            path.unlink()
        for entity in CLEAN:
            write(changed(sheet(entity, rows[entity]), chains.get(entity, [])), tmp_path)
        summary, stored = load(shared_database, tmp_path)
        loaded.append((stored, {file.entity: (file.read, file.inserted) for file in summary.files}))
    assert loaded[0] == loaded[1]
