"""What we use of dbt that is not public API (`dbtRunner` is). All of it, so that an upgrade has one place to look at.

`tests/core/test_dbt_internals.py` fails when one of these goes away or takes other arguments.
"""

import logging
import select
import threading
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    from dbt.adapters.base.impl import BaseAdapter
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import Macro
    from dbt_common.events.base_types import EventMsg

log = logging.getLogger(__name__)

ParsedProject: TypeAlias = "Manifest"


@dataclass(frozen=True, slots=True)
class CompiledNode:
    """A model, function or analysis of the project, and its SQL with the vars of one command.

    `materialized` is `view`, `incremental` and so on, or `function`. Of hooks it has the raw code. `config` has what
    the project's own materializations and macros read; `arguments`, `returns` and `volatility` are those of functions.
    """

    name: str
    schema: str
    materialized: str
    code: str
    depends_on: tuple[str, ...]
    pre_hooks: tuple[str, ...]
    post_hooks: tuple[str, ...]
    config: Mapping[str, Any]
    arguments: tuple[tuple[str, str], ...] = ()
    returns: str = ""
    volatility: str = ""


def warm_up(project: Path, parsed: Path) -> None:
    """Do beforehand what the first run of a process does once: half of the time that dbt itself takes in a small run.

    Import what dbt imports late, read the project as `dbt parse` left it, compile templates, and make the classes that
    check configuration, by a command that has nothing to do. Connects to nothing.

    A failure is told in the log and no more: the first run does then what is left.
    """
    try:
        _warm_up(project, parsed)
    except Exception as error:  # whatever dbt raises: without this process there would be no runs at all
        log.warning("dbt is not warmed up (%s)", type(error).__qualname__)


def _warm_up(project: Path, parsed: Path) -> None:
    import dbt.adapters.postgres.impl
    import dbt.cli.main  # noqa: F401
    from dbt_common.clients.jinja import get_template, template_cache

    if not parsed.exists() or (manifest := read_parsed(parsed, "any")) is None:
        return
    _keep_compiled()
    for macro in _called(manifest):
        template_cache.get_node_template(macro)
    for node in (*manifest.nodes.values(), *manifest.functions.values()):
        get_template(node.raw_code, {})
    with TemporaryDirectory() as folder:
        where = [f"--project-dir={project}", f"--profiles-dir={project}", f"--target-path={folder}"]
        runner(manifest).invoke(["--quiet", "--log-level-file=none", "parse", f"--log-path={folder}", *where])


def runner(parsed: "ParsedProject | None" = None, on_event: "Callable[[EventMsg], None] | None" = None) -> "dbtRunner":
    """dbt in this process, on a project parsed before. The hundredth run of a process costs what the first one does.

    Each adapter of dbt-postgres 1.11 appends its behavior flags to a list of the module, and finds out for each flag
    in it who asked, by reading the source of every frame of the stack: 20 ms more with each run.

    Events for debugging are dropped, most of 2,000 in a run: dbt makes a line of each before it looks at the level.
    Each of its threads keeps its connection from node to node.
    """
    from dbt.adapters.base.impl import DEFAULT_BASE_BEHAVIOR_FLAGS
    from dbt.cli.main import dbtRunner
    from dbt_common.behavior_flags import BehaviorFlagRendered

    by_name = {flag["name"]: flag for flag in DEFAULT_BASE_BEHAVIOR_FLAGS}
    DEFAULT_BASE_BEHAVIOR_FLAGS[:] = by_name.values()
    # Stands only in the text of a warning about a flag.
    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt.adapters")  # type: ignore[method-assign]
    _drop_events_for_debugging()
    _keep_connections()
    return dbtRunner(parsed, callbacks=[on_event] if on_event else [])


@cache
def _drop_events_for_debugging() -> None:
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager

    fire = EventManager.fire_event

    def fire_others(self: Any, e: Any, level: Any = None, *args: Any, **kwargs: Any) -> None:
        if (level or e.level_tag()) is not EventLevel.DEBUG:
            fire(self, e, level, *args, **kwargs)

    EventManager.fire_event = fire_others  # type: ignore[method-assign]


@cache
def _keep_connections() -> None:
    """dbt connects anew for each node: 40 times in a small run, each time to a process of Postgres that knows no table
    and no plan. At the end of a command it closes what its threads have kept. What has ended meanwhile is replaced."""
    from dbt.adapters.postgres.connections import PostgresConnectionManager

    name_for_node = PostgresConnectionManager.set_connection_name

    def name_one_that_lives(self: Any, name: str | None = None) -> Any:
        connection = self.get_if_exists()
        is_idle = connection is not None and connection.state == "open" and not connection.transaction_open
        if is_idle and _has_ended(connection.handle):
            self.close(connection)
        return name_for_node(self, name)

    def release(self: Any) -> None:
        connection = self.get_if_exists()
        if connection is None or connection.state != "open":
            return
        try:
            connection.handle.rollback()  # as closing it did
            connection.transaction_open = False
        except Exception:  # lost: the next node connects anew
            self.close(connection)

    PostgresConnectionManager.set_connection_name = name_one_that_lives  # type: ignore[method-assign]
    PostgresConnectionManager.release = release  # type: ignore[method-assign]


