"""What is used of dbt without being public: here an upgrade that moves it fails first.

That a cut dbt rolls its models back is tested by killing runs (`tests/crashes`, `tests/orchestration/test_crashes.py`).
"""

import inspect
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from core import dbt_runner
from core.dbt_internals import read_parsed, runner, warm_up
from core.dbt_runner import DBT_PROJECT_DIR, PARSED_PATH
from core.settings import Settings

OTHERWISE = {
    "timezone": "Asia/Tokyo",
    "as_of": "2024-06-30",
    "risk_threshold": 0.3,
    "high_risk_probability": 0.7,
    "watch_probability": 0.4,
    "reliability_counts": ["reschedules"],
    "randomise_follow_up": True,
    "unnamed_no_shows": "student",
    "scoring_days": ["2024-06-01"],
    "new_reference": True,
    "models_version": "another",
}


def test_events_become_dictionaries() -> None:
    from dbt_common.events.base_types import EventMsg
    from dbt_common.events.functions import msg_to_dict

    assert list(inspect.signature(msg_to_dict).parameters) == ["msg"]
    assert inspect.isclass(EventMsg)


def test_results_name_their_nodes() -> None:
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner

    assert "results" in RunExecutionResult.__dataclass_fields__
    assert list(inspect.signature(dbtRunner).parameters)[:2] == ["manifest", "callbacks"]


def test_events_are_told_but_for_those_for_debugging() -> None:
    from dbt.adapters.events.types import ConnectionReused
    from dbt_common.events.event_manager import EventManager
    from dbt_common.events.types import Note

    runner()
    told: list[Any] = []
    manager = EventManager()
    manager.callbacks.append(told.append)
    manager.fire_event(ConnectionReused(conn_name="a", orig_conn_name="b"))
    manager.fire_event(Note(msg="what users read"))
    assert [event.info.msg for event in told] == ["what users read"]


def test_adapters_can_be_cut() -> None:
    from dbt.adapters.base.impl import BaseAdapter
    from dbt.adapters.factory import FACTORY

    assert isinstance(FACTORY.adapters, dict)
    for method in ("connection_named", "execute", "cancel_open_connections"):
        assert callable(getattr(BaseAdapter, method))
    warm_up(DBT_PROJECT_DIR, PARSED_PATH)


def test_connections_can_be_kept() -> None:
    from dbt.adapters.base.connections import BaseConnectionManager
    from dbt.adapters.contracts.connection import Connection, ConnectionState
    from dbt.adapters.postgres.connections import PostgresConnectionManager

    for method in ("get_if_exists", "close", "release", "cleanup_all", "get_thread_connection"):
        assert callable(getattr(BaseConnectionManager, method))
    assert {"handle", "state", "transaction_open"} <= {name.lstrip("_") for name in Connection.__dataclass_fields__}
    assert ConnectionState("open") is ConnectionState.OPEN
    assert list(inspect.signature(BaseConnectionManager.set_connection_name).parameters) == ["self", "name"]
    runner()
    for method in ("release", "set_connection_name"):
        assert getattr(PostgresConnectionManager, method) is not getattr(BaseConnectionManager, method)


def test_a_run_leaves_no_work_to_later_runs_of_the_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dbt.adapters.base.impl import DEFAULT_BASE_BEHAVIOR_FLAGS
    from dbt_common.behavior_flags import BehaviorFlagRendered

    monkeypatch.setenv("PGDATABASE", "another")
    command = ["--quiet", "--log-level-file=none", "list", "--select=dim_tutors"]
    command += [f"--project-dir={DBT_PROJECT_DIR}", f"--profiles-dir={DBT_PROJECT_DIR}", f"--target-path={tmp_path}"]
    flags = []
    for _ in range(3):
        parsed = read_parsed(PARSED_PATH, "another")
        assert runner(parsed).invoke(command).success
        flags.append(len(DEFAULT_BASE_BEHAVIOR_FLAGS))
    assert flags[2] == flags[1]  # the first run appends what the adapter has
    assert "_default_source" in vars(BehaviorFlagRendered)


