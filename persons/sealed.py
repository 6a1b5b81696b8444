"""Texts that are encrypted in the database (`core/sealing.py`): no query finds a name in them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from core.errors import TutorqError
from core.sealing import MARK, TEXTS, Column, Sealer
from persons.identity import Identity


@dataclass(frozen=True)
class SealedTexts:
    """Reads them with the keys of the settings; without any (None), nothing is sealed."""

    box: Sealer | None

    def open_rows(self, table: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows of a table, with their texts as they were written. What no key opens stays as it is."""
        names = [column.name for column in TEXTS if column.table == table]
        return [
            {**row, **{name: self._opened(row[name]) or row[name] for name in names if row.get(name)}} for row in rows
        ]

    def conditions(
        self, connection: psycopg.Connection, table: str, identity: Identity, name: str | None = None
    ) -> list[str]:
        """SQL that holds for the rows of a table whose sealed texts, or those of one column, name the person."""
        found = []
        for column in TEXTS:
            if column.table == table and name in (None, column.name):
                keys = ", ".join(f"'{key}'" for key, _ in self._naming(connection, column, identity))
                found += [f"{column.key} in ({keys})"] if keys else []
        return found

    def unseal_where_named(self, connection: psycopg.Connection, identity: Identity) -> list[tuple[Column, object]]:
        """Store the texts that name the person as they were written, so that queries find the name. Returns which ones:
        for `seal_again`, in the same transaction."""
        unsealed = []
        for column in TEXTS:
            for key, stored in self._naming(connection, column, identity):
                connection.execute(_statement("update {table} set {name} = %s where {key} = %s", column), [stored, key])
                unsealed.append((column, key))
        return unsealed

    def seal_again(self, connection: psycopg.Connection, unsealed: Sequence[tuple[Column, object]]) -> None:
        """Seal what is left of the texts that were unsealed. Others that are not sealed stay as they are."""
        for column, key in unsealed:
            assert self.box is not None, "without a key nothing is unsealed"
            for (text,) in connection.execute(
                _statement("select {name} from {table} where {key} = %s and {name} is not null", column), [key]
            ).fetchall():
                change = _statement("update {table} set {name} = %s where {key} = %s", column)
                connection.execute(change, [self.box.seal_text(text), key])

    def naming(self, connection: psycopg.Connection, identity: Identity) -> dict[str, int]:
        """How many sealed texts of which columns name the person, and how many cannot be read; without zeros."""
        found: Counter[str] = Counter()
        for column in TEXTS:
            name = f"{column.table}.{column.name}"
            for _, text in self._texts(connection, column):
                if text is None:
                    found[f"{name} (encrypted with a key that is lost)"] += 1
                elif identity.names_in(text):
                    found[name] += 1
        return dict(found)

    def _naming(
        self, connection: psycopg.Connection, column: Column, identity: Identity
    ) -> Iterator[tuple[object, str]]:
        for key, text in self._texts(connection, column):
            if text is not None and identity.names_in(text):
                yield key, text

    def _texts(self, connection: psycopg.Connection, column: Column) -> Iterator[tuple[object, str | None]]:
        """Keys of the sealed texts, each with what was written; None if no key opens it."""
        query = _statement("select {key}, {name} from {table} where {name} like %s order by {key}", column)
        for key, stored in connection.execute(query, [f"{MARK}%"]).fetchall():
            yield key, self._opened(stored)

    def _opened(self, stored: str | None) -> str | None:
        try:
            return self.box.open_text(stored) if self.box and stored else None
        except TutorqError:
            return None


def _statement(text: str, column: Column) -> sql.Composed:
    table = sql.SQL(".").join(map(sql.Identifier, column.table.split(".")))
    return sql.SQL(text).format(table=table, key=sql.Identifier(column.key), name=sql.Identifier(column.name))
