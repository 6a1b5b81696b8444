"""Load landing files into the schema `raw`, each in one transaction."""

import csv
import io
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg.types.json import Jsonb

from core.database import Database
from core.errors import DatabaseUnreachableError, TutorqError
from ingest import inside, merge
from ingest.batches import Reject
from ingest.checksums import checksum, fingerprint
from ingest.contract import ENTITIES, SESSIONS, Entity
from ingest.files import NAMES_HINT, entity_of
from ingest.folder import files_to_load
from ingest.mapping import FileMapping, read_mapping
from ingest.merge import MergeSql
from ingest.notes import Notes
from ingest.parser import BatchParser, TypedBatch, quarantine_json, staged_columns
from ingest.parts import Parts
from ingest.readers import Reader, open_mapped
from ingest.summary import FileError, FileSummary, FolderSummary, Progress
from ingest.unknown import unknown_people

# Rows merged per statement: Postgres keeps the pending foreign key checks of a statement in memory.
SLICE_ROWS = 250_000
# From here on, statistics of the table are stale enough to mislead the queries that follow a load.
ANALYZE_ROWS = 10_000
UNMIGRATED_ERRORS = (
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
)

GROUP = (
    "is one of several students in one session: with `group_lessons: true` in a mapping each of them has a session of "
    "the lesson"
)
OVERRULED = "was replaced by this line's version, which has the same updated_at but other content"

log = logging.getLogger(__name__)

OnProgress = Callable[[Progress], None]


def load_folder(
    database: Database,
    folder: Path,
    *,
    timezone: str,
    mapping: Path | None = None,
    override_by: str | None = None,
    is_strict: bool = False,
    on_progress: OnProgress | None = None,
) -> FolderSummary:
    """Load all landing files of a folder; a file that cannot be loaded does not stop the others.

    Folders of months in it (`2026-01`, `year=2026/month=01`) are part of it, others are not.

    Args:
        timezone: zone in which times without an offset are read, such as `Europe/Vienna`.
        mapping: how all its files are read; by default each by the nearest `mapping.yml` in the folder, if any.
        is_strict: refuse files for which something had to be guessed.
        override_by: who says that these sessions and reschedules replace what is stored, even if that is newer. Each
            one that would not win by itself is noted in `app.audit_log`, which takes the owner of the database.

    Raises:
        TutorqError: there is no such folder, or no landing file in it, or its mapping is wrong.
    """
    started = time.monotonic()
    found_files, others = files_to_load(folder, read_mapping(mapping) if mapping else None)
    if not found_files:
        found = "".join(f"; {each}" for each in others if each.why)
        raise TutorqError(f"no landing file in {folder}; it takes files named like {NAMES_HINT}{found}")
    files: list[FileSummary] = []
    errors: list[FileError] = []
    for file in found_files:
        source = file.path.relative_to(folder).as_posix()
        try:
            with _opened(folder, source) as content:
                summary = load_file(
                    database,
                    file.path,
                    timezone=timezone,
                    entity=file.entity,
                    source=source,
                    content=content,
                    mapping=file.mapping,
                    override_by=override_by,
                    is_strict=is_strict,
                    on_progress=on_progress,
                )
            files.append(summary)
        except TutorqError as error:
            errors.append(FileError(source, str(error)))
        except OSError as error:
            errors.append(FileError(source, f"cannot read {file.path}: {error.strerror or error}"))
        except Exception as error:
            errors.append(FileError(source, unexpected(source, error)))
    unknown = []
    if any(file.entity == SESSIONS.name for file in files):
        with database.connect() as connection:
            unknown = unknown_people(connection, [file.load_id for file in files])
    return FolderSummary(
        source=str(folder),
        seconds=round(time.monotonic() - started, 3),
        files=files,
        errors=errors,
        others=others,
        unknown_people=unknown,
    )


