"""Files into the landing directory, each complete before it has its name."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
from dlt.common.storages.load_package import ParsedLoadJobFileName

from connectors.pull.report import Report
from core.database import Database
from ingest.deletions import delete_sessions

DELETIONS = "deletions"


def land(folder: Path, name: str, write: Callable[[Path], object]) -> None:
    """Have `write` write a file, and give it its name when it is complete and on the disk."""
    part = folder / f".{name}.part"
    write(part)
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(folder / name)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def destination(folder: Path, database: Database, report: Report) -> Any:
    """dlt's destination: a file for each table of a load package, and deletions in the database.

    dlt commits its state together with the package. Whoever is killed before all of a package has landed lands it first
    the next time, under the same names: a file with the same content changes nothing when it is loaded again.
    """

    @dlt.destination(batch_size=0, loader_file_format="parquet", name="landing", naming_convention="direct")  # type: ignore[untyped-decorator]
    def landing(path: str, table: Any) -> None:
        content = pq.read_table(path, memory_map=True)
        if table["name"] == DELETIONS:
            ids = [str(each) for each in content.column("session_id").to_pylist()]
            report.gone += len(ids)
            deleted, refused = delete_sessions(database, ids, f"connector:{report.name}")
            report.deleted += deleted
            if refused:
                report.notes.append(f"deletions of what is no id, left out: {refused:,}")
            return
        # Of the package, so that files sort by the time at which they were read.
        package, file = Path(path).parents[1].name, ParsedLoadJobFileName.parse(path).file_id
        name = f"{table['name']}.{package}.{file}.parquet"
        land(folder, name, lambda part: pq.write_table(content, part))
        report.files.append(name)

    return landing


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as a table of texts, with all columns that one of them has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = {name: pa.array([_text(row.get(name)) for row in rows], pa.string()) for name in names}
    return pa.table(cells)


def _text(cell: Any) -> str | None:
    return None if cell is None else str(cell)
