"""An application's Postgres: changed rows by `updated_at`, late and deleted ones by comparison of keys."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha1
from typing import Any
from zoneinfo import ZoneInfo

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
# More keys than this that vanish at once, and more than a tenth of those known, are taken for a fault of the source.
FEW_GONE, SHARE_GONE = 50, 0.1


def resources(name: str, connector: PostgresConnector, report: Report, *, delete_anyway: bool = False) -> list[Any]:
    """One for each kind. `delete_anyway`: many keys that vanish at once are deleted, too."""
    url = require_key(name)

    def read(entity: str, kind: Kind) -> Iterator[Any]:
        with psycopg.connect(url, application_name="tutorq", row_factory=dict_row) as connection:
            connection.execute("set transaction isolation level repeatable read, read only")
            connection.execute("select set_config('timezone', %s, true)", [connector.timezone])
            reading = _Reading(connection, connector, entity, kind, dlt.current.resource_state(), report)
            for table, rows in reading.run(delete_anyway):
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
        self._zone, self._now = ZoneInfo(connector.timezone), datetime.now(UTC)
        self._sent: dict[str, str] = state.get("sent", {})
        self._seen: set[str] = set()
        # psycopg takes one % for a parameter. The line break ends a comment.
        query = (kind.query or "").rstrip("; \n").replace("%", "%%")
        table = sql.Identifier(*(kind.table or "").split("."))
        self._source = table if kind.table else sql.SQL("({}\n)").format(sql.SQL(query))

    def run(self, delete_anyway: bool) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Rows by the table that they go to.

        Raises:
            TutorqError: a column is missing, or so many keys are gone that the source itself may be at fault.
        """
        described = self._connection.execute(sql.SQL("select * from {} as source limit 0").format(self._source), [])
        self._report.compare_columns(self._state, self._entity, [column.name for column in described.description or ()])
        kind = self._kind
        window = kind.window if self._entity == "sessions" else None
        present, gone = self._compared(window.column, window.days, delete_anyway) if window else ({}, [])
        if kind.updated_at is None:
            yield from self._told(self._read(sql.SQL("true"), []))
        else:
            cursor = self._state.get("cursor")
            since = datetime.fromisoformat(cursor) - self._overlap if cursor else None
            condition = sql.SQL("source.{} >= %s" if since else "true").format(sql.Identifier(kind.updated_at))
            yield from self._told(self._read(condition, [since] if since else []))
            self._forget_what_is_before_the_overlap()
        if window:
            known = self._state.get("window")
            # Committed so late that `updated_at` does not tell of them.
            if late := [each for each in present if known is not None and each not in known and each not in self._seen]:
                yield from self._told(self._read(self._for_keys, [late]))
            # Rows that were read just now tell by themselves that they are deleted.
            if gone := [each for each in gone if each not in self._seen]:
                yield DELETIONS, [{"session_id": each} for each in gone]
            self._state["window"] = present

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

    def _told(self, batches: Iterator[list[dict[str, Any]]]) -> Iterator[tuple[str, Any]]:
        """What the rows are to the loader; those that came before as they are now are not told again."""
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
                # A time that is still to come would hide all changes until then.
                if moment is not None and self._in_zone(moment) <= self._now:
                    newest = max(filter(None, (newest, moment.isoformat())), key=_moment)
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
        self._state["sent"] = self._sent

    def _in_zone(self, moment: datetime) -> datetime:
        return moment if moment.tzinfo else moment.replace(tzinfo=self._zone)

    def _forget_what_is_before_the_overlap(self) -> None:
        cursor = self._state.get("cursor")
        if cursor:
            since = _moment(cursor) - self._overlap
            kept = {key: told for key, told in self._sent.items() if _moment(told.partition(" ")[2] or cursor) >= since}
            self._state["sent"] = self._sent = kept

    @property
    def _key_column(self) -> sql.Identifier:
        return sql.Identifier(self._kind.columns.get(self._key, self._key))

    @property
    def _for_keys(self) -> sql.Composable:
        return sql.SQL("source.{}::text = any(%s)").format(self._key_column)

    def _compared(self, column: str, days: int, delete_anyway: bool) -> tuple[dict[str, str], list[str]]:
        """The keys of the window with their times, and those known that are gone or marked as deleted."""
        start = self._now - timedelta(days=days)
        deleted_at = self._kind.deleted_at
        live = sql.SQL("source.{} is null").format(sql.Identifier(deleted_at)) if deleted_at else sql.SQL("true")
        query = sql.SQL(
            "select source.{key}::text as key, source.{column} as at from {source} as source "
            "where source.{column} >= %s and {live}"
        ).format(key=self._key_column, column=sql.Identifier(column), source=self._source, live=live)
        present = {row["key"]: row["at"].isoformat() for row in self._connection.execute(query, [start])}
        known: dict[str, str] = self._state.get("window") or {}
        missing = [each for each, at in known.items() if each not in present and _moment(at) >= start]
        if not missing:
            return present, []
        query = sql.SQL(
            "select source.{key}::text as key, {live} as is_live from {source} as source where {keys}"
        ).format(key=self._key_column, live=live, source=self._source, keys=self._for_keys)
        is_live = {row["key"]: row["is_live"] for row in self._connection.execute(query, [missing])}
        vanished = [each for each in missing if each not in is_live]
        is_too_much = len(vanished) > max(FEW_GONE, SHARE_GONE * len(known)) or (vanished and not present)
        if is_too_much and not delete_anyway:
            raise TutorqError(
                f"{self._entity}: {len(vanished):,} of {len(known):,} known keys are gone from the source, and nothing "
                f"was read. If they are really deleted there: tutorq sync {self._report.name} --delete-anyway"
            )
        return present, [each for each in missing if not is_live.get(each)]


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