def load_file(
    database: Database,
    path: Path,
    *,
    timezone: str,
    entity: str | None = None,
    source: str | None = None,
    override_by: str | None = None,
    content: Path | Parts | None = None,
    mapping: FileMapping | None = None,
    is_strict: bool = False,
    on_progress: OnProgress | None = None,
) -> FileSummary:
    """Load one landing file in one transaction; loading it again changes nothing.

    Args:
        timezone: zone in which times without an offset are read.
        entity: `tutors`, `students`, `sessions` or `reschedules`; by default the file name tells.
        source: what the file is called in `raw`; by default its name.
        override_by: as above.
        content: where to read it, if not by its path, which anybody may change meanwhile.
        mapping: how files are read whose columns or values are not the contract's.
        is_strict: refuse a file for which something had to be guessed.

    Raises:
        TutorqError: the file as a whole cannot be read, somebody writes to it meanwhile, or the database refuses;
            then nothing is loaded.
    """
    contract = _contract(path, entity)
    source = source or path.name
    if content is None:
        content = Parts(path.parent, path.name) if path.is_dir() else path
    started, found = time.monotonic(), _fingerprint(content)
    digest = content.checksum() if isinstance(content, Parts) else checksum(content)

    def check_unchanged() -> None:
        if _fingerprint(content) != found:
            raise TutorqError(f"{source} changed while it was read; load it when it is complete")

    notes = Notes()
    reader = open_mapped(source, contract, content, notes, timezone, mapping)
    if mapping is not None and mapping.timezone is not None:
        timezone = mapping.timezone
    try:
        with database.connect() as connection:
            digest_of_mapping = mapping.checksum if mapping else None
            load = _Load(connection, contract, source, reader, notes, digest_of_mapping, override_by, on_progress)
            summary = load.run(timezone, digest, found, started, check_unchanged, is_strict=is_strict)
        if summary.inserted + summary.updated >= ANALYZE_ROWS:
            with database.connect(autocommit=True) as connection:
                connection.execute("select raw.analyze_table(%s)", [contract.name])
    except UNMIGRATED_ERRORS as error:
        raise TutorqError("the database has no tables yet, or older ones: run `tutorq db migrate`") from error
    except psycopg.Error as error:
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            # A lost connection, a deadlock, a full disk: nothing is wrong with the file.
            reason = "; its disk is full" if isinstance(error, psycopg.errors.DiskFull) else ""
            raise DatabaseUnreachableError(f"{path.name}: the database could not take it now{reason}") from error
        # Its own words may quote rows, which are nobody's business in a log.
        raise TutorqError(f"{path.name}: the database refused it ({type(error).__name__})") from error
    finally:
        reader.close()
    return summary


def unexpected(source: str, error: Exception) -> str:
    """What is told of a file whose load failed for a reason that nobody foresaw. The log has where it happened; the
    error's own words may quote rows, which are nobody's business there."""
    name = type(error).__name__
    log.error("%s cannot be read: %s\n%s", source, name, "".join(traceback.format_tb(error.__traceback__)))
    return f"{source} cannot be read: {name}; this is a fault of tutorq: please report it with the traceback in the log"


@contextmanager
def _opened(folder: Path, source: str) -> Iterator[Path | Parts]:
    path = folder / source
    if path.is_dir():
        yield Parts(folder, source)
        return
    try:
        with inside.opened(folder, source) as descriptor:
            yield inside.path_of(descriptor, path)
    except OSError as error:
        raise TutorqError(f"cannot read {path}: {error.strerror}") from error


def _fingerprint(content: Path | Parts) -> str:
    return content.present_fingerprint() if isinstance(content, Parts) else fingerprint(content)


def _contract(path: Path, entity: str | None) -> Entity:
    if entity is None:
        return entity_of(path)
    if entity not in ENTITIES:
        raise TutorqError(f"{entity!r} is not one of {', '.join(ENTITIES)}")
    return ENTITIES[entity]


