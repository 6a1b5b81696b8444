"""A run leaves views and functions that are as it would make them, and no others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from core import made_before
from tests.dbt.conftest import parsed

if TYPE_CHECKING:
    from tests.dbt.conftest import Dbt


def left(result: Any) -> set[str]:
    """Names of the nodes that a run has left as they were."""
    return {each.node.name for each in result if each.message == "unchanged"}


def looked_at(result: Any) -> set[str]:
    """Names of the views and functions that it has looked at."""
    nodes = [each.node for each in result if each.node.resource_type in ("model", "function")]
    return {node.name for node in nodes if node.config.materialized in ("view", "function")} - left(result)


VIEWS = ("--select", "config.materialized:view", "resource_type:function")


def build(dbt: Dbt, *options: str, **variables: object) -> Any:
    return dbt("build", "--exclude-resource-type", "test", "unit_test", *options, **variables)


def test_a_second_run_looks_at_tables_alone(built: Dbt) -> None:
    result = build(built)
    assert looked_at(result) == set()
    tables = {each.node.name for each in result if each.node.config.get("materialized") in ("incremental", "table")}
    assert len(tables) > 30
    assert len(left(result)) > 100
    assert not tables & left(result)


def test_days_and_other_vars_of_tables_make_no_view_anew(built: Dbt) -> None:
    result = build(built, *VIEWS, as_of="2024-06-29", scoring_days=["2024-06-20"])
    assert looked_at(result) == set()


@pytest.mark.soak
def test_other_code_makes_all_of_them_anew(built: Dbt) -> None:
    assert left(build(built, models_version="another")) == set()
    assert looked_at(build(built, models_version="another")) == set()


def test_other_settings_make_all_of_them_anew_there_and_back(built: Dbt, connection: psycopg.Connection) -> None:
    def definition() -> str:
        (text,) = connection.execute("select pg_get_viewdef('marts.upcoming_sessions'::regclass)").fetchone() or ("",)
        return str(text)

    assert "0.4321" not in definition()
    assert left(build(built, *VIEWS, risk_threshold=0.4321)) == set()
    assert "0.4321" in definition()
    assert left(build(built, *VIEWS)) == set()
    assert "0.4321" not in definition()


@pytest.mark.parametrize(
    ("changes", "made"),
    [
        (
            [
                "drop view marts.tutor_weekly cascade",
                "comment on view marts.upcoming_sessions is 'of somebody'",
                "comment on function intermediate.normal_cdf is 'of somebody'",
            ],
            {"tutor_weekly", "upcoming_sessions", "normal_cdf"},
        ),
        pytest.param(["drop view analytics.upcoming_sessions"], {"upcoming_sessions"}, marks=pytest.mark.soak),
    ],
)
def test_what_somebody_has_changed_is_made_again(
    built: Dbt, connection: psycopg.Connection, changes: list[str], made: set[str]
) -> None:
    for change in changes:
        connection.execute(change.encode())
    assert made <= looked_at(build(built, *VIEWS))
    assert looked_at(build(built, *VIEWS)) == set()


@pytest.mark.soak
def test_what_a_run_that_failed_has_made_is_made_again(built: Dbt, connection: psycopg.Connection) -> None:
    """It left views of other settings behind, which those of before must not take for theirs."""
    connection.execute("alter table intermediate.int_tutor_weeks add constraint broken check (sessions < 0) not valid")
    connection.execute("insert into intermediate.touched_weeks select date '2024-06-24'")
    with pytest.raises(AssertionError, match="int_tutor_weeks: Database Error"):
        build(built, risk_threshold=0.4)
    connection.execute("alter table intermediate.int_tutor_weeks drop constraint broken")
    assert left(build(built)) == set()
    assert looked_at(build(built)) == set()


@pytest.mark.soak
def test_a_full_refresh_makes_everything(built: Dbt) -> None:
    assert left(built("build", "--exclude-resource-type", "test", "unit_test", "--full-refresh")) == set()


def test_vars_of_tables_are_read_by_tables_alone() -> None:
    manifest = parsed()
    names = "|".join([*made_before.OF_TABLES, "models_version"])
    of_tables = re.compile(rf"var\(\s*['\"]({names})['\"]")
    ours = {key: macro for key, macro in manifest.macros.items() if macro.package_name == "tutorq"}
    assert not [key for key, macro in ours.items() if of_tables.search(macro.macro_sql)]
    for node in (*manifest.nodes.values(), *manifest.functions.values()):
        if node.config.materialized in ("view", "function") and node.resource_type != "analysis":
            assert not of_tables.search(node.raw_code), node.name


def test_no_view_has_hooks_of_its_own() -> None:
    """A hook does something with each run, and would not."""
    of_all = {"{{ note_unpublished() }}", "{{ show_to_analysts() }}"}
    for node in parsed().nodes.values():
        if node.resource_type == "model" and node.config.materialized == "view":
            assert {hook.sql for hook in (*node.config.pre_hook, *node.config.post_hook)} <= of_all, node.name
