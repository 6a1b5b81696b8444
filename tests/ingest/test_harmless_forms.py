"""Changes of a file that change nothing in it: whoever makes them gets the same rows."""

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from core.database import Database, DatabaseRole
from ingest import load_folder

pytestmark = pytest.mark.slow

Table = list[list[str]]

HEADER = [
    "session_id", "tutor_id", "student_id", "scheduled_time", "status", "subject", "duration_minutes", "rating",
    "reason_code", "updated_at",
]  # fmt: skip
REQUIRED = 5
TABLES = ("reschedules", "sessions", "tutors", "students", "quarantine", "loads", "changes")
CONTENT = """
select external_id, tutor_id, student_id, scheduled_time, status, subject, duration_minutes, rating, reason_code,
    updated_at
from raw.sessions order by 1
"""

# Letters that all encodings here have; and what makes cells hard to split.
_text = st.text(st.sampled_from("abzÄéñüß ,;|\t\"'\n"), max_size=12)
_session = st.tuples(
    st.sampled_from(["T1", "T2", "42"]),
    st.sampled_from(["S1", "S2"]),
    st.sampled_from(["2026-11-02T15:00:00Z", "2026-11-03 09:30"]),
    st.sampled_from(["scheduled", "completed", "no_show", "lost"]),
    _text,
    st.sampled_from(["", "45", "60"]),
    st.sampled_from(["", "5", "4.5", "9"]),
    st.sampled_from(["", "ill", "maladie é"]),
    st.sampled_from(["", "2026-11-04"]),
)
_tables = st.lists(_session, min_size=1, max_size=8).map(
    lambda rows: [HEADER, *([f"x{number}", *row] for number, row in enumerate(rows))]
)


def respelt(header: list[str], draw: Callable[..., Any]) -> list[str]:
    spellings: list[Callable[[str], str]] = [
        str.upper,
        str.title,
        lambda name: name.replace("_", " ").title(),
        lambda name: name.replace("_", "-"),
        lambda name: name.title().replace("_", ""),
        lambda name: f" {name} ",
    ]
    return [draw(st.sampled_from([str, *spellings]))(name) for name in header]


def reshaped(table: Table, draw: Callable[..., Any]) -> Table:
    """Blank rows, the header again, empty cells too many, and empty optional cells too few."""
    header, *rows = table
    first = header + [""] * draw(st.integers(0, 2))
    between = st.sampled_from([None, [], [""] * len(first), [" "] * (len(first) + 2), first])
    new: Table = [[""] * draw(st.integers(0, 3)) for _ in range(draw(st.integers(0, 2)))]
    new.append(first)
    for row in rows:
        if (line := draw(between)) is not None:
            new.append(line)
        cells = row + [""] * draw(st.integers(0, 3))
        # A row over several lines needs all of its cells: a quote that is never closed makes such rows, too.
        is_short = not any("\n" in cell for cell in row)
        while is_short and len(cells) > REQUIRED and not cells[-1] and draw(st.booleans()):
            cells = cells[:-1]
        new.append(cells)
    return new


def written(table: Table, draw: Callable[..., Any]) -> bytes:
    delimiter = draw(st.sampled_from(",;\t|"))
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=delimiter,
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )
    writer.writerows(table)
    hint = draw(st.sampled_from(["", f"sep={delimiter}\r\n"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]))
    return (hint + text.getvalue()).encode(encoding)


def content(database: Database, folder: Path, name: str, data: bytes) -> tuple[list[tuple[Any, ...]], int]:
    """The sessions, and how many rows were refused, after this file alone."""
    with database.connect() as connection:
        for table in TABLES:
            connection.execute(f"delete from raw.{table}".encode())
    for path in folder.iterdir():
        path.unlink()
    (folder / name).write_bytes(data)
    summary = load_folder(database.as_role(DatabaseRole.INGEST), folder, timezone="UTC")
    assert summary.errors == []
    with database.connect() as connection:
        return connection.execute(CONTENT.encode()).fetchall(), summary.quarantined


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=_tables, data=st.data())
def test_harmless_changes_of_form(shared_database: Database, tmp_path: Path, table: Table, data: st.DataObject) -> None:
    plain = io.StringIO()
    csv.writer(plain).writerows(table)
    expected = content(shared_database, tmp_path, "sessions.csv", plain.getvalue().encode())

    changed = written(reshaped([respelt(table[0], data.draw), *table[1:]], data.draw), data.draw)
    if data.draw(st.booleans()):
        found = content(shared_database, tmp_path, "sessions-2026.tsv.gz", gzip.compress(changed))
    else:
        found = content(shared_database, tmp_path, "Sessions (1).CSV", changed)

    assert found == expected