class _Load:
    """The transaction that loads one file."""

    def __init__(
        self,
        connection: psycopg.Connection,
        entity: Entity,
        source: str,
        reader: Reader,
        notes: Notes,
        mapping: str | None,
        override_by: str | None,
        on_progress: OnProgress | None,
    ) -> None:
        self._mapping = mapping
        self._connection = connection
        self._entity = entity
        self._source = source
        self._reader = reader
        self._notes = notes
        self._override_by = override_by if entity.is_versioned else None
        self._on_progress = on_progress
        columns = staged_columns(entity, set(reader.header.positions))
        self._sql = MergeSql(entity, columns, overrides=self._override_by is not None)
        self._staged_rows = 0
        self._rejected_rows = 0
        self._remarks = 0

    def run(
        self,
        timezone: str,
        digest: str,
        state: str,
        started: float,
        check_unchanged: Callable[[], None],
        *,
        is_strict: bool,
    ) -> FileSummary:
        # COPY reads the staged times in it, and times become text in canonical content.
        self._execute("set local timezone to 'UTC'")
        self._execute("set local work_mem to '64MB'")
        self._stage(timezone)
        self._note_lessons()
        if is_strict:
            self._check_nothing_guessed()
        self._add_stubs()
        inserted, updated, stale, conflicts = self._merge()
        quarantined = self._rejected_rows + conflicts
        if self._rejected_rows or self._remarks:
            self._execute(merge.QUARANTINE_REJECTED, {"entity": self._entity.name, "source": self._source})
        read = self._staged_rows + self._rejected_rows
        unchanged = read - inserted - updated - stale - quarantined
        # now() is the time of the transaction, which its rows in quarantine carry, too.
        (load_id,) = self._row(
            "insert into raw.loads (entity, source, checksum, fingerprint, read_rows, inserted_rows, updated_rows,"
            " unchanged_rows, stale_rows, quarantined_rows, remarks, unknown_columns, notes, mapping, started_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now()) returning load_id",
            (
                self._entity.name,
                self._source,
                digest,
                state,
                read,
                inserted,
                updated,
                unchanged,
                stale,
                quarantined,
                self._remarks,
                self._reader.header.unknown,
                Jsonb([asdict(note) for note in self._notes.all]),
                self._mapping,
            ),
        )
        check_unchanged()
        self._connection.commit()
        self._report("done", read)
        return FileSummary(
            load_id=load_id,
            source=self._source,
            entity=self._entity.name,
            read=read,
            inserted=inserted,
            updated=updated,
            unchanged=unchanged,
            stale=stale,
            quarantined=quarantined,
            remarks=self._remarks,
            unknown_columns=self._reader.header.unknown,
            notes=self._notes.all,
            seconds=round(time.monotonic() - started, 3),
        )

    def _note_lessons(self) -> None:
        """Say which lessons are stored as one session, from before each of their students had one."""
        if "lesson_id" not in self._reader.header.positions:
            return
        found = self._execute(merge.STORED_LESSONS).fetchall()
        if found:
            text = "lessons are stored as sessions, too, from an earlier load, and count twice: delete these sessions"
            self._notes.add("left out", text, len(found), [one for (one,) in found])

    def _check_nothing_guessed(self) -> None:
        if guesses := [note for note in self._notes.all if note.kind == "guessed"]:
            raise TutorqError(
                f"{self._source}: nothing may be guessed (--strict), and this was: {'; '.join(map(str, guesses))}"
            )

    def _stage(self, timezone: str) -> None:
        """Parse batch by batch; while one is parsed, the one before is sent."""
        self._execute(self._sql.create_staged())
        self._execute(merge.CREATE_REJECTED)
        for column in self._entity.references:
            self._execute(merge.create_people(str(column.references)))
        parser = BatchParser(self._entity, timezone, self._notes)
        with ThreadPoolExecutor(max_workers=1) as sender:
            sending: Future[None] | None = None
            for raw in self._reader.batches():
                batch = parser.parse(raw)
                if sending is not None:
                    sending.result()
                sending = sender.submit(self._send, batch)
                self._staged_rows += batch.rows.num_rows
                self._rejected_rows += len(batch.rejects)
                self._remarks += len(batch.remarks)
                self._report("reading", self._staged_rows + self._rejected_rows)
            if sending is not None:
                sending.result()
        self._execute(f"analyze {merge.STAGED}")

    def _send(self, batch: TypedBatch) -> None:
        for table, pairs in batch.people.items():
            if pairs:
                uuids, externals = zip(*pairs, strict=True)
                people = pa.table({"id": uuids, "external_id": pa.array(externals, pa.string())})
                self._copy(merge.named_people(table), people)
        for rejects, is_remark in ((batch.rejects, False), (batch.remarks, True)):
            if rejects:
                self._copy_rejects(rejects, is_remark=is_remark)
        if batch.rows.num_rows:
            self._copy(merge.STAGED, batch.rows.select(self._sql.staged_names))

    def _copy(self, table: str, rows: pa.Table) -> None:
        buffer = io.BytesIO()
        pyarrow.csv.write_csv(rows, buffer, pyarrow.csv.WriteOptions(include_header=False))
        self._copy_csv(table, rows.column_names, buffer.getbuffer())

    def _copy_rejects(self, rejects: list[Reject], *, is_remark: bool) -> None:
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        for reject in rejects:
            writer.writerow((reject.line, reject.reason, quarantine_json(reject.content), is_remark))
        self._copy_csv(merge.REJECTED, ["line", "reason", "content", "is_remark"], text.getvalue().encode())

    def _copy_csv(self, table: str, columns: list[str], data: bytes | memoryview) -> None:
        statement = f"copy {table} ({', '.join(columns)}) from stdin (format csv)"
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(bytes(data))

    def _add_stubs(self) -> None:
        for column in self._entity.references:
            table = str(column.references)
            people = merge.named_people(table)
            self._execute(merge.insert_stubs(table, column.name, people))
            self._execute(merge.fill_external_ids(table, column.name, people))

    def _merge(self) -> tuple[int, int, int, int]:
        """Bring the staged rows in; returns how many were inserted, updated, stale, and in conflict."""
        if not self._staged_rows:
            return 0, 0, 0, 0
        names = {"entity": self._entity.name, "source": self._source}
        self._execute(self._sql.create_ordered())
        self._execute(merge.CREATE_REPEATED)
        if self._value(merge.HAS_REPEATS):
            self._execute(self._sql.split_repeats())
        if self._value(merge.HAS_OVERRULED):
            self._execute(self._sql.overruled(), names | {"reason": OVERRULED})
        if self._override_by is not None and self._entity.is_versioned:
            self._execute(self._sql.overridden(), {"actor": self._override_by, "source": self._source})
        inserted = updated = 0
        blocks = int(self._value(merge.BLOCKS))
        step = max(1, blocks * SLICE_ROWS // self._staged_rows)
        for first in range(0, blocks, step):
            new, changed = self._row(self._sql.upsert(), {"first": first, "end": first + step})
            inserted += new
            updated += changed
            self._report("merging", min(self._staged_rows, (first + step) * self._staged_rows // blocks))
        stale = conflicts = 0
        if inserted + updated < self._staged_rows:
            stale = int(self._value(self._sql.stale()))
            conflicts = self._execute(
                self._sql.conflicts(), names | {"reason": self._entity.conflict, "group": GROUP}
            ).rowcount
        return inserted, updated, stale, conflicts

    def _report(self, phase: Any, rows_done: int) -> None:
        if self._on_progress is not None:
            total = self._reader.bytes_total
            done = self._reader.bytes_done if phase == "reading" else total
            self._on_progress(Progress(self._source, phase, rows_done, done, total))

    def _execute(self, statement: str, parameters: Any = None) -> psycopg.Cursor[Any]:
        return self._connection.execute(statement.encode(), parameters)

    def _row(self, statement: str, parameters: Any = None) -> Any:
        return self._execute(statement, parameters).fetchone()

    def _value(self, statement: str) -> Any:
        return self._row(statement)[0]
