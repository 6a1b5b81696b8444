"""The models of scoring once more, with other settings, where nobody else sees them.

dbt compiles the models and functions from `int_tutor_days` up to the scores with other vars. They are then made among
the temporary objects of one connection, in one transaction that is rolled back: each under its own name in quotes
(`pg_temp."intermediate.int_tutor_scores"`), with every mention of it rewritten. So formulas stand once, in dbt, and
nothing is left behind, whatever ends the process.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import psycopg
from jinja2 import Template, UndefinedError

from core.dbt_internals import CompiledNode
from core.errors import TutorqError

TARGETS: Final = ("tutor_scores", "tutor_concerns", "tutor_flags")
ANALYSES: Final = ("what_if_steps", "what_if_weeks")
# Read as they are: no setting changes what is in them. Of cases, the mix is made at night.
INPUTS: Final = (
    *("int_as_of", "int_pairs", "dim_tutors", "stg_raw__sessions", "int_deciding_moves", "stg_app__excuses"),
    "int_case_mix_kept",
)
# Only some settings change these (which causes count, what is late): they are made anew if their SQL is another one.
FACTS: Final = ("int_session_facts", "int_tutor_days")
# Tables that functions write; those in `app` and the priors go on from what they are.
EMPTY_TABLES: Final = (
    "intermediate.scoring_days",
    "intermediate.day_before",
    "intermediate.touched_concerns",
    "intermediate.touched_concern_days",
    "intermediate.touched_forecasts",
    "intermediate.touched_filter_checkpoints",
    "intermediate.concern_days_up_to",
    "intermediate.filter_parameters",
)
COPIED_TABLES: Final = (
    "intermediate.concern_priors",
    "app.concern_priors",
    "app.concern_stretches",
    "app.score_reference",
)
TOO_LONG: Final = "it took longer than 10 minutes; ask for fewer weeks"
NAME = re.compile(r'(?:"[^"]*"\.)?(?:"(intermediate|marts|app)"\."(\w+)"|\b(intermediate|marts|app)\.(\w+)\b)')
VOLATILITY: Final = {"deterministic": "immutable", "stable": "stable", "non-deterministic": "volatile"}
WRITTEN = """
select schemaname || '.' || relname from pg_stat_xact_user_tables
where n_tup_ins + n_tup_upd + n_tup_del > 0 and schemaname !~ '^pg_temp'
order by 1
"""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is made, in this order: functions, then models, each after those that it reads."""

    functions: Sequence[CompiledNode]
    models: Sequence[CompiledNode]
    analyses: Mapping[str, str]
    variables: Mapping[str, Any]
    names: frozenset[str]

    def rewritten(self, sql: str) -> str:
        """SQL that reads and writes the shadow instead of the tables, views and functions that it stands for."""

        def replace(found: re.Match[str]) -> str:
            schema, name = found[1] or found[3], found[2] or found[4]
            key = f"{schema}.{name}"
            return f'pg_temp."{key}"' if key in self.names else found[0]

        return NAME.sub(replace, sql)


def plan(nodes: Iterable[CompiledNode], present: Iterable[CompiledNode], variables: Mapping[str, Any]) -> Plan:
    """What has to be made anew with these nodes, which `present` are with the settings in force."""
    by_name = {node.name: node for node in nodes}
    before = {node.name: node for node in present}
    facts = () if all(by_name[name].code == before[name].code for name in FACTS) else FACTS
    inputs = {*INPUTS, *(FACTS if not facts else ())}
    order: dict[str, CompiledNode] = {}

    def visit(name: str) -> None:
        if name in order or name in inputs or name not in by_name:
            return
        for needed in by_name[name].depends_on:
            visit(needed)
        order[name] = by_name[name]

    for name in (*facts, *TARGETS):
        visit(name)
    functions = [each for each in order.values() if each.materialized == "function" and each.schema == "intermediate"]
    models = [
        each for each in order.values() if each.materialized != "function" and each.schema in ("intermediate", "marts")
    ]
    names = {f"{each.schema}.{each.name}" for each in (*functions, *models)} | {*EMPTY_TABLES, *COPIED_TABLES}
    return Plan(
        functions=functions,
        models=models,
        analyses={name: by_name[name].code for name in ANALYSES},
        variables=variables,
        names=frozenset(names),
    )


