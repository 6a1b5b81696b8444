"""An application's Postgres: changed rows by `updated_at`, late and deleted ones by comparison of keys."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha1
from typing import Any

import dlt
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from connectors.configuration import Kind, PostgresConnector, require_key
from connectors.pull.landing import DELETIONS, table_of
from connectors.pull.report import Report
from core.errors import TutorqError
from ingest.contract import ENTITIES

ROWS = 5_000
CURSOR, DELETED = "_cursor", "_deleted"


def resources(name: str, connector: PostgresConnector, report: Report) -> list[Any]:
    """One for each kind."""
    url = require_key(name)

    def read(entity: str, kind: Kind) -> Iterator[Any]:
        with psycopg.connect(url, application_name="tutorq", row_factory=dict_row) as connection:
            connection.execute("set transaction isolation level repeatable read, read only")
            connection.execute("select set_config('timezone', %s, true)", [connector.timezone])
            reading = _Reading(connection, connector, entity, kind, dlt.current.resource_state(), report)
            for table, rows in reading.run():
                yield dlt.mark.with_table_name(table_of(rows), table)

    return [dlt.resource(read, name=entity)(entity, kind) for entity, kind in connector.kinds.items()]


class _Reading:
    """One kind, in one snapshot. `state` is what the next run is to know; dlt keeps it if all of this run is kept."""

    def __init__(
        self,
        connection: psycopg.Connection[dict[str, Any]],
        connector: PostgresConnector,
        entity: str,
        kind: Kind,
        state: dict[str, Any],
        report: Report,
    ) -> None:
        self._connection, self._kind, self._state, self._report = connection, kind, state, report
        self._entity, self._key = entity, ENTITIES[entity].key
        self._overlap = timedelta(minutes=connector.overlap_minutes)
        self._sent: dict[str, str] = state.get("sent", {})
        self._seen: set[str] = set()
        # psycopg takes one % for a parameter.
        query = (kind.query or "").rstrip("; \n").replace("%", "%%")
        table = sql.Identifier(*(kind.table or "").split("."))
        self._source = table if kind.table else sql.SQL("({})").format(sql.SQL(query))

    def run(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Rows by the table that they go to."""
        described = self._connection.execute(sql.SQL("select * from {} as source limit 0").format(self._source))
        self._report.compare_columns(self._state, self._entity, [column.name for column in described.description or ()])
        kind = self._kind
        if kind.updated_at is None:
            yield from self._told(self._read(sql.SQL("true"), []), keep=True)
        else:
            cursor = self._state.get("cursor")
            since = datetime.fromisoformat(cursor) - self._overlap if cursor else None
            condition = sql.SQL("source.{} >= %s" if since else "true").format(sql.Identifier(kind.updated_at))
            yield from self._told(self._read(condition, [since] if since else []))
            self._forget_what_is_before_the_overlap()
        if kind.window and self._entity == "sessions":
            yield from self._compared(kind.window.column, kind.window.days)

    def _read(self, condition: sql.Composable, parameters: list[Any]) -> Iterator[list[dict[str, Any]]]:
        kind = self._kind
        columns: list[sql.Composable] = [
            sql.SQL("source.{} as {}").format(sql.Identifier(theirs), sql.Identifier(ours))
            for ours, theirs in kind.columns.items()
        ] or [sql.SQL("source.*")]
        for name, column in ((CURSOR, kind.updated_at), (DELETED, kind.deleted_at)):
            if column:
                columns.append(sql.SQL("source.{} as {}").format(sql.Identifier(column), sql.Identifier(name)))
        query = sql.SQL("select {} from {} as source where {}").format(
            sql.SQL(", ").join(columns), self._source, condition
        )
        with self._connection.cursor("rows") as cursor:
            cursor.execute(query, parameters)
            while rows := cursor.fetchmany(ROWS):
                if self._key not in rows[0]:
                    raise TutorqError(f"{self._entity}: no column {self._key}; name it in columns, or in the query")
                yield rows

    def _told(self, batches: Iterator[list[dict[str, Any]]], *, keep: bool = False) -> Iterator[tuple[str, Any]]:
        """What the rows are to the loader; those that came before as they are now are not told again.

        `keep`: what was sent is known for good, because no time tells what is new.
        """
        newest = self._state.get("cursor")
        for batch in batches:
            rows: list[dict[str, Any]] = []
            deleted: list[dict[str, Any]] = []
            for row in batch:
                moment, is_deleted = row.pop(CURSOR, None), row.pop(DELETED, None) is not None
                texts = {column: _text(value) for column, value in row.items()}
                key = str(texts[self._key])
                self._seen.add(key)
                if moment is not None and not isinstance(moment, datetime):
                    raise TutorqError(f"{self._entity}: {self._kind.updated_at} is no time")
                newest = max(filter(None, (newest, moment and moment.isoformat())), key=_moment, default=None)
                told = sha1(json.dumps([is_deleted, texts]).encode(), usedforsecurity=False).hexdigest()[:16]
                # A session has several reschedules.
                place = key if self._entity != "reschedules" else f"{key}/{told}"
                known = f"{told} {moment.isoformat()}" if moment else told
                if self._sent.get(place) != known:
                    self._sent[place] = known
                    (deleted if is_deleted else rows).append(texts)
            if rows:
                self._report.add(self._entity, len(rows))
                yield self._entity, rows
            if deleted and self._entity == "sessions":
                yield DELETIONS, [{"session_id": row[self._key]} for row in deleted]
        self._state["cursor"] = newest
        if keep or newest:
            self._state["sent"] = self._sent

    def _forget_what_is_before_the_overlap(self) -> None:
        cursor = self._state.get("cursor")
        if cursor:
            since = _moment(cursor) - self._overlap
            kept = {key: told for key, told in self._sent.items() if _moment(told.partition(" ")[2] or cursor) >= since}
            self._state["sent"] = self._sent = kept

    def _compared(self, column: str, days: int) -> Iterator[tuple[str, Any]]:
        """Rows that were committed so late that `updated_at` does not tell of them, and keys that are gone."""
        key = sql.Identifier(self._kind.columns.get(self._key, self._key))
        start = datetime.now(UTC) - timedelta(days=days)
        rows = self._connection.execute(
            sql.SQL("select source.{key}::text as key, source.{column} as at from {source} as source "
                    "where source.{column} >= %s and {live}").format(
                key=key, column=sql.Identifier(column), source=self._source,
                live=sql.SQL("source.{} is null").format(sql.Identifier(self._kind.deleted_at))
                if self._kind.deleted_at else sql.SQL("true"),
            ),
            [start],
        )  # fmt: skip
        present = {row["key"]: row["at"].isoformat() for row in rows}
        known: dict[str, str] | None = self._state.get("window")
        if known is not None:
            late = [each for each in present if each not in known and each not in self._seen]
            for_keys = sql.SQL("source.{}::text = any(%s)").format(key)
            if late:
                yield from self._told(self._read(for_keys, [late]))
            missing = [each for each, at in known.items() if each not in present and _moment(at) >= start]
            query = sql.SQL("select source.{}::text as key from {} as source where {}").format(
                key, self._source, for_keys
            )
            there = {row["key"] for row in self._connection.execute(query, [missing])} if missing else set()
            if gone := [each for each in missing if each not in there]:
                yield DELETIONS, [{"session_id": each} for each in gone]
        self._state["window"] = present


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case datetime() | date():
            return value.isoformat()
        case list() | dict():
            return json.dumps(value, default=str)
        case Decimal() | float():
            return format(value, "f") if isinstance(value, Decimal) else repr(value)
        case _:
            return str(value)
