"""What is used of Dagster and dagster-dbt without being public: here an upgrade that moves it fails first.

That runs are forked from the warm process, and that dbt's events become materialisations, is tested by running them
(`tests/e2e/test_up.py`, `test_graph.py`).
"""

import inspect
import re
from collections.abc import Callable
from typing import Any

from dagster._cli.api import grpc_command
from dagster._grpc import impl, server
from dagster_dbt.asset_utils import get_updated_cli_invocation_params_for_context
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from dagster_webserver import cli as webserver_cli
from dagster_webserver.graphql import GraphQLServer
from dagster_webserver.webserver import DagsterWebserver

from core.settings import PROJECT_ROOT

HOMES = {
    "orchestration/dagster_internals.py", "orchestration/executors.py", "orchestration/celery_tasks.py",
    "core/dbt_internals.py",
}  # fmt: skip
PRIVATE = re.compile(
    r"(from|import) dagster\w*\._|from dagster_dbt\.(asset_utils|core|utils)|from dbt\.(?!cli\.main)|from dbt_common"
    r"|\b(?!self\b|cls\b)\w+\._(?!asdict|exit|replace)[a-z]\w+\("
)


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_the_server_starts_runs_by_its_context() -> None:
    """`_mp_ctx` is set in the constructor, and asked for the process of each run."""
    assert "self._mp_ctx = " in inspect.getsource(server.DagsterApiServer.__init__)
    assert "self._mp_ctx.Process(" in inspect.getsource(server.DagsterApiServer)


def test_the_command_takes_its_server_from_the_module() -> None:
    source = inspect.getsource(grpc_command.callback)  # type: ignore[arg-type]
    assert "import DagsterApiServer" in source, "when it is called, and not before"
    assert "DagsterApiServer(" in source
    options = {option for parameter in grpc_command.params for option in parameter.opts}
    assert options >= {"--host", "--port", "--module-name", "--location-name", "--use-python-environment-entry-point"}
    assert hasattr(impl, "core_execute_run")


def test_the_web_server_is_put_together_where_we_do_it() -> None:
    """`serve_webserver` replaces the function that makes the application and serves it."""
    assert parameters(webserver_cli.host_dagster_ui_with_workspace_process_context) == [
        "workspace_process_context",
        "host",
        "port",
        "path_prefix",
        "log_level",
        "live_data_poll_rate",
    ]
    command = inspect.getsource(webserver_cli.dagster_webserver.callback)  # type: ignore[arg-type]
    assert "host_dagster_ui_with_workspace_process_context(" in command
    assert parameters(DagsterWebserver)[:3] == ["process_context", "app_path_prefix", "live_data_poll_rate"]
    assert "self.build_graphql_validation_rules()" in inspect.getsource(GraphQLServer)


def test_dagster_dbt_selects_and_tells() -> None:
    assert parameters(get_updated_cli_invocation_params_for_context) == [
        "context",
        "manifest",
        "dagster_dbt_translator",
        "runtime_selects",
        "runtime_excludes",
    ]
    assert parameters(DbtCoreCliEventMessage) == ["raw_event", "event_history_metadata"]
    assert parameters(DbtCoreCliEventMessage.to_default_asset_events) == [
        "self",
        "manifest",
        "dagster_dbt_translator",
        "context",
        "target_path",
        "project",
    ]


def test_nothing_private_is_used_elsewhere() -> None:
    """But for types, which cost nothing when they move."""
    assert all((PROJECT_ROOT / name).is_file() for name in HOMES)
    found = {}
    for folder in ("orchestration", "core", "cli", "ingest", "ml", "reports", "api"):
        for path in (PROJECT_ROOT / folder).rglob("*.py"):
            name = path.relative_to(PROJECT_ROOT).as_posix()
            lines = [line.strip() for line in path.read_text().splitlines() if PRIVATE.search(line)]
            if lines and name not in HOMES:
                found[name] = lines
    assert found == {"core/dbt_runner.py": ["from dbt_common.events.base_types import EventMsg"]}
