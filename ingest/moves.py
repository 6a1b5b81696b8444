"""Bookings that were called off and booked anew, as tools export a move: one session each, and its moves."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from core.errors import TutorqError
from ingest.arrow import ArrowColumn
from ingest.batches import RawBatch
from ingest.contract import INITIATORS, STATUSES
from ingest.mapped import OfMapping
from ingest.mapping import Moves
from ingest.notes import NoteKind, Notes
from ingest.parser import read_times
from ingest.spelling import word

# All of a file has to be known before its first row is: some 300 bytes a row.
MOST_BOOKINGS = 1_000_000

_TOLD = ("tutor_id", "student_id", "subject", "status", "initiator", "reason_code", "updated_at")
_TIMES = ("scheduled_time", "booked_at", "cancelled_at")
MOVE_COLUMNS = ("session_id", "initiator", "reason_code", "requested_at", "original_time", "new_time", "updated_at")


class Bookings:
    """All bookings of a file, and which of them are one session.

    A booking is the new one of another if it names it (`moves: {from: …}`), or else, if the one before it of the same
    tutor, student and subject, by the time of booking, has the status `rescheduled` and was still to come then.
    """

    def __init__(self, source: str, batches: Iterator[RawBatch], mapped: OfMapping, moves: Moves, zone: str) -> None:
        self._moves = moves
        self._rows: dict[str, dict[str, Any]] = {}
        for raw in batches:
            batch = mapped.apply(raw)
            if len(self._rows) + len(batch.lines) > MOST_BOOKINGS:
                raise TutorqError(f"{source} has more than {MOST_BOOKINGS:,} bookings; with `moves` load it in parts")
            self._add(batch, mapped.cells(raw, moves.source) if moves.source else [None] * len(batch.lines), zone)
        # By the id of a new booking, that of the one before it.
        self._earlier = self._by_link() if moves.source else self._by_time()
        found = len(self._earlier)
        self._earlier = {key: before for key, before in self._earlier.items() if self._initiator(key)}
        self._unknown = found - len(self._earlier)

    def _add(self, batch: RawBatch, links: list[str | None], zone: str) -> None:
        texts = {name: _trimmed(batch, name) for name in ("session_id", *_TOLD)}
        times = {name: pa.array(_trimmed(batch, name), pa.string()) for name in _TIMES}
        moments = {name: read_times(cells, zone).to_pylist() for name, cells in times.items()}
        for row, key in enumerate(texts["session_id"]):
            if key:
                told = {name: texts[name][row] for name in _TOLD}
                told["status"] = word(told["status"] or "", STATUSES)
                told["initiator"] = word(told["initiator"] or "", INITIATORS)
                at = {name: moments[name][row] for name in _TIMES}
                self._rows[key] = {"line": int(batch.lines[row]), "from": (links[row] or "").strip(), **told, **at}

    def _by_link(self) -> dict[str, str]:
        """A booking that would replace itself, through others, replaces none."""
        earlier: dict[str, str] = {}
        for key, row in self._rows.items():
            if row["from"] and _first(earlier, row["from"]) != key:
                earlier[key] = row["from"]
        return earlier

    def _by_time(self) -> dict[str, str]:
        rows = [(key, row) for key, row in self._rows.items() if row["booked_at"] is not None]
        rows.sort(key=lambda item: (item[1]["booked_at"], item[1]["line"]))
        last: dict[tuple[Any, ...], str] = {}
        earlier: dict[str, str] = {}
        for key, row in rows:
            who = (row["tutor_id"], row["student_id"], row["subject"])
            if (before := last.get(who)) is not None and _is_replaced(self._rows[before], row["booked_at"]):
                earlier[key] = before
            last[who] = key
        return earlier

    def _initiator(self, key: str) -> str | None:
        """Who moved an earlier booking to this one."""
        old = self._rows.get(self._earlier[key], {})
        return old.get("initiator") or self._moves.initiator

    def sessions(self, batches: Iterator[RawBatch], notes: Notes) -> Iterator[RawBatch]:
        """The bookings without those that were replaced, each with the id with which its session began."""
        if self._earlier:
            kind: NoteKind = "understood" if self._moves.source else "guessed"
            text = "a booking that was called off and its new one are one session, which was moved; times"
            notes.add(kind, text, len(self._earlier))
        if self._unknown:
            text = "who moved a booking is not known, so the new one is another session (moves, initiator); times"
            notes.add("left out", text, self._unknown)
        replaced = set(self._earlier.values())
        for batch in batches:
            keys = _trimmed(batch, "session_id")
            first = pa.array([key and _first(self._earlier, key) for key in keys], pa.string())
            stays = np.array([key not in replaced for key in keys], dtype=bool)
            yield _kept(replace(batch, columns={**batch.columns, "session_id": first}), stays)

    def moves(self) -> RawBatch:
        """One row for each move, of the columns `MOVE_COLUMNS`, on the line of the new booking."""
        rows = [self._move(key, self._rows.get(before, {})) for key, before in self._earlier.items()]
        columns: dict[str, ArrowColumn] = {
            name: pa.array([row[name] for row in rows], pa.string()) for name in MOVE_COLUMNS
        }
        lines = np.array([self._rows[key]["line"] for key in self._earlier], dtype=np.int64)
        return RawBatch(lines, columns, lambda row: rows[row])

    def _move(self, key: str, old: dict[str, Any]) -> dict[str, str | None]:
        new = self._rows[key]
        return {
            "session_id": _first(self._earlier, key),
            "initiator": self._initiator(key),
            "reason_code": old.get("reason_code"),
            "requested_at": _iso(new["booked_at"] or old.get("cancelled_at")),
            "original_time": _iso(old.get("scheduled_time")),
            "new_time": _iso(new["scheduled_time"]),
            "updated_at": new["updated_at"],
        }


def _first(earlier: Mapping[str, str], key: str) -> str:
    """The booking with which the session of a booking began."""
    while key in earlier:
        key = earlier[key]
    return key


def _is_replaced(booking: dict[str, Any], at: datetime) -> bool:
    start = booking["scheduled_time"]
    return booking["status"] == "rescheduled" and start is not None and at < start


def _trimmed(batch: RawBatch, name: str) -> list[str | None]:
    if name not in batch.columns:
        return [None] * len(batch.lines)
    return [(text or "").strip() or None for text in batch.columns[name].to_pylist()]


def _iso(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat()


def _kept(batch: RawBatch, stays: Any) -> RawBatch:
    """The rows of a batch that stay."""
    if stays.all():
        return batch
    places = np.flatnonzero(stays)
    mask = pa.array(stays)
    delivered = batch.delivered
    return RawBatch(
        lines=batch.lines[stays],
        columns={name: cells.filter(mask) for name, cells in batch.columns.items()},
        delivered=lambda row: delivered(int(places[row])),
        problems={new: batch.problems[old] for new, old in enumerate(places.tolist()) if old in batch.problems},
        rejects=batch.rejects,
    )
