"""The landing directory: what is complete in it is loaded, each file once, and moved away."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from core import locks
from core.database import Database
from core.erased import ErasedIds, erased_ids
from core.errors import DatabaseUnreachableError, TutorqError
from ingest import inside
from ingest.arrivals import LandedFile, complete_again, complete_files, opened
from ingest.checksums import fingerprint_of, remembered_checksum
from ingest.contract import ENTITIES, SESSIONS
from ingest.erased_rows import drop_erased
from ingest.filing import FileReport, LoadReport, Outcome, destination, move, withdraw_report
from ingest.folder import mapping_above
from ingest.load import load_file, unexpected
from ingest.mapping import FileMapping
from ingest.parts import Parts
from ingest.unknown import unknown_people

REPORTED_REASONS = 20
# In place of the checksum of a mapping that cannot be understood.
WRONG_MAPPING = "wrong"

# A load that read the file as it lies here was of this very file, which is only to be moved. Apart from that, sessions
# and reschedules have versions: any load of the same content counts, unless the same content says something else as
# time goes by. Tutors and students are what the last file says.
EARLIER_LOAD = """
select load_id, lies_here
from (
    select load_id, coalesce(source = %(source)s and fingerprint = %(fingerprint)s, false) as lies_here
    from raw.loads
    where entity = %(entity)s and checksum = %(checksum)s and mapping is not distinct from %(mapping)s
) as same_content
where
    lies_here
    or (
        %(is_timeless)s
        and (%(is_versioned)s or load_id = (select max(load_id) from raw.loads where entity = %(entity)s))
    )
order by lies_here desc, load_id desc
limit 1
"""

# The rows that a load put into quarantine carry the time of its transaction, which is when it started.
LOAD = """
select
    entity, source,
    read_rows as read, inserted_rows as inserted, updated_rows as updated, unchanged_rows as unchanged,
    stale_rows as stale, quarantined_rows as quarantined, remarks, unknown_columns, notes, started_at, finished_at,
    array(
        select jsonb_build_object('line', line, 'reason', reason)
        from raw.quarantine
        where
            quarantine.entity = loads.entity and quarantine.source = loads.source
            and last_seen_at between loads.started_at and loads.finished_at
            and not is_remark
        order by line, reason
        limit %(reasons)s
    ) as first_quarantined,
    array(
        select jsonb_build_object('line', line, 'reason', reason)
        from raw.quarantine
        where
            quarantine.entity = loads.entity and quarantine.source = loads.source
            and last_seen_at between loads.started_at and loads.finished_at
            and is_remark
        order by line, reason
        limit %(reasons)s
    ) as first_remarks
