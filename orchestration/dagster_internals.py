"""What we use of Dagster and dagster-dbt that is not public API: all of it, so that an upgrade has one place to check.
The launcher and what derives from dagster-celery stand in `executors.py` and `celery_tasks.py`, which are nothing else.

`tests/orchestration/test_dagster_internals.py` fails when one of these goes away or takes other arguments.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.forkserver import ensure_running
from typing import Any, NamedTuple

import dagster as dg

# Imported where they are used: dagster-dbt needs no server, and the other way round.


def serve_code_location(preload: Sequence[str]) -> None:
    """`dagster api grpc` with the arguments of the command line, its runs forked from a process that has imported
    `preload`.

    Dagster starts a new Python for every run, because `DagsterApiServer` takes multiprocessing's context "spawn".
    """
    from dagster._cli.api import grpc_command
    from dagster._grpc import server

    class WarmServer(server.DagsterApiServer):
        """The server as it is, but for how it starts the processes of runs."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            forkserver = multiprocessing.get_context("forkserver")
            forkserver.set_forkserver_preload(list(preload))
            ensure_running()  # now, so that even the first run finds it warm
            self._mp_ctx = forkserver  # type: ignore[assignment]

    server.DagsterApiServer = WarmServer  # type: ignore[misc]
    grpc_command()


def failed_checks(instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey]) -> list[dg.AssetCheckKey]:
    """Those of these checks whose newest result is a failure of severity ERROR, in order."""
    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    failed = []
    for key, record in newest.items():
        if record.status is AssetCheckExecutionRecordStatus.FAILED and record.event is not None:
            evaluation = record.event.get_dagster_event().asset_check_evaluation_data
            if evaluation.severity is dg.AssetCheckSeverity.ERROR:
                failed.append(key)
    return sorted(failed)


def stale_assets(instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey]) -> list[dg.AssetKey]:
    """Those of these assets that the daemon has found older than their freshness policies allow, in order."""
    from dagster._core.definitions.freshness import FreshnessState

    states = instance.event_log_storage.get_freshness_state_records(keys)
    return sorted(key for key, record in states.items() if record.freshness_state is FreshnessState.FAIL)


class Timed(NamedTuple):
    """A run, a step or a model that has ended, in seconds since 1970. `parent` is the key of what it was part of."""

    key: str
    parent: str | None
    name: str
    started_at: float
    ended_at: float
    is_well: bool
    attributes: dict[str, str | int]


def timed_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[Timed]:
    """The run, then its steps, then what dbt made in them; nothing of what never began or has no end."""
    from dagster._core.execution.stats import StepEventStatus

    record = instance.get_run_record_by_id(run.run_id)
    if record is None or record.start_time is None or record.end_time is None:
        return
    is_well = run.status is dg.DagsterRunStatus.SUCCESS
    yield Timed("run", None, f"run {run.job_name}", record.start_time, record.end_time, is_well, {})
    for step in instance.get_run_step_stats(run.run_id):
        if step.start_time is not None and step.end_time is not None:
            is_well = step.status is not StepEventStatus.FAILURE
            attributes: dict[str, str | int] = {"tutorq.attempts": step.attempts or 1}
            yield Timed(step.step_key, "run", step.step_key, step.start_time, step.end_time, is_well, attributes)
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        materialization = entry.asset_materialization
        seconds = materialization.metadata.get("Execution Duration") if materialization else None
        if materialization and entry.step_key and seconds is not None:
            key, ended_at = "/".join(materialization.asset_key.path), entry.timestamp
            rows = materialization.metadata.get("dagster/row_count")
            attributes = {"tutorq.rows": int(str(rows.value))} if rows is not None else {}
            yield Timed(key, entry.step_key, key, ended_at - float(str(seconds.value)), ended_at, True, attributes)


