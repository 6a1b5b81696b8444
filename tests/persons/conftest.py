"""A published marketplace that two people have joined by landing files, with rows of all kinds about them."""

import csv
import gzip
import hashlib
import io
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backup.programs import find_programs
from core.database import Database
from core.settings import Settings
from ingest.contract import ENTITIES
from ingest.ids import entity_uuid
from ingest.landing_directory import Taken, take_files
from tests.conftest import PUBLISHED, Postgres
from tests.marts import DAY

TUTOR, STUDENT = "T-Erase-77", "St-Erase-88"
# The first tutor of marketplace.sql.
OTHER = str(UUID(hashlib.md5(b"tutor1", usedforsecurity=False).hexdigest()))
NAMES = ("Zenobia Quill", "Quentin Vermeer")
EMAIL = "Zenobia.Quill@example.org"
SESSION, LESSON, PLANNED = "Z-1", "Q-1", "Q-planned"
EVERYWHERE = Path(__file__).parent / "everywhere.sql"
# None of these may be found anywhere once both are erased.
NEEDLES = (
    *(TUTOR, STUDENT, EMAIL, *NAMES),
    *(str(entity_uuid(each)) for each in (TUTOR, STUDENT)),
    *(entity_uuid(each).hex for each in (TUTOR, STUDENT)),
)


@dataclass
class Marketplace:
    """Settings and database of the marketplace."""

    settings: Settings
    database: Database

    def land(self) -> list[Taken]:
        """Drop the files, and have them loaded."""
        drop_files(self.settings.landing)
        taken = []
        for entity in ENTITIES:
            taken += take_files(self.database, self.settings.landing, entity, timezone="UTC")
        return taken

    def values(self, query: str, parameters: Sequence[object] = ()) -> list[object]:
        with self.database.connect() as connection:
            return [row[0] for row in connection.execute(query.encode(), parameters)]

    def value(self, query: str, parameters: Sequence[object] = ()) -> object:
        [value] = self.values(query, parameters)
        return value

    def dump(self) -> str:
        """All that is in the database, as text."""
        with self.database.connect() as connection:
            programs = find_programs(connection.info.server_version // 10_000, tls=False)
        environment = {**os.environ, **self.database.libpq_environment()}
        command = [programs.dump, "--no-owner"]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    def files(self) -> dict[Path, str]:
        """The content of all files of the home as text, compressed ones opened, mail decoded."""
        return {path: _text(path) for path in sorted(self.settings.home.rglob("*")) if path.is_file()}


@pytest.fixture
def joined(postgres: Postgres, tmp_path: Path) -> Marketplace:
    database = postgres.new_database(tmp_path, PUBLISHED)
    settings = Settings.model_validate(
        {"home": tmp_path, "database_url": database.login_url, "as_of": DAY.isoformat(), "erasure_key": "key of tests"}
    )
    marketplace = Marketplace(settings, Database(settings))
    settings.landing.mkdir()
    marketplace.land()
    return marketplace


def fill(marketplace: Marketplace) -> None:
    """Add rows of all kinds about the two, and mail to the outbox."""
    ids = {"tutor": TUTOR, "student": STUDENT, "other": OTHER, "session": SESSION, "lesson": LESSON}
    quoted = {name: f"'{entity_uuid(text)}'::uuid" for name, text in ids.items()}
    script = EVERYWHERE.read_text().format(**quoted)
    with marketplace.database.connect() as connection:
        connection.execute(script.encode())
    outbox = marketplace.settings.outbox_dir
    outbox.mkdir()
    for number, text in enumerate((f"Dear {NAMES[0]},\n" + "é" * 200, "Dear Ann,\nall is well.")):
        message = EmailMessage()
        message["To"], message["Subject"] = "somebody@example.org", "Your month"
        message.set_content(text, cte="base64")
        (outbox / f"{number}.eml").write_bytes(message.as_bytes())


def drop_files(landing: Path) -> None:
    rows = list(_sessions())
    half = len(rows) // 2
    header = ("session_id", "tutor_id", "student_id", "scheduled_time", "status", "rating", "subject")
    _write(landing / "tutors.csv", ("tutor_id", "name", "email"), [
        (TUTOR, NAMES[0], EMAIL), ("T-Stays-1", "Wilma Stone", "wilma@example.org"),
    ])  # fmt: skip
    students = {"student_id": [STUDENT, "St-Stays-1"], "name": [NAMES[1], "Peter Plain"], "age": [12, 13]}
    pq.write_table(pa.table(students), landing / "students.parquet")
    _write(landing / "sessions.csv", header, rows[:half])
    text = io.StringIO()
    csv.writer(text).writerows(
        [header, *rows[half:], ("Z-bad", TUTOR, STUDENT, "2026-01-05T10:00:00Z", "weird", "", "")]
    )
    (landing / "sessions-2.csv.gz").write_bytes(gzip.compress(text.getvalue().encode()))
    moves = ("session_id", "initiator", "reason", "requested_at", "original_time", "new_time")
    _write(landing / "reschedules.csv", moves, [
        (SESSION, "tutor", f'{NAMES[0]} was ill,\nor so', "2026-01-09T08:00:00Z", "2026-01-10T10:00:00Z", ""),
        (LESSON, "student", f"{NAMES[1]} had a test", "2026-01-11T08:00:00Z", "2026-01-12T10:00:00Z", ""),
    ])  # fmt: skip
    # Files that have just been written are not taken yet.
    old = time.time() - 60
    for path in landing.iterdir():
        if path.is_file():
            os.utime(path, (old, old))


def _sessions() -> list[tuple[object, ...]]:
    start = datetime(2026, 1, 10, 10, tzinfo=UTC)
    rows: list[tuple[object, ...]] = [
        (SESSION, TUTOR, "St-Stays-1", start.isoformat(), "rescheduled", "", "maths"),
        (LESSON, OTHER, STUDENT, (start + timedelta(days=2)).isoformat(), "rescheduled", "", "maths"),
    ]
    for number in range(2, 12):
        when = (start + timedelta(days=number)).isoformat()
        rows.append((f"Z-{number}", TUTOR, (STUDENT, "St-Stays-1")[number % 2], when, "completed", 4, "maths"))
        rows.append((f"Q-{number}", (OTHER, "T-Stays-1")[number % 2], STUDENT, when, "completed", 5, "maths"))
        rows.append((f"P-{number}", "T-Stays-1", "St-Stays-1", when, "completed", 3, "maths"))
    rows.append((PLANNED, OTHER, STUDENT, "2026-03-01T10:00:00Z", "scheduled", "", "maths"))
    return rows


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def _text(path: Path) -> str:
    import email
    import email.policy

    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data).decode()
    if path.suffix == ".parquet":
        return str(pq.read_table(path).to_pylist())
    if path.suffix == ".eml":
        message = email.message_from_bytes(data, policy=email.policy.default)
        return f"{message['To']} {message['Subject']} {message.get_content()}"
    return data.decode("utf-8", "replace")


def stored_of(connection: psycopg.Connection, table: str) -> list[str]:
    """Rows of a table as text, without the times at which they were written."""
    times = " - '{created_at,updated_at,loaded_at}'::text[]"
    rows = connection.execute(f"select (to_jsonb(t){times})::text from {table} as t order by 1".encode())
    return [row[0] for row in rows]
