"""Rows of landing files that name people who were erased: they are refused, and taken out of files that are kept."""

import gzip
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from core.erased import REASON, ErasedIds, IdKind
from ingest import inside
from ingest.arrivals import FAILED, PROCESSED
from ingest.batches import Reject
from ingest.contract import ENTITIES, Entity
from ingest.csv_reader import CsvReader
from ingest.folder import kinds_of, mapping_above
from ingest.ids import entity_uuid
from ingest.notes import Notes
from ingest.parquet_reader import PARQUET_BATCH_ROWS
from ingest.parser import BatchParser, TypedBatch
from ingest.parts import Parts
from ingest.readers import open_mapped
from ingest.spelling import normal

KINDS: Final[dict[str, IdKind]] = {"tutor_id": "tutor", "student_id": "student", "session_id": "session"}
_KIND_OF: Final = {normal(name): kind for name, kind in KINDS.items()}
_PEOPLE: Final[tuple[IdKind, ...]] = ("tutor", "student")

Became = Literal["kept", "rewritten", "removed"]


def without_erased(
    batch: TypedBatch, entity: Entity, erased: ErasedIds, hashes: frozenset[bytes]
) -> tuple[TypedBatch, bool]:
    """The batch without the rows that name an erased person or session, and whether there were any: they are refused
    without their content."""
    if not hashes:
        return batch, False
    is_erased = _erased_rows(batch.rows, erased, hashes)
    rejects = [
        Reject(reject.line, REASON, {}) if _names_erased(reject.content, entity, erased, hashes) else reject
        for reject in batch.rejects
    ]
    if not is_erased.any() and rejects == batch.rejects:
        return batch, False
    lines: list[Any] = batch.rows.column("line").filter(pa.array(is_erased)).to_pylist()
    gone = set(lines)
    kept = replace(
        batch,
        rows=batch.rows.filter(pa.array(~is_erased)),
        rejects=[*rejects, *(Reject(line, REASON, {}) for line in lines)],
        remarks=[remark for remark in batch.remarks if remark.line not in gone],
    )
    return kept, True


def _erased_rows(rows: pa.Table, erased: ErasedIds, hashes: frozenset[bytes]) -> npt.NDArray[np.bool_]:
    found = np.zeros(rows.num_rows, dtype=bool)
    for name in KINDS.keys() & set(rows.column_names):
        encoded: Any = pa.concat_arrays(rows.column(name).chunks).dictionary_encode()
        texts: list[Any] = encoded.dictionary.to_pylist()
        named = np.array([erased.hash(KINDS[name], text) in hashes for text in texts], dtype=bool)
        if named.any():
            found |= named[encoded.indices.to_numpy(zero_copy_only=False)]
    return found


def _names_erased(content: object, entity: Entity, erased: ErasedIds, hashes: frozenset[bytes]) -> bool:
    """Whether a refused row, as delivered, names one: by a column of the contract, or by one that is none of it."""
    ours = {normal(column.name) for column in entity.columns}
    return isinstance(content, Mapping) and not hashes.isdisjoint(_hashes(content, erased, ours))


def named_hashes(content: str, erased: ErasedIds) -> list[bytes]:
    """Hashes of the people and the session that a refused body names, as the quarantine would keep it."""
    with suppress(ValueError):
        body = json.loads(content)
        if isinstance(body, Mapping):
            return list(_hashes(body, erased, {normal(str(name)) for name in body}))
    return []


def _hashes(content: Mapping[Any, Any], erased: ErasedIds, ours: set[str]) -> Iterator[bytes]:
    """`ours`: names of columns that mean what they mean; a value under another one may be the id of anybody."""
    for name, value in content.items():
        spelt = normal(str(name))
        kinds = (_KIND_OF[spelt],) if spelt in _KIND_OF else () if spelt in ours else _PEOPLE
        if value is None or not kinds:
            continue
        with suppress(ValueError):
            key = entity_uuid(str(value))
            yield from (erased.hash(kind, key) for kind in kinds)


@dataclass
class _Found:
    """Where the records of a file start, and which of them name somebody erased."""

    starts: set[int] = field(default_factory=set)
    erased: set[int] = field(default_factory=set)
    encoding: str = "utf-8"


def origin(source: str) -> str:
    """What a file of `processed` or `failed` was called when it came: without the area and its day."""
    area, *rest = PurePosixPath(source).parts
    return "/".join(rest[1:]) if area in (PROCESSED, FAILED) and len(rest) > 1 else source


