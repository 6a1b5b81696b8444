"""Export what is stored of a person: a folder with a file for each table, and a page that says what each file is."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader

from core import audit
from core.audit import Action, Entry
from core.errors import TutorqError
from persons.identity import Identity
from persons.registry import DELETED_IF_NAMED, Holds, Table, renumbered, stored_tables
from persons.sealed import SealedTexts

INDEX = "index.html"
NOBODY = UUID(int=0)
VIEWS = """
select class.relname, array_agg(attribute.attname::text order by attribute.attnum)
from pg_class as class
inner join pg_attribute as attribute on attribute.attrelid = class.oid and attribute.attnum > 0
where class.relnamespace = to_regnamespace('marts') and class.relkind = 'v'
group by class.relname
order by class.relname
"""
COMMENT = "select obj_description(to_regclass(%s), 'pg_class')"
PRIVILEGE = "select has_table_privilege(%s, 'select')"
# Made on the way to the marts, which say the same; nothing is in them that is in no other table.
LEFT_OUT = ("intermediate", "staging", "analytics", "test_failures")


@dataclass(frozen=True)
class Exported:
    """The rows of one table that are of the person, or name them (`is_mention`)."""

    table: str
    about: str
    rows: Sequence[dict[str, Any]]
    is_mention: bool = False

    @property
    def stem(self) -> str:
        return self.table + (".mentions" if self.is_mention else "")


def read_person(connection: psycopg.Connection, identity: Identity, texts: SealedTexts) -> Iterator[Exported]:
    """What each table holds of the person, without secrets; tables without such rows are left out, and so are those
    that the connection's role may not read.

    Of rows of others that name the person, such as a weekly report, only the columns that do are told: what else stands
    there is of others.
    """
    tables = [table for table in stored_tables(connection) if table.name.partition(".")[0] not in LEFT_OUT]
    tables += [
        Table(f"marts.{name}", tuple(columns), {})
        for name, columns in connection.execute(VIEWS)
        if {"tutor_id", "student_id"} & set(columns)
    ]
    for table in sorted(tables, key=lambda each: each.name):
        if not _value(connection, PRIVILEGE, [table.name]):
            continue
        about = _value(connection, COMMENT, [table.name]) or ""
        if found := texts.open_rows(table.name, _rows_of(connection, table, identity, texts)):
            yield Exported(table.name, str(about), found)
        if mentions := _mentions(connection, table, identity, texts):
            yield Exported(table.name, f"Rows of others that name the person. {about}", mentions, is_mention=True)


def note_export(
    connection: psycopg.Connection, kind: str, person_id: object, tables: int, actor: str | None = None
) -> None:
    """Note in the audit log that somebody's data were exported."""
    entry = Entry(actor or audit.operator(), Action.DATA_EXPORT, kind, str(person_id), {"tables": tables})
    audit.record(connection, entry)


def write_export(folder: Path, called: str, kind: str, tables: Sequence[Exported]) -> None:
    """Write a folder with a CSV or JSON file for each table, and `index.html`. Only its owner can read it.

    Args:
        called: name or id of the person.
        kind: tutor, student, or person for somebody who logs in.

    Raises:
        TutorqError: the folder is there already, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, mode=0o700)
        named = [(table, _write(folder, table)) for table in tables]
        (folder / INDEX).write_text(_index(called, kind, named), encoding="utf-8")
    except FileExistsError as error:
        raise TutorqError(f"{folder} is there already; say another one with --out") from error
    except OSError as error:
        raise TutorqError(f"cannot write {folder}: {error.strerror}") from error


def _rows_of(
    connection: psycopg.Connection, table: Table, identity: Identity, texts: SealedTexts
) -> list[dict[str, Any]]:
    """Rows of the person, and of tables of which an erasure deletes whatever names them, those too."""
    secret = set(table.holding(Holds.SECRET))
    shown = ", ".join(f'"{column}"' for column in table.columns if column not in secret)
    where = []
    if (rows := table.rows(identity.kind)) is not None:
        where.append(f"({rows.condition})")
    if table.name in DELETED_IF_NAMED:
        where += [f'"{column}"::text ~* $7::text' for column in table.types]
        where += texts.conditions(connection, table.name, identity)
    return _select(connection, f"select {shown} from {table.name}", where, identity) if where else []


def _mentions(
    connection: psycopg.Connection, table: Table, identity: Identity, texts: SealedTexts
) -> list[dict[str, Any]]:
    """How many rows of others name the person, by column."""
    if table.name in DELETED_IF_NAMED:
        return []
    rows = table.rows(identity.kind)
    is_own = f"coalesce({rows.condition}, false)" if rows else "false"
    found = []
    for column in table.words:
        query = f"select '{column}' as column, count(*) as rows from {table.name}"
        named = " or ".join(
            [f'"{column}"::text ~* $7::text', *texts.conditions(connection, table.name, identity, column)]
        )
        found += _select(connection, query, [f"({named}) and not {is_own}"], identity)
    return [each for each in found if each["rows"]]


def _select(
    connection: psycopg.Connection, query: str, where: Sequence[str], identity: Identity
) -> list[dict[str, Any]]:
    statement, used = renumbered(
        f"{query} where {' or '.join(where)}", [*identity.parameters(NOBODY), identity.pattern]
    )
    with psycopg.RawCursor(connection, row_factory=dict_row) as cursor:
        # As the server writes them: some times are infinite, which Python's have no word for, and bytes are no text.
        for kind in ("bytea", "date", "timestamp", "timestamptz"):
            cursor.adapters.register_loader(kind, TextLoader)
        return cursor.execute(statement.encode(), used).fetchall()


def _write(folder: Path, table: Exported) -> str:
    """The name of its file: CSV, unless cells are lists or objects."""
    is_flat = not any(isinstance(value, list | dict) for row in table.rows for value in row.values())
    path = folder / f"{table.stem}.{'csv' if is_flat else 'json'}"
    with path.open("w", encoding="utf-8", newline="") as file:
        if is_flat:
            writer = csv.DictWriter(file, list(table.rows[0]))
            writer.writeheader()
            writer.writerows(table.rows)
        else:
            json.dump(table.rows, file, ensure_ascii=False, indent=2, default=str)
    path.chmod(0o600)
    return path.name


def _index(name: str, kind: str, named: Sequence[tuple[Exported, str]]) -> str:
    rows = "\n".join(
        f'<tr><td><a href="{escape(name)}">{escape(name)}</a></td><td>{len(table.rows):,}</td>'
        f"<td>{escape(table.about)}</td></tr>"
        for table, name in named
    )
    called = escape(name)
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Data of {called}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }}
td, th {{ padding: .3rem .8rem; text-align: left; vertical-align: top }}
td:nth-child(2) {{ text-align: right }}
</style>
<h1>Data of {called}</h1>
<p>All that tutorq stores of this {kind}, as of {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Each file
holds the rows of one table: CSV files open in any spreadsheet, JSON files hold lists and objects. Files of
<code>raw</code> hold what the marketplace sent, <code>app</code> what people did with it, <code>ml</code> predictions,
<code>marts</code> what was computed. Files that end with <code>.mentions</code> tell where rows of others name this
{kind}.</p>
<table>
<tr><th>file</th><th>rows</th><th>what it holds</th></tr>
{rows}
</table>
</html>
"""


def _value(connection: psycopg.Connection, query: Any, parameters: Any = None) -> Any:
    row = connection.execute(query, parameters).fetchone()
    return row[0] if row else None