def selection() -> list[str]:
    """What dbt has to compile."""
    return [*(f"+{name}" for name in TARGETS), *ANALYSES]


class Shadow:
    """The models of a plan on one connection, inside a transaction that the caller rolls back."""

    def __init__(self, connection: psycopg.Connection, plan: Plan, until: float = inf) -> None:
        self._connection = connection
        self._plan = plan
        self._until = until

    @property
    def analyses(self) -> Mapping[str, str]:
        """Compiled analyses by their names."""
        return self._plan.analyses

    def execute(self, sql: str, values: Sequence[Any] | None = None) -> psycopg.Cursor[Any]:
        """Run SQL on the shadow.

        Raises:
            TutorqError: it was not done by the end of the time that the shadow has.
        """
        if self._until < inf:
            # 0 would be no limit.
            left = max(1, int(1000 * (self._until - time.monotonic())))
            self._connection.execute(f"set local statement_timeout = {left}".encode())
        try:
            return self._connection.execute(self._plan.rewritten(sql).encode(), values)
        except psycopg.errors.QueryCanceled as error:
            raise TutorqError(TOO_LONG) from error

    def make(self, progress: Progress) -> None:
        """Make everything, as a run of dbt with these vars would on the tables as they are."""
        # Functions name tables that are made later.
        self._connection.execute("set local check_function_bodies = off")
        for table in (*EMPTY_TABLES, *COPIED_TABLES):
            self._copy(table)
        for function in self._plan.functions:
            self.execute(_function(function))
        for model in self._plan.models:
            progress(model.name)
            self._make(model)

    def check(self) -> None:
        """Nothing but temporary tables may have been written.

        Raises:
            TutorqError: something was; nothing of it stays.
        """
        written = [name for (name,) in self._connection.execute(WRITTEN).fetchall()]
        if written:
            raise TutorqError(f"a what-if would have changed {', '.join(written)}; nothing was")

    def _copy(self, table: str) -> None:
        self.execute(f"create table {table} (like {_real(table)} including all)")
        if table in COPIED_TABLES:
            self.execute(f"insert into {table} overriding system value select * from {_real(table)}")
        self.execute(f"analyze {table}")

    def _make(self, model: CompiledNode) -> None:
        table = f"{model.schema}.{model.name}"
        if model.materialized == "view" or model.name == "int_session_facts":
            self.execute(f"create view {table} as {model.code}")
            return
        self._run(model.pre_hooks)
        self.execute(f"create table {table} as {model.code}")
        for index in model.config.get("indexes", ()):
            unique = "unique" if index.get("unique") else ""
            self.execute(f"create {unique} index on {table} ({', '.join(index['columns'])})")
        self.execute(f"analyze {table}")
        self._run(model.post_hooks)

    def _run(self, hooks: Sequence[str]) -> None:
        """Those that prepare or finish scores; not those that keep cases, or tell of what has changed."""
        for hook in hooks:
            sql = hook if "{{" not in hook else _rendered(hook, self._plan.variables)
            if sql.startswith("select intermediate."):
                self.execute(sql)


def _rendered(hook: str, variables: Mapping[str, Any]) -> str:
    """A hook with its vars; empty if it is a macro, which only dbt can run."""
    try:
        return str(Template(hook).render(var=variables.__getitem__))
    except UndefinedError:
        return ""


def _real(table: str) -> str:
    """The table itself, in a form that is not rewritten."""
    schema, _, name = table.partition(".")
    return f'"{schema}" . "{name}"'


def _function(node: CompiledNode) -> str:
    parameters = ", ".join(f"{name} {kind}" for name, kind in node.arguments)
    meta = node.config.get("meta") or {}
    return f"""
        create function {node.schema}.{node.name} ({parameters})
        returns {node.returns}
        language {meta.get("language", "sql")}
        {VOLATILITY[node.volatility]} {meta.get("attributes", "")}
        as $function$
        {node.code}
        $function$
    """
