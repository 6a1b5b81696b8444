"""Which columns a column of a dbt model is made from, for the graph: read from the SQL that dbt has compiled.

dagster-dbt can do this, too, but knows nothing behind an ephemeral model, and asks sqlglot's `lineage` for each column:
that took 55 s for the marts, of which `tutor_scores` 40, since it follows every path through the CTEs. Here each column
of each CTE is looked up once: 1 s in all.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from sqlglot import MappingSchema, exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from core.dbt_runner import MANIFEST_PATH

DIALECT = "postgres"

Column = tuple[str, str, str]  # schema, table, column
Lineage = dict[str, list[Column]]


class ColumnLineage:
    """The lineage of each model, found once for each manifest and kept in a file; runs only look it up."""

    def __init__(self, manifest: Mapping[str, Any], folder: Path, asset_key: Callable[[Any], dg.AssetKey]) -> None:
        self._manifest = manifest
        self._file = folder / "column_lineage.json"
        nodes = [*manifest["nodes"].values(), *manifest["sources"].values()]
        self._tables = {
            (node["schema"], node.get("alias") or node["name"]): node
            for node in nodes
            if node["resource_type"] in ("model", "source") and node["relation_name"]
        }
        self._keys = {table: asset_key(node) for table, node in self._tables.items()}
        self._made_from = hashlib.sha256(MANIFEST_PATH.read_bytes()).hexdigest()
        self._known: dict[str, Lineage] = self._read()
        self._schema: MappingSchema | None = None

    def metadata(self, unique_id: str, target: Path) -> dict[str, Any]:
        """For the materialisation of a model compiled in `target`; empty if its SQL cannot be followed."""
        if unique_id not in self._known:
            node = self._manifest["nodes"][unique_id]
            self._known[unique_id] = self._find(node, target / "compiled" / "tutorq" / node["original_file_path"])
            self._file.write_text(json.dumps({"manifest": self._made_from, "models": self._known}))
        deps = {
            column: [dg.TableColumnDep(self._keys[schema, table], name) for schema, table, name in sources]
            for column, sources in self._known[unique_id].items()
        }
        return {"dagster/column_lineage": dg.TableColumnLineage(deps)} if deps else {}

    def _read(self) -> dict[str, Lineage]:
        try:
            kept = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return dict(kept["models"]) if kept["manifest"] == self._made_from else {}

    def _find(self, node: Mapping[str, Any], compiled: Path) -> Lineage:
        if self._schema is None:
            columns: dict[str, Any] = {}
            for (schema, table), each in self._tables.items():
                if each["resource_type"] == "model":  # sources do not describe every column, staging names each
                    columns.setdefault(schema, {})[table] = dict.fromkeys(each["columns"], "text")
            self._schema = MappingSchema(columns, dialect=DIALECT)
        try:
            return lineage(compiled.read_text(), self._schema, list(node["columns"]), set(self._tables))
        except (OSError, SqlglotError):
            return {}  # a picture is missing, which is no reason for a run to fail


def lineage(sql: str, schema: MappingSchema, columns: list[str], tables: set[tuple[str, str]]) -> Lineage:
    """The columns of `tables` that each of `columns` of a query is made from.

    Raises:
        SqlglotError: the query cannot be parsed.
    """
    query = parse_one(_without_database(sql), dialect=DIALECT)
    scope = build_scope(qualify(query, schema=schema, dialect=DIALECT, validate_qualify_columns=False, identify=False))
    found: dict[tuple[int, str], set[Column]] = {}
    return {
        column: sorted(source for source in _sources(scope, column, found) if source[:2] in tables)
        for column in columns
        if scope is not None
    }


def _without_database(sql: str) -> str:
    """Relations by schema and name, as assets have them."""
    return sql.replace('"tutorq".', "")


def _sources(scope: Scope | None, column: str, found: dict[tuple[int, str], set[Column]]) -> set[Column]:
    """The table columns behind a column of a query, which may read other queries."""
    if scope is None:
        return set()
    if (id(scope), column) not in found:
        found[id(scope), column] = set()  # for a recursive query, which reads itself
        found[id(scope), column] = set(_look(scope, column, found))
    return found[id(scope), column]


def _look(scope: Scope, column: str, found: dict[tuple[int, str], set[Column]]) -> Iterator[Column]:
    query = scope.expression
    if isinstance(query, exp.SetOperation):
        names = list(query.named_selects)
        for branch in scope.set_operation_scopes:
            if column in names and isinstance(branch.expression, exp.Query):
                yield from _sources(branch, branch.expression.named_selects[names.index(column)], found)
    elif isinstance(query, exp.Lateral):
        for inner in scope.traverse():
            if inner.expression is query.this.unnest():
                yield from _sources(inner, column, found)
    elif isinstance(query, exp.Select):
        for projection in query.selects:
            if projection.alias_or_name == column:
                yield from _read_by(projection, scope, found)


def _read_by(projection: exp.Expr, scope: Scope, found: dict[tuple[int, str], set[Column]]) -> Iterator[Column]:
    """What an expression reads: columns of the query's tables and, in brackets, of other queries."""
    others = {id(each.expression): each for each in scope.subquery_scopes}
    for part in projection.find_all(exp.Column, exp.Select):
        if isinstance(part, exp.Select):
            for name in part.named_selects:
                yield from _sources(others.get(id(part)), name, found)
        elif isinstance(part, exp.Column):
            # A table whose columns nobody has described is alone in its query.
            source = scope.sources.get(part.table or next(iter(scope.sources), ""))
            if isinstance(source, exp.Table):
                yield (source.db, source.name, part.name)
            elif isinstance(source, Scope):
                yield from _sources(source, part.name, found)