from raw.loads
where load_id = %(load_id)s
"""


@dataclass(frozen=True)
class Taken:
    """A file that is done with. `stays` says why it could not be moved away, None if it was."""

    report: FileReport
    is_new: bool
    stays: str | None


def take_files(
    database: Database, landing: Path, entity: str, *, timezone: str, is_strict: bool = False
) -> list[Taken]:
    """Load all complete files of an entity, and move them to `processed` or `failed` with a report.

    `is_strict`: a file for which something had to be guessed fails.

    What is in already is only moved. Files that are being written to are left for another time.

    Raises:
        DatabaseUnreachableError: the database cannot take it now. Nothing is lost: what was loaded is moved next time.
    """
    with database.connect(autocommit=True) as connection:
        # Until the connection is closed, so that two runs do not take the same file.
        connection.execute("select pg_advisory_lock(%s, %s)", [locks.LANDING, list(ENTITIES).index(entity)])
        files = complete_files(landing, entity)
        if not files:
            return []
        erased = erased_ids(database.settings)
        way = _Way(connection, database, landing, timezone, is_strict, erased, erased.read_all(connection))
        found = [_take(way, file) for file in files]
    return [taken for taken in found if taken is not None]


def unmoved_files(database: Database, files: Sequence[LandedFile]) -> list[LandedFile]:
    """Those that are done with, and could not be moved away."""
    with database.connect() as connection:
        rows = connection.execute(
            "select path, fingerprint from raw.unmoved_files where path = any(%s)", [[str(file.path) for file in files]]
        ).fetchall()
    return [file for file in files if (str(file.path), file.fingerprint) in rows]


@dataclass(frozen=True)
class _Way:
    """How files are taken: by which connection, from where, and how they are read."""

    connection: psycopg.Connection
    database: Database
    landing: Path
    timezone: str
    is_strict: bool
    erased: ErasedIds
    hashes: frozenset[bytes]


def _take(way: _Way, file: LandedFile) -> Taken | None:
    """None: it is gone, somebody writes to it, or something else lies in its place."""
    try:
        with opened(way.landing, file) as content:
            return _take_opened(way, file, content)
    except (DatabaseUnreachableError, psycopg.Error):
        raise
    except PermissionError as error:
        failure = f"cannot read {file.path}: {error.strerror}"
    except (OSError, TutorqError):
        return None
    except Exception as error:
        failure = unexpected(file.source, error)
    report = FileReport(file.source, "failed", failure, file.entity, file.bytes, None)
    return Taken(report, False, _move_away(way, file, report))


def _take_opened(way: _Way, file: LandedFile, opened_content: int | Parts) -> Taken | None:
    """Everything is read from what is open there: another file, or a link, may be put into its place meanwhile."""
    connection, landing = way.connection, way.landing
    if not complete_again(landing, file, opened_content):
        return None
    digest, failure = None, ""
    read_by: str | None = WRONG_MAPPING
    earlier: list[tuple[int, bool]] = []
    loads: list[int] = []
    try:
        if isinstance(opened_content, Parts):
            content: Path | Parts = opened_content
            digest = opened_content.checksum()
        else:
            content = inside.path_of(opened_content, file.path)
            digest = remembered_checksum(connection, file.path, content)
        mapping = mapping_above(landing, file.source)
        read_by = mapping.checksum if mapping else None
        earlier = _earlier_loads(connection, file, digest, mapping)
        if not earlier:
            _check_not_refused(connection, file, digest, read_by)
            for entity in file.entities:
                summary = load_file(
                    way.database,
                    file.path,
                    timezone=way.timezone,
                    entity=entity,
                    source=file.source,
                    content=content,
                    mapping=mapping,
                    is_strict=way.is_strict,
                )
                loads.append(summary.load_id)
    except (DatabaseUnreachableError, psycopg.Error, OSError):
        raise
    except TutorqError as error:
        failure = str(error)
    except Exception as error:
        failure = unexpected(file.source, error)
    # What was written to it meanwhile is neither loaded nor refused yet.
    if not (complete_again(landing, file, opened_content) and _lies_there(landing, file)):
        return None
    is_this_file = all(lies_here for _, lies_here in earlier)
    report = _report(
        connection, file, digest, loads or [load for load, _ in earlier], failure, is_copy=not is_this_file
    )
    if failure:
        _refuse(connection, report, read_by)
    return Taken(report, bool(loads), _move_away(way, file, report, is_this_file=is_this_file))


def _lies_there(landing: Path, file: LandedFile) -> bool:
    """It is still this file that would be moved."""
    try:
        with opened(landing, file) as content:
            if isinstance(content, Parts):
                return content.fingerprint == file.fingerprint
            return fingerprint_of(os.fstat(content)) == file.fingerprint
    except (OSError, TutorqError):
        return False


def _earlier_loads(
    connection: psycopg.Connection, file: LandedFile, digest: str, mapping: FileMapping | None
) -> list[tuple[int, bool]]:
    """For each kind of the file, the load by which this content is in, and whether it was of this very file; empty: it
    is to be loaded."""
    sections = mapping.sections.values() if mapping else ()
    is_timeless = all(rule.is_past is None for section in sections for rule in section.rules)
    found = []
    for entity in file.entities:
        row = connection.execute(
            EARLIER_LOAD,
            {
                "entity": entity,
                "source": file.source,
                "fingerprint": file.fingerprint,
                "checksum": digest,
                "mapping": mapping.checksum if mapping else None,
                "is_timeless": is_timeless,
                "is_versioned": ENTITIES[entity].is_versioned,
            },
        ).fetchone()
        if row is None:
            return []
        found.append((int(row[0]), bool(row[1])))
    return found


def _check_not_refused(connection: psycopg.Connection, file: LandedFile, digest: str, mapping: str | None) -> None:
    """A refused file that had to stay is not read again in every run. One that was dropped again is, or that has
    another mapping by now: what refused it may have been mended.

    Raises:
        TutorqError: it was refused, for this reason.
    """
    row = connection.execute(
        """
        select refused_files.reason
        from raw.refused_files
        inner join raw.unmoved_files on unmoved_files.path = %s and unmoved_files.fingerprint = %s
        where
            refused_files.entity = %s and refused_files.checksum = %s
            and refused_files.mapping is not distinct from %s
        """,
        [str(file.path), file.fingerprint, file.entity, digest, mapping],
    ).fetchone()
    if row:
        raise TutorqError(str(row[0]))


def _refuse(connection: psycopg.Connection, report: FileReport, mapping: str | None) -> None:
    connection.execute(
        "insert into raw.refused_files (entity, source, checksum, reason, mapping) values (%s, %s, %s, %s, %s) "
        "on conflict (entity, checksum) do update "
        "set (source, reason, mapping, refused_at) = (excluded.source, excluded.reason, excluded.mapping, now())",
        [report.entity, report.file, report.sha256 or f"unreadable: {report.file}", report.message, mapping],
    )


def _report(
    connection: psycopg.Connection,
    file: LandedFile,
    digest: str | None,
    loads: list[int],
    failure: str,
    *,
    is_copy: bool,
) -> FileReport:
    """What became of the file as each of its kinds; a failure, or a kind without a good row, fails all of it."""
    sections, sources = [], set()
    for load_id in loads:
        section, source = _load_report(connection, load_id)
        sections.append(section)
        sources.add(source)
    messages = [f"{section.entity}: {_counts(section)}" for section in sections]
    if len(file.entities) == 1:
        messages = [_counts(section) for section in sections]
    message = "; ".join([failure, *messages] if failure else messages)
    outcome: Outcome = "already_loaded" if is_copy else "loaded"
    if failure or any(section.is_lost for section in sections):
        outcome = "failed"
    if is_copy:
        message = f"this content was loaded before, from {', '.join(sorted(sources))}: {message}"
    return FileReport(file.source, outcome, message, file.entity, file.bytes, digest, sections)


def _counts(load: LoadReport) -> str:
    if load.is_lost:
        return f"none of its {load.rows['read']:,} rows could be taken"
    counts = ", ".join(f"{count:,} {name}" for name, count in load.rows.items() if name != "read")
    remarks = f"; {load.remarks:,} of those taken lack a cell that could not be read" if load.remarks else ""
    return f"{load.rows['read']:,} rows read: {counts}{remarks}"


def _load_report(connection: psycopg.Connection, load_id: int) -> tuple[LoadReport, str]:
    """The report of a load, and what its file was called."""
    with connection.cursor(row_factory=dict_row) as cursor:
        load = cursor.execute(LOAD, {"load_id": load_id, "reasons": REPORTED_REASONS}).fetchone() or {}
    found = unknown_people(connection, [load_id]) if load["entity"] == SESSIONS.name else []
    report = LoadReport(
        entity=load["entity"],
        load_id=load_id,
        loaded_at=load["finished_at"].astimezone(UTC).isoformat(timespec="seconds"),
        rows={name: load[name] for name in ("read", "inserted", "updated", "unchanged", "stale", "quarantined")},
        unknown_columns=load["unknown_columns"],
        notes=load["notes"],
        unknown_people=[asdict(people) for people in found],
        first_quarantined=load["first_quarantined"],
        remarks=load["remarks"],
        first_remarks=load["first_remarks"],
    )
    return report, load["source"]


def _move_away(way: _Way, file: LandedFile, report: FileReport, *, is_this_file: bool = True) -> str | None:
    """Why the file, which the loads of its report have read (`is_this_file`), could not be moved; None if it was. What
    it says of people who were erased does not go along."""
    connection, landing = way.connection, way.landing
    loads = [load.load_id for load in report.loads] if is_this_file else []

    def note(moved_to: str | None) -> str | None:
        """Returns what was noted before."""
        row = connection.execute(
            """
            update raw.loads set moved_to = %s
            from (select load_id, moved_to from raw.loads where load_id = any(%s)) as before
            where loads.load_id = before.load_id
            returning before.moved_to
            """,
            [moved_to, loads],
        ).fetchone()
        return row[0] if row else None

    try:
        target = destination(landing, file.source, report.outcome, datetime.now(UTC))
        earlier = note(target.relative_to(landing).as_posix())
        # A run that was killed on another day has left its report there.
        if earlier and landing / earlier != target:
            withdraw_report(landing, landing / earlier)
        move(landing, file.path, target, report)
        with suppress(TutorqError):  # one that cannot be read as rows
            drop_erased(landing, target.relative_to(landing).as_posix(), way.erased, way.hashes, way.timezone)
    except OSError as error:
        reason = error.strerror or str(error)
        note(None)
        connection.execute(
            "insert into raw.unmoved_files (path, fingerprint, reason) values (%s, %s, %s) "
            "on conflict (path) do update set (fingerprint, reason, noted_at) = "
            "(excluded.fingerprint, excluded.reason, now())",
            [str(file.path), file.fingerprint, reason],
        )
        return reason
    connection.execute("update raw.loads set fingerprint = null where load_id = any(%s)", [loads])
    for table in ("unmoved_files", "landing_checksums"):
        connection.execute(f"delete from raw.{table} where path = %s".encode(), [str(file.path)])
    return None