def drop_erased(landing: Path, source: str, erased: ErasedIds, hashes: frozenset[bytes], timezone: str) -> Became:
    """Take the rows that name erased people or sessions out of a landing file that was loaded or refused; a sheet,
    which cannot be written again without them, is removed.

    Raises:
        TutorqError: it cannot be read, so nobody knows whom it names.
        OSError: it cannot be written.
    """
    entities = kinds_of(landing, origin(source))
    if not hashes or not entities:
        return "kept"
    path = landing / source
    if path.is_dir():
        parts = Parts(landing, source)
        found = _find(landing, source, entities, parts, erased, hashes, timezone)
        if not found.erased:
            return "kept"
        first = 1
        for name in parts.names:
            with parts.opened(name) as content, _instead(landing, f"{source}/{name}") as file:
                first = _copy_parquet(content, file, found.erased, first)
        return "rewritten"
    with inside.opened(landing, source) as descriptor:
        content = inside.path_of(descriptor, path)
        found = _find(landing, source, entities, content, erased, hashes, timezone)
        if not found.erased:
            return "kept"
        ending = path.suffix.lower()
        if ending == ".xlsx":
            with inside.folder(landing, PurePosixPath(source).parts[:-1]) as folder:
                inside.unlink(folder, path.name)
            return "removed"
        with _instead(landing, source) as file:
            if ending == ".parquet":
                _copy_parquet(content, file, found.erased, 1)
            else:
                _copy_text(content, file, found)
    return "rewritten"


def _find(
    landing: Path,
    source: str,
    entities: list[str],
    content: Path | Parts,
    erased: ErasedIds,
    hashes: frozenset[bytes],
    timezone: str,
) -> _Found:
    mapping = mapping_above(landing, origin(source))
    zone = mapping.timezone if mapping and mapping.timezone else timezone
    found = _Found()
    for name in entities:
        entity = ENTITIES[name]
        notes = Notes()
        reader = open_mapped(origin(source), entity, content, notes, timezone, mapping)
        try:
            parser = BatchParser(entity, zone, notes)
            for raw in reader.batches():
                found.starts.update(raw.lines.tolist(), (reject.line for reject in raw.rejects))
                batch, _ = without_erased(parser.parse(raw), entity, erased, hashes)
                found.erased.update(reject.line for reject in batch.rejects if reject.reason == REASON)
            inner: object = getattr(reader, "origin", reader)
            if isinstance(inner, CsvReader):
                found.encoding = inner.encoding
        finally:
            reader.close()
    return found


@contextmanager
def _instead(landing: Path, source: str) -> Iterator[IO[bytes]]:
    """A new file that takes the place of one, once it is whole."""
    *parts, name = PurePosixPath(source).parts
    part = f".{name}.part"
    with inside.folder(landing, parts) as folder:
        with suppress(FileNotFoundError):
            inside.unlink(folder, part)
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode & 0o777
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder)
        os.fchmod(descriptor, mode)  # whatever the umask
        with os.fdopen(descriptor, "wb") as file:
            yield file
        inside.replace(folder, part, name)


def _copy_text(content: Path, file: IO[bytes], found: _Found) -> None:
    with content.open("rb") as raw:
        is_gzip = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        source: Any = gzip.GzipFile(fileobj=raw) if is_gzip else raw
        target: Any = gzip.GzipFile(filename="", fileobj=file, mode="wb") if is_gzip else file
        lines = io.TextIOWrapper(source, found.encoding, "surrogateescape", newline="")
        copy = io.TextIOWrapper(target, found.encoding, "surrogateescape", newline="")
        is_gone = False
        for number, line in enumerate(lines, start=1):
            if number in found.starts:
                is_gone = number in found.erased
            if not is_gone:
                copy.write(line)
        copy.flush()
        copy.detach()
        lines.detach()
        if is_gzip:
            target.close()


def _copy_parquet(content: Path, file: IO[bytes], gone: set[int], first: int) -> int:
    """Copy the rows that are not gone, and say which number the next row after them has."""
    with pq.ParquetFile(content) as source, pq.ParquetWriter(file, source.schema_arrow) as writer:
        for batch in source.iter_batches(PARQUET_BATCH_ROWS):
            is_kept = np.array([number not in gone for number in range(first, first + batch.num_rows)], dtype=bool)
            first += batch.num_rows
            writer.write_batch(batch.filter(pa.array(is_kept)))
    return first
