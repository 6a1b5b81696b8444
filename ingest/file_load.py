"""The transaction that loads one landing file into the schema `raw`."""

import csv
import io
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg.types.json import Jsonb

from core.erased import ErasedIds
from core.errors import TutorqError
from core.prediction_version import RAISE_VERSION
from ingest import merge_files, stubs
from ingest.batches import Reject
from ingest.contract import SESSIONS, Entity
from ingest.erased_rows import without_erased
from ingest.merge_files import FileMergeSql
from ingest.notes import Notes
from ingest.parser import BatchParser, TypedBatch, quarantine_json, staged_columns
from ingest.readers import Reader
from ingest.summary import FileSummary, Progress

# Rows merged per statement: Postgres keeps the pending foreign key checks of a statement in memory.
SLICE_ROWS = 250_000

GROUP = (
    "is one of several students in one session: with `group_lessons: true` in a mapping each of them has a session of "
    "the lesson"
)
OVERRULED = "was replaced by this line's version, which has the same updated_at but other content"


def unnamed_no_shows(count: int) -> str:
    """That so many no-shows, of at least one, have no initiator."""
    counted = "1 no-show names nobody; it counts" if count == 1 else f"{count:,} no-shows name nobody; they count"
    return f"{counted} for nobody until `initiator` says whose it was"


OnProgress = Callable[[Progress], None]


