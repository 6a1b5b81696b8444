"""What tests of the many shapes of landing files share: a folder of files in, what came of it out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.database import Database
from ingest import FolderSummary, load_folder

HEADER = "session_id,tutor_id,student_id,scheduled_time,status"
ROW = "x1,T1,S1,2026-11-02T15:00:00Z,completed"
SESSION = f"{HEADER}\n{ROW}\n"


def load(database: Database, folder: Path, files: Mapping[str, str | bytes], **options: Any) -> FolderSummary:
    """Write the files into the folder, and load it."""
    for source, content in files.items():
        path = folder / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_folder(database, folder, timezone="UTC", **options)


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return connection.execute(query.encode()).fetchall()


def session_ids(database: Database) -> list[str]:
    return [name for (name,) in rows(database, "select external_id from raw.sessions order by 1")]


def notes(summary: FolderSummary) -> list[tuple[str, str]]:
    """Kind and words of each note, of all files."""
    return [(note.kind, str(note)) for file in summary.files for note in file.notes]
