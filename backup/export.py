"""The marts as Parquet files: what analysts read, in one snapshot, in a folder that is there whole or not at all."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from psycopg import sql
from psycopg.rows import class_row

from backup.make import frozen
from core import audit
from core.database import Database, DatabaseRole
from core.errors import TutorqError

MANIFEST = "manifest.json"
FORMAT = 1
# Rows that are in memory at a time, as one row group of a file; and bytes of text that are read at a time.
ROWS, BLOCK = 100_000, 4 << 20
# Tables that grow for ever, and the day by whose month they are cut into folders.
BY_MONTH = {"fct_sessions": "scheduled_on"}

TABLES = """
select relname::text as name, obj_description(pg_class.oid, 'pg_class') as description
from pg_class where relnamespace = 'analytics'::regnamespace and relkind = 'v' order by relname
"""
COLUMNS = """
select attname::text as name, format_type(atttypid, atttypmod) as type, col_description(attrelid, attnum) as description
from pg_attribute
where attrelid = format('analytics.%%I', %s::text)::regclass and attnum > 0 and not attisdropped order by attnum
"""
PUBLICATION = "select as_of, generation, published_at from analytics.publication"

ARROW = {
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "double precision": pa.float64(),
    "integer": pa.int32(),
    "real": pa.float32(),
    "smallint": pa.int16(),
    "text[]": pa.list_(pa.string()),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Column:
    """A column of a mart, by the name and the type that Postgres has for it."""

    name: str
    type: str
    description: str | None

    @property
    def arrow(self) -> "pa.Field[Any]":
        kind = ARROW.get(self.type, pa.string())
        if self.type.startswith("numeric("):
            precision, scale = self.type.removeprefix("numeric(").rstrip(")").split(",")
            kind = pa.decimal128(int(precision), int(scale))
        return pa.field(self.name, kind, metadata={"description": self.description or ""})

    @property
    def as_csv(self) -> sql.Composable:
        """The column as the reader of CSV takes it: lists as JSON, and no day that never comes."""
        name = sql.Identifier(self.name)
        if self.type == "text[]":
            return sql.SQL("to_json({})").format(name)
        if self.type in ("date", "timestamp with time zone"):
            return sql.SQL("case when isfinite({0}) then {0} end").format(name)
        return name


@dataclass
class File:
    """A file of a mart; its path is that below the folder."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass
class Table:
    """A mart and the files that it is in."""

    name: str
    description: str | None
    columns: list[Column] = field(default_factory=list)
    files: list[File] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@dataclass
class Export:
    """What the folder holds: the content of manifest.json."""

    as_of: str
    generation: int
    published_at: str
    tables: list[Table]

    def to_dict(self) -> dict[str, Any]:
        tables = [{**asdict(table), "rows": table.rows, "bytes": table.bytes} for table in self.tables]
        head = {"format": FORMAT, "tutorq_version": version("tutorq"), "made_at": datetime.now(UTC).isoformat()}
        return {**head, **asdict(self), "tables": tables}


