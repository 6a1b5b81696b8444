"""A clean folder, written in any other way that means the same, loads the same.

`CHANGES` are functions of a row, changed in place, and a random generator: of values here; changes of form (encoding,
delimiter, header, rows) are in test_harmless_forms.py.
"""

import csv
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from core.database import Database, DatabaseRole
from ingest import FolderSummary, load_folder
from ingest.contract import ENTITIES, Kind
from ingest.ids import NAMESPACE, is_uuid
from tests.ingest.conftest import empty_raw

pytestmark = pytest.mark.slow

ZONE = "Europe/Vienna"
Row = dict[str, str]
Folder = dict[str, list[Row]]


def _uuid(number: int) -> str:
    return str(UUID(int=NAMESPACE.int + number))


CLEAN: Folder = {
    "tutors": [
        {
            "tutor_id": _uuid(1), "name": "Ada", "email": "ada@example.org", "subjects": "math;physics, applied",
            "is_active": "true", "hired_at": "2020-02-29", "capacity": "12", "experience_years": "7.5",
            "teaching_style": "flexible", "preferred_pace": "1",
        },
        {
            "tutor_id": "12", "name": "Bo None", "email": "", "subjects": "", "is_active": "false", "hired_at": "",
            "capacity": "", "experience_years": "", "teaching_style": "", "preferred_pace": "",
        },
    ],
    "students": [
        {"student_id": "7", "name": "Cy", "age": "12", "subjects": "latin", "preferred_teaching_style": "structured"}
    ],
    "sessions": [
        {
            "session_id": f"s{number}" if number % 2 else _uuid(100 + number), "tutor_id": tutor, "student_id": "7",
            "scheduled_time": scheduled, "status": status, "subject": "math", "started_at": started, "rating": rating,
            "duration_minutes": "60", "initiator": initiator, "technical_issue": "true" if number == 2 else "",
            "updated_at": "2026-03-31T10:00:00Z",
        }
        for number, (tutor, scheduled, status, started, rating, initiator) in enumerate([
            (_uuid(1), "2026-03-29T00:30:00Z", "completed", "2026-03-29T00:36:00Z", "4.5", ""),
            ("12", "2026-03-29T01:30:00Z", "no_show", "", "", "tutor"),
            (_uuid(1), "2026-07-01T15:00:00.25Z", "cancelled", "", "", "platform"),
            ("12", "2026-12-31T23:00:00Z", "rescheduled", "", "", ""),
            (_uuid(1), "2026-10-25T01:30:00Z", "scheduled", "", "", ""),
        ])
    ],
    "reschedules": [
        {"session_id": "s3", "initiator": "student", "reason": "ill", "requested_at": "2026-12-01T08:05:00Z",
         "original_time": "", "new_time": "2026-12-31T23:00:00Z"},
    ],
}  # fmt: skip


def _kinds(entity: str, *kinds: Kind) -> list[str]:
    return [column.name for column in ENTITIES[entity].columns if column.kind in kinds]


def _spell_words(entity: str, row: Row, draw: random.Random) -> None:
    for name in _kinds(entity, Kind.CHOICE):
        word = row.get(name, "")
        word = draw.choice(
            [word, word.upper(), word.title(), word.replace("_", " "), word.replace("_", "-"), f" {word} "]
        )
        row[name] = draw.choice([word, word.replace("_", "")]).replace(
            "cancelled", draw.choice(["cancelled", "canceled"])
        )


def _spell_booleans(entity: str, row: Row, draw: random.Random) -> None:
    forms = {"true": ["T", "Yes", "y", "ON", "1", "1.0", "TRUE"], "false": ["F", "No", "n", "off", "0", "0.0", "False"]}
    for name in _kinds(entity, Kind.BOOLEAN):
        if row.get(name):
            row[name] = draw.choice(forms.get(row[name], [row[name]]))


def _empty(entity: str, row: Row, draw: random.Random) -> None:
    marks = ["NULL", "null", "NaN", "nan", r"\N", "#N/A", "N/A", "n/a", "-", "--", "  ", ""]
    words = [*marks, "None", "none", "NA"]
    texts = _kinds(entity, Kind.TEXT, Kind.TEXTS, Kind.ID)
    times = _kinds(entity, Kind.TIME, Kind.DATE)
    for name, cell in row.items():
        if not cell:
            sentinels = (
                ["0000-00-00", "0000-00-00 00:00:00", "0001-01-01T00:00:00", "1900-01-00"] if name in times else []
            )
            row[name] = draw.choice(marks if name in texts else words + sentinels)