def serve_webserver(guarded: Callable[[Any, bool], Any]) -> None:
    """`dagster-webserver` with the arguments of the command line, its application as `guarded` returns it.

    `guarded` is also told whether it is read-only. Dagster leaves some mutations open there (a sensor's dry run calls
    the sensor), so all of them are refused.
    """
    import uvicorn
    from dagster_webserver import cli, webserver
    from graphql import GraphQLError, OperationDefinitionNode, OperationType, ValidationRule

    class NoMutations(ValidationRule):
        """What every document has to fulfil where nothing may be changed."""

        def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
            if node.operation is OperationType.MUTATION:
                self.report_error(GraphQLError("This server is read-only.", node))

    class ReadOnlyWebserver(webserver.DagsterWebserver):  # type: ignore[type-arg]
        def build_graphql_validation_rules(self) -> list[Any]:
            return [*super().build_graphql_validation_rules(), NoMutations]

    def serve(
        workspace_process_context: Any,
        host: str | None,
        port: int | None,
        path_prefix: str,
        log_level: str,
        live_data_poll_rate: int | None = None,
    ) -> None:
        read_only = workspace_process_context.read_only
        kind = ReadOnlyWebserver if read_only else webserver.DagsterWebserver
        server: Any = kind(workspace_process_context, path_prefix, live_data_poll_rate)
        uvicorn.run(
            guarded(server.create_asgi_app(lifespan=cli._lifespan), read_only),
            host=host or cli.DEFAULT_WEBSERVER_HOST,
            port=port or cli.DEFAULT_WEBSERVER_PORT,
            log_level=log_level,
            http="h11",  # httptools takes headers of any size, and copies them again and again
            proxy_headers=False,
            server_header=False,
        )

    cli.host_dagster_ui_with_workspace_process_context = serve
    cli.cli(auto_envvar_prefix="DAGSTER_WEBSERVER")


def serve_daemon() -> None:
    """`dagster-daemon` with the arguments of the command line."""
    from dagster._daemon.cli import main

    main()


def warm_up() -> None:
    """Import what the process of a run needs of Dagster."""
    import dagster._grpc.impl  # noqa: F401


def keep_connections() -> None:
    """Let Dagster's storages in this process keep their connection from one statement to the next.

    dagster-postgres connects anew for each statement, twice and more per event. The daemon writes a hundred events when
    it makes a run, and the run some hundreds more. Dagster's web server is told to keep connections
    (`optimize_for_webserver`), but runs and the daemon make their instance by themselves.
    """
    from dagster_postgres.event_log import event_log
    from dagster_postgres.run_storage import run_storage
    from dagster_postgres.schedule_storage import schedule_storage
    from dagster_postgres.utils import create_pg_engine
    from sqlalchemy.pool import QueuePool

    def kept(*args: Any, **options: Any) -> Any:
        # A server that has begun anew is noticed by the ping; the age keeps clear of firewalls that forget quiet ones.
        kept_open = {"poolclass": QueuePool, "pool_size": 2, "max_overflow": -1}
        kept_open |= {"pool_pre_ping": True, "pool_recycle": 300}
        return create_pg_engine(*args, **{**options, **kept_open})

    for storage in (event_log, run_storage, schedule_storage):
        storage.create_pg_engine = kept  # type: ignore[attr-defined]


def dbt_selection(
    context: dg.AssetExecutionContext, manifest: Mapping[str, Any], translator: Any, excluded: Sequence[str]
) -> list[str]:
    """The arguments of dbt that build what this run has selected, and the functions, which are no assets.

    dagster-dbt gives them only to its own `DbtCliResource`, which starts a dbt of its own.
    """
    from dagster_dbt.asset_utils import get_updated_cli_invocation_params_for_context

    chosen = get_updated_cli_invocation_params_for_context(context, manifest, translator, runtime_excludes=excluded)
    arguments = list(chosen.selection_args)
    arguments.insert(arguments.index("--select") + 2, "resource_type:function")
    return arguments


def dagster_events(
    message: dict[str, Any],
    manifest: Mapping[str, Any],
    translator: Any,
    context: dg.AssetExecutionContext,
    project: Any,
) -> Iterator[Any]:
    """What an event of dbt's JSON log means to Dagster: outputs of models, results of checks, or nothing."""
    from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

    told = DbtCoreCliEventMessage(raw_event=message, event_history_metadata={})
    yield from told.to_default_asset_events(manifest, translator, context, project=project)