def export_marts(database: Database, folder: Path, *, tell: Callable[[str], None] = lambda _: None) -> Export:
    """Write every view of `analytics` into `folder`, as one moment has them, with personal data masked.

    Memory does not grow with the rows. An earlier export in `folder` is replaced when the new one is complete; scoring
    waits meanwhile, posts and readers go on.

    Raises:
        TutorqError: there are no marts, the folder has something else in it, or something failed; then it is as it was.
    """
    folder = folder.absolute()
    _refuse_other(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise TutorqError(f"cannot write beside {folder}: {error.strerror}") from error
    reader = database.as_role(DatabaseRole.TRANSFORM)
    try:
        with frozen(reader, tell) as (connection, _):
            export = _write(connection, part, tell)
        told = {"rows": sum(table.rows for table in export.tables), "format": "parquet"}
        with reader.connect() as connection:
            audit.record(connection, audit.Entry(audit.operator(), audit.Action.EXPORT, "export", "marts", told))
        (part / MANIFEST).write_text(json.dumps(export.to_dict(), indent=2) + "\n")
        _put_in_place(part, folder)
    except OSError as error:
        raise TutorqError(f"the export failed, and {folder} is as it was: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return export


def _refuse_other(folder: Path) -> None:
    """Nothing but an earlier export is replaced: what else is in a folder may be somebody's work."""
    if folder.is_dir() and any(folder.iterdir()) and not _is_export(folder):
        raise TutorqError(f"{folder} has other files in it; name a folder that is new, empty, or of an earlier export")
    if folder.exists() and not folder.is_dir():
        raise TutorqError(f"{folder} is a file; name a folder")


def _is_export(folder: Path) -> bool:
    """Whether its manifest is one of ours: other programs name files so, too."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return False
    return (
        isinstance(manifest, dict)
        and manifest.get("format") == FORMAT
        and isinstance(manifest.get("tutorq_version"), str)
        and isinstance(manifest.get("tables"), list)
    )


def _put_in_place(part: Path, folder: Path) -> None:
    """Two renames: for an instant there is no folder, but at no time half of one."""
    if not folder.exists():
        part.rename(folder)
        return
    old = part.with_name(f"{part.name}.old")
    folder.rename(old)
    try:
        part.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old)


def _write(connection: psycopg.Connection, part: Path, tell: Callable[[str], None]) -> Export:
    with connection.cursor(row_factory=class_row(Table)) as cursor:
        tables = cursor.execute(TABLES).fetchall()
    publication = connection.execute(PUBLICATION).fetchone() if tables else None
    if publication is None:
        raise TutorqError("there are no marts yet: run `tutorq score` first")
    as_of, generation, published_at = publication
    for table in tables:
        tell(table.name)
        with connection.cursor(row_factory=class_row(Column)) as cursor:
            table.columns = cursor.execute(COLUMNS, [table.name]).fetchall()
        try:
            table.files = [*_files(connection, table, part)]
        except pa.ArrowException as error:
            raise TutorqError(f"analytics.{table.name} has a value that Parquet cannot hold: {error}") from error
    return Export(as_of.isoformat(), generation, published_at.isoformat(), tables)


def _files(connection: psycopg.Connection, table: Table, part: Path) -> Iterator[File]:
    """Write the files of a mart: one, or one for each month."""
    day = BY_MONTH.get(table.name)
    schema = pa.schema([column.arrow for column in table.columns])
    copied = part / f"{table.name}.csv"
    _copy(connection, table, day, copied)
    for month, groups in _by_month(_groups(copied, table.columns, schema), day):
        folder = part / table.name / f"month={month}" if month else part / table.name
        folder.mkdir(parents=True)
        path, rows = folder / "part-0.parquet", 0
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for group in groups:
                writer.write_table(group)
                rows += group.num_rows
        with path.open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        yield File(path.relative_to(part).as_posix(), rows, path.stat().st_size, digest)
    copied.unlink()


def _copy(connection: psycopg.Connection, table: Table, day: str | None, path: Path) -> None:
    """The rows as CSV, ordered by `day` if there is one. Through a file: Arrow reads in threads of its own, which a
    connection does not take."""
    columns = sql.SQL(", ").join(column.as_csv for column in table.columns)
    order = sql.SQL("order by {}").format(sql.Identifier(day)) if day else sql.SQL("")
    statement = sql.SQL("copy (select {} from {} {}) to stdout (format csv)").format(
        columns, sql.Identifier("analytics", table.name), order
    )
    with path.open("wb") as file, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for block in copy:
            file.write(block)


def _groups(path: Path, columns: Sequence[Column], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of a CSV file, about ROWS at a time and at least once."""
    waiting: list[pa.RecordBatch] = []
    for batch in _read(path, columns) if path.stat().st_size else ():
        waiting.append(_with_lists(batch, columns, schema))
        if sum(each.num_rows for each in waiting) >= ROWS:
            yield pa.Table.from_batches(waiting)
            waiting = []
    yield pa.Table.from_batches(waiting, schema=schema)


def _read(path: Path, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    """Null is nothing between commas, and an empty text is two quotes."""
    types = {column.name: pa.string() if column.type == "text[]" else column.arrow.type for column in columns}
    return iter(
        pyarrow.csv.open_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(block_size=BLOCK, column_names=list(types)),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types, null_values=[""], true_values=["t"], false_values=["f"],
                strings_can_be_null=True, quoted_strings_can_be_null=False,
            ),
        )
    )  # fmt: skip


def _with_lists(batch: pa.RecordBatch, columns: Sequence[Column], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        pa.array([text and json.loads(text) for text in array.to_pylist()], column.arrow.type)
        if column.type == "text[]"
        else array
        for column, array in zip(columns, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _by_month(groups: Iterator[pa.Table], day: str | None) -> Iterator[tuple[str | None, Iterator[pa.Table]]]:
    """The groups of each month, of rows that are ordered by day; without a day, all groups together."""
    if day is None:
        yield None, groups
        return

    def cut() -> Iterator[tuple[str, pa.Table]]:
        for group in groups:
            months: Any = pc.strftime(group[day], "%Y-%m")
            months = pc.fill_null(months, "unknown")
            for month in pc.unique(months).to_pylist():
                yield month, group.filter(pc.equal(months, month))

    for month, pieces in groupby(cut(), lambda piece: piece[0]):
        yield month, (piece for _, piece in pieces)