@pytest.mark.slow
def test_what_install_parsed_is_what_dbt_parses_whatever_the_settings_and_the_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from dbt.cli.main import dbtRunner

    others = ("models_version", "scoring_days", "new_reference")
    settings = {name: OTHERWISE[name] for name in (*Settings().dbt_vars(), *others)}
    monkeypatch.setenv("PGDATABASE", "another")
    outcome = dbtRunner().invoke(
        [
            *("--quiet", "--log-level-file=none", "parse", "--no-partial-parse", f"--vars={json.dumps(settings)}"),
            *(f"--project-dir={DBT_PROJECT_DIR}", f"--profiles-dir={DBT_PROJECT_DIR}", f"--target-path={tmp_path}"),
        ]
    )
    assert outcome.success
    # A copy of its own: what is kept of the other one may have been compiled by a run before.
    copy = shutil.copy(PARSED_PATH, tmp_path / "parsed.msgpack")
    parsed = read_parsed(copy, "another")
    assert parsed is not None
    assert parsed.flat_graph["nodes"]
    assert described(parsed) == described(outcome.result)


def test_what_was_parsed_is_read_once_and_named_for_each_database(tmp_path: Path) -> None:
    copy = shutil.copy(PARSED_PATH, tmp_path / "parsed.msgpack")
    one = read_parsed(copy, "one")
    assert one is not None
    assert one.nodes["model.tutorq.dim_tutors"].relation_name == '"one"."marts"."dim_tutors"'
    other = read_parsed(copy, "other")
    assert other is one
    assert one.nodes["model.tutorq.dim_tutors"].relation_name == '"other"."marts"."dim_tutors"'
    assert one.flat_graph["nodes"]["model.tutorq.dim_tutors"]["database"] == "other"
    os.utime(copy, (2**31, 2**31))
    assert read_parsed(copy, "other") is not one


def test_no_model_is_ephemeral_whose_code_dbt_would_take_from_an_earlier_run() -> None:
    parsed = read_parsed(PARSED_PATH, "any")
    assert parsed is not None
    assert not [node for node in parsed.nodes.values() if node.config.materialized == "ephemeral"]


def test_templates_are_compiled_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    from dbt_common.clients.jinja import MacroFuzzEnvironment, get_template, template_cache
    from dbt_common.exceptions import CompilationError

    warm_up(DBT_PROJECT_DIR, PARSED_PATH)
    parsed = read_parsed(PARSED_PATH, "any")
    assert parsed is not None
    macros = ("tutorq.replace_view", "dbt.run_hooks", "dbt_postgres.postgres__list_relations_without_caching")
    for name in macros:
        assert parsed.macros[f"macro.{name}"].macro_sql in template_cache.file_cache, name

    def fail(*_: Any) -> None:
        raise AssertionError("compiled anew")

    monkeypatch.setattr(MacroFuzzEnvironment, "_parse", fail)
    for name in ("dim_tutors", "tutor_scores", "publication"):
        code = parsed.nodes[f"model.tutorq.{name}"].raw_code
        template = get_template(code, {"x": 1})
        assert template.globals["x"] == 1, "with the context of each run"
    with pytest.raises(CompilationError, match="compiled anew"):
        get_template("{{ other }}", {})


def test_a_project_that_cannot_be_read_stops_no_process(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    half = tmp_path / "parsed.msgpack"
    half.write_bytes(PARSED_PATH.read_bytes()[: PARSED_PATH.stat().st_size // 2])
    warm_up(DBT_PROJECT_DIR, half)
    assert "dbt is not warmed up" in caplog.text


def test_an_edit_of_a_model_is_another_version_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also in a process that has asked before: else its sensor would find each later publication outdated."""
    project = shutil.copytree(DBT_PROJECT_DIR, tmp_path / "project", ignore=shutil.ignore_patterns("target", "logs"))
    monkeypatch.setattr(dbt_runner, "DBT_PROJECT_DIR", project)
    before = dbt_runner.models_version()
    assert dbt_runner.models_version() == before
    with (project / "models" / "marts" / "publication.sql").open("a") as model:
        model.write("-- edited")
    assert dbt_runner.models_version() != before


def described(manifest: Any) -> dict[str, Any]:
    """All that is known of nodes, but for when they were parsed and which macros they called then."""
    found: dict[str, Any] = manifest.to_dict()
    kinds = {kind: found[kind] for kind in ("nodes", "sources", "functions", "exposures", "unit_tests", "macros")}
    for kind, nodes in kinds.items():
        assert nodes, kind
        for node in nodes.values():
            node.pop("created_at", None)
            node.get("depends_on", {}).pop("macros", None)
    return kinds