def _write_times(entity: str, row: Row, draw: random.Random) -> None:
    for name in _kinds(entity, Kind.TIME):
        if not row.get(name, "").endswith("Z"):
            continue
        time = datetime.fromisoformat(row[name]).astimezone(UTC)
        zoned = time.astimezone(ZoneInfo(draw.choice([ZONE, "America/St_Johns", "Asia/Kolkata"])))
        fraction = f".{time.microsecond:06}" if time.microsecond else ""
        offset = zoned.strftime("%z")
        bracket = f"[{zoned.tzinfo}]"
        row[name] = draw.choice([
            zoned.isoformat(),
            f"{time:%Y-%m-%d %H:%M:%S}{fraction} UTC",
            f"{time:%Y-%m-%d %H:%M:%S}{fraction} +0000",
            f"{time:%Y-%m-%dt%H:%M:%S}{fraction}z",
            f"{time:%Y-%m-%dT%H:%M:%S}{fraction.replace('.', ',')} Z",
            f"{time:%Y/%m/%d} {time.hour}:{time:%M:%S}{fraction} GMT",
            f"{zoned:%Y-%m-%dT%H:%M:%S}{fraction}{offset[:3]}:{offset[3:]}{bracket}",
            f"{zoned:%d %b %Y %H:%M:%S}{fraction} {offset}",
            row[name] if fraction else f"{time:%Y%m%dT%H%M%SZ}",
            f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond:06}789Z",
        ])  # fmt: skip


def _write_dates(entity: str, row: Row, draw: random.Random) -> None:
    for name in _kinds(entity, Kind.DATE):
        if row.get(name, "").startswith("20") and len(row[name]) == 10:
            day = datetime.fromisoformat(row[name])
            row[name] = draw.choice([f"{row[name]} 23:30:00-05:00", f"{row[name]}T09:00", f"{day:%d %B %Y}", row[name]])


def _write_ids(entity: str, row: Row, draw: random.Random) -> None:
    for name in _kinds(entity, Kind.ID):
        text = row[name]
        if is_uuid(text):
            key = UUID(text)
            row[name] = draw.choice([text.upper(), key.hex, f"{{{text}}}", key.urn, key.urn.upper(), f"{{{key.hex}}}"])
        elif text.isdigit():
            row[name] = draw.choice([text, f"{text}.0", f" {text} "])


def _write_lists(entity: str, row: Row, draw: random.Random) -> None:
    for name in _kinds(entity, Kind.TEXTS):
        if ";" in row.get(name, ""):
            parts = row[name].split(";")
            quoted = ",".join(f'"{part}"' for part in parts)
            row[name] = draw.choice([f"[{quoted}]", f"{{{quoted}}}", " | ".join(parts), " ; ".join(parts) + ";"])


def _wrap_addresses(entity: str, row: Row, draw: random.Random) -> None:
    for name in _kinds(entity, Kind.EMAIL):
        if row.get(name, "").startswith("ada@"):
            row[name] = draw.choice([f"Ada <{row[name]}>", f"mailto:{row[name]}", f'"Lovelace, Ada" <{row[name]}>'])


def _write_numbers(entity: str, row: Row, draw: random.Random) -> None:
    for name in _kinds(entity, Kind.INTEGER):
        if row.get(name, "").isdigit():
            row[name] = draw.choice([row[name], f"{row[name]}.0", f"+{row[name]}"])
    if "rating" in row and not row["rating"]:
        row["rating"] = draw.choice(["", "0", "0.0"])


Change = Callable[[str, Row, random.Random], None]
CHANGES: list[Change] = [
    _spell_words, _spell_booleans, _write_times, _write_dates, _write_ids, _write_lists, _wrap_addresses,
    _write_numbers, _empty,
]  # fmt: skip


def write(folder: Path, content: Folder) -> None:
    for entity, rows in content.items():
        with (folder / f"{entity}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.permutations(CHANGES), count=st.integers(1, len(CHANGES)), seed=st.integers(0, 2**32))
def test_harmless_changes_load_the_same(
    shared_database: Database, tmp_path: Path, changes: list[Change], count: int, seed: int
) -> None:
    write(tmp_path, CLEAN)
    summary, expected = load(shared_database, tmp_path)
    assert [note for file in summary.files for note in file.notes] == []
    changed = {entity: [dict(row) for row in rows] for entity, rows in CLEAN.items()}
    draw = random.Random(seed)
    for change in changes[:count]:
        for entity, rows in changed.items():
            for row in rows:
                change(entity, row, draw)
    write(tmp_path, changed)
    summary, stored = load(shared_database, tmp_path)
    assert stored == expected
    kinds = {note.kind for file in summary.files for note in file.notes}
    assert kinds <= {"understood"}