class FileLoad:
    """Stages what a reader gives, merges it, and says what became of it; nothing of it stays after an error."""

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
        erased: ErasedIds,
    ) -> None:
        self._mapping = mapping
        self._erased = erased
        self._connection = connection
        self._entity = entity
        self._source = source
        self._reader = reader
        self._notes = notes
        self._override_by = override_by if entity.is_versioned else None
        self._on_progress = on_progress
        columns = staged_columns(entity, set(reader.header.positions))
        self._sql = FileMergeSql(entity, columns, overrides=self._override_by is not None)
        self._staged_rows = 0
        self._rejected_rows = 0
        self._remarks = 0
        self._changed_people = 0

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
        self._note_unnamed_no_shows()
        if is_strict:
            self._check_nothing_guessed()
        inserted, updated, stale, conflicts = self._merge()
        quarantined = self._rejected_rows + conflicts
        if self._rejected_rows or self._remarks:
            self._execute(merge_files.QUARANTINE_REJECTED, {"entity": self._entity.name, "source": self._source})
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
        if self._changed_people:
            self._execute(RAISE_VERSION)
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
        found = self._execute(merge_files.STORED_LESSONS).fetchall()
        if found:
            text = "lessons are stored as sessions, too, from an earlier load, and count twice: delete these sessions"
            self._notes.add("left out", text, len(found), [one for (one,) in found])

    def _note_unnamed_no_shows(self) -> None:
        """Say how many no-shows do not tell whose they were: rates of tutors and students are too low by them."""
        if self._entity is SESSIONS:
            (count,) = self._row(merge_files.UNNAMED_NO_SHOWS)
            if count:
                self._notes.add("left out", unnamed_no_shows(count))

    def _check_nothing_guessed(self) -> None:
        if guesses := [note for note in self._notes.all if note.kind == "guessed"]:
            raise TutorqError(
                f"{self._source}: nothing may be guessed (--strict), and this was: {'; '.join(map(str, guesses))}"
            )

    def _stage(self, timezone: str) -> None:
        """Parse batch by batch; while one is parsed, the one before is sent."""
        self._execute(self._sql.create_staged())
        self._execute(merge_files.CREATE_REJECTED)
        for column in self._entity.references:
            self._execute(stubs.create_people(str(column.references)))
        hashes = self._erased.read_all(self._connection)
        refused_people = False
        parser = BatchParser(self._entity, timezone, self._notes)
        with ThreadPoolExecutor(max_workers=1) as sender:
            sending: Future[None] | None = None
            for raw in self._reader.batches():
                batch, some_refused = without_erased(parser.parse(raw), self._entity, self._erased, hashes)
                refused_people = refused_people or some_refused
                if sending is not None:
                    sending.result()
                sending = sender.submit(self._send, batch)
                self._staged_rows += batch.rows.num_rows
                self._rejected_rows += len(batch.rejects)
                self._remarks += len(batch.remarks)
                self._report("reading", self._staged_rows + self._rejected_rows)
            if sending is not None:
                sending.result()
        if refused_people:
            # Who stands in refused rows only is not added: they would be students who need a tutor.
            for column in self._entity.references:
                self._execute(stubs.keep_staged(str(column.references), column.name, merge_files.STAGED))
        # How many rows there are, and keys, is all that the merge goes by.
        self._execute(f"analyze {merge_files.STAGED} ({self._entity.key})")

    def _send(self, batch: TypedBatch) -> None:
        for table, pairs in batch.people.items():
            if pairs:
                uuids, externals = zip(*pairs, strict=True)
                people = pa.table({"id": uuids, "external_id": pa.array(externals, pa.string())})
                self._copy(stubs.named_people(table), people)
        for rejects, is_remark in ((batch.rejects, False), (batch.remarks, True)):
            if rejects:
                self._copy_rejects(rejects, is_remark=is_remark)
        if batch.rows.num_rows:
            self._copy(merge_files.STAGED, batch.rows.select(self._sql.staged_names))

    def _copy(self, table: str, rows: pa.Table) -> None:
        buffer = io.BytesIO()
        pyarrow.csv.write_csv(rows, buffer, pyarrow.csv.WriteOptions(include_header=False))
        self._copy_csv(table, rows.column_names, buffer.getbuffer())

    def _copy_rejects(self, rejects: list[Reject], *, is_remark: bool) -> None:
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        for reject in rejects:
            writer.writerow((reject.line, reject.reason, quarantine_json(reject.content), is_remark))
        self._copy_csv(merge_files.REJECTED, ["line", "reason", "content", "is_remark"], text.getvalue().encode())

    def _copy_csv(self, table: str, columns: list[str], data: bytes | memoryview) -> None:
        statement = f"copy {table} ({', '.join(columns)}) from stdin (format csv)"
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(bytes(data))

    def _add_stubs(self) -> None:
        for column in self._entity.references:
            table = str(column.references)
            people = stubs.named_people(table)
            self._changed_people += self._execute(stubs.insert_stubs(table, column.name, people)).rowcount
            self._changed_people += self._execute(stubs.fill_external_ids(table, column.name, people)).rowcount

    def _merge(self) -> tuple[int, int, int, int]:
        """Bring the staged rows in; returns how many were inserted, updated, stale, and in conflict."""
        if not self._staged_rows:
            return 0, 0, 0, 0
        names = {"entity": self._entity.name, "source": self._source}
        self._execute(self._sql.create_ordered())
        self._execute(merge_files.CREATE_REPEATED)
        if self._value(merge_files.HAS_REPEATS):
            self._execute(self._sql.split_repeats())
            if self._entity is SESSIONS:
                # Without a session they would be students who need a tutor.
                self._execute(self._sql.students_of_refused_rows(stubs.named_people("students")))
        self._add_stubs()
        if self._value(merge_files.HAS_OVERRULED):
            self._execute(self._sql.overruled(), names | {"reason": OVERRULED})
        if self._override_by is not None and self._entity.is_versioned:
            self._execute(self._sql.overridden(), {"actor": self._override_by, "source": self._source})
        inserted = updated = 0
        blocks = int(self._value(merge_files.BLOCKS))
        step = max(1, blocks * SLICE_ROWS // self._staged_rows)
        for first in range(0, blocks, step):
            new, changed = self._row(self._sql.upsert(), {"first": first, "end": first + step})
            inserted += new
            updated += changed
            self._report("merging", min(self._staged_rows, (first + step) * self._staged_rows // blocks))
        if not self._entity.is_versioned:
            self._changed_people += inserted + updated
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