def _has_ended(handle: Any) -> bool:
    """Whether psycopg2's connection, which is idle, is lost: unasked, a server hardly sends anything but its end."""
    if handle.closed:
        return True
    poll = select.poll()
    poll.register(handle.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def read_parsed(path: Path, database: str) -> "ParsedProject | None":
    """The project as `dbt parse` left it, for a database of this name; None if another version of dbt did.

    Read once: dbt runs on the same project again and again, and compiles each node anew.
    """
    manifest = _kept(path, path.stat().st_mtime_ns)
    if manifest is None:
        return None
    for node in (*manifest.nodes.values(), *manifest.sources.values(), *manifest.functions.values()):
        if node.relation_name is not None:
            node.relation_name = node.relation_name.replace(f'"{node.database}".', f'"{database}".', 1)
        node.database = database
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]  # what macros know as `graph`
    return manifest


@lru_cache(maxsize=1)
def _kept(path: Path, changed_at: int) -> "Manifest | None":  # noqa: ARG001
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder
    from dbt.version import __version__

    project = extended_mashumuro_decoder(path.read_bytes())  # type: ignore[no-untyped-call]
    if project["metadata"]["dbt_version"] != __version__:
        return None
    return Manifest.from_msgpack(b"", decoder=lambda _: project)


@cache
def _keep_compiled() -> None:
    """Compile the code of a node once. dbt does so each time that it renders it, in an environment made for that."""
    from dbt_common.clients.jinja import MacroFuzzEnvironment

    compiled: dict[tuple[type, str], Any] = {}
    compile_anew = MacroFuzzEnvironment.compile

    def compile_once(self: Any, source: Any, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            return compile_anew(self, source, *args, **kwargs)
        if (type(self), source) not in compiled:
            compiled[type(self), source] = compile_anew(self, source)
        return compiled[type(self), source]

    MacroFuzzEnvironment.compile = compile_once  # type: ignore[method-assign]


def _called(manifest: "Manifest") -> "Iterator[Macro]":
    """Macros that builds call: those of nodes and materializations, and what these call."""
    ids = [name for node in (*manifest.nodes.values(), *manifest.functions.values()) for name in node.depends_on.macros]
    ids += [name for name in manifest.macros if ".materialization_" in name or not name.startswith("macro.dbt.")]
    known: set[str] = set()
    while ids:
        macro = manifest.macros.get(ids.pop())
        if macro is not None and macro.unique_id not in known:
            known.add(macro.unique_id)
            ids += macro.depends_on.macros
            yield macro


def event_as_dict(event: "EventMsg") -> dict[str, Any]:
    """An event as dbt's JSON log has it."""
    from dbt_common.events.functions import msg_to_dict

    return msg_to_dict(event)


@contextmanager
def leaving(nodes: Set[str]) -> Iterator[None]:
    """Meanwhile, dbt reports the nodes with these ids as done and does nothing about them. One dbt at a time."""
    from dbt.artifacts.schemas.results import RunStatus
    from dbt.artifacts.schemas.run import RunResult
    from dbt.task.base import BaseRunner

    compile_and_execute = BaseRunner.compile_and_execute

    def unless_left(self: "BaseRunner", manifest: "Manifest", ctx: Any) -> Any:
        if self.node.unique_id not in nodes:
            return compile_and_execute(self, manifest, ctx)
        self.before_execute()
        result = RunResult(
            node=self.node,
            status=RunStatus.Success,
            timing=[],
            thread_id=threading.current_thread().name,
            execution_time=0.0,
            message="unchanged",
            adapter_response={},
            failures=None,
            batch_results=None,
        )
        self.after_execute(result)
        return result

    BaseRunner.compile_and_execute = unless_left  # type: ignore[method-assign]
    try:
        yield
    finally:
        BaseRunner.compile_and_execute = compile_and_execute  # type: ignore[method-assign]


def made(result: object) -> list[str]:
    """Ids of the views and functions that a build has made, or left."""
    results = cast("RunExecutionResult", result).results
    return [
        each.node.unique_id
        for each in results
        if each.status == "success"
        and each.node.resource_type in ("model", "function")
        and getattr(each.node.config, "materialized", None) in ("view", "function")
    ]


def failures(result: object) -> list[tuple[str, str]]:
    """Name and message of each node that failed in the result of a build."""
    results = cast("RunExecutionResult", result).results
    return [(each.node.name, str(each.message)) for each in results if each.status in ("error", "fail")]


def compiled_nodes(result: object) -> list[CompiledNode]:
    """What `dbt compile` has compiled."""
    return [_compiled(each.node) for each in cast("RunExecutionResult", result).results]


def _compiled(node: Any) -> CompiledNode:
    config = node.config
    is_function = config.materialized == "function"
    return CompiledNode(
        name=node.name,
        schema=node.schema,
        materialized=config.materialized,
        code=str(node.compiled_code),
        depends_on=tuple(each.split(".")[-1] for each in node.depends_on.nodes),
        pre_hooks=tuple(hook.sql for hook in config.pre_hook),
        post_hooks=tuple(hook.sql for hook in config.post_hook),
        config={**config.to_dict(omit_none=True), **config._extra},
        arguments=tuple((each.name, each.data_type) for each in node.arguments) if is_function else (),
        returns=node.returns.data_type if is_function else "",
        volatility=str(getattr(config.volatility, "value", config.volatility)) if is_function else "",
    )


def cut_connections() -> None:
    """End the connections of the dbt in this process, whose models then roll back. Leaves none of its own."""
    from dbt.adapters.factory import FACTORY

    for adapter in cast("list[BaseAdapter]", list(FACTORY.adapters.values())):
        with adapter.connection_named("cut"):
            # Connections belong to their login, not to the role that it has taken.
            adapter.execute("reset role")
            adapter.cancel_open_connections()  # type: ignore[no-untyped-call]
            adapter.connections.close(adapter.connections.get_thread_connection())
