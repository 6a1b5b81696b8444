"""What we use of dbt that is not public API (`dbtRunner` is). All of it, so that an upgrade has one place to look at.

`tests/core/test_dbt_internals.py` fails when one of these goes away or takes other arguments.
"""

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from dbt.adapters.base.impl import BaseAdapter
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt_common.events.base_types import EventMsg


def warm_up() -> None:
    """Import what dbt imports late: its commands, and the adapter for Postgres."""
    import dbt.adapters.postgres.impl
    import dbt.cli.main  # noqa: F401


def event_as_dict(event: "EventMsg") -> dict[str, Any]:
    """An event as dbt's JSON log has it."""
    from dbt_common.events.functions import msg_to_dict

    return msg_to_dict(event)


def failures(result: object) -> list[tuple[str, str]]:
    """Name and message of each node that failed in the result of a build."""
    results = cast("RunExecutionResult", result).results
    return [(each.node.name, str(each.message)) for each in results if each.status in ("error", "fail")]


def cut_connections() -> None:
    """End the connections of the dbt in this process, whose models then roll back."""
    from dbt.adapters.factory import FACTORY

    for adapter in cast("list[BaseAdapter]", list(FACTORY.adapters.values())):
        with adapter.connection_named("cut"):
            # Connections belong to their login, not to the role that it has taken.
            adapter.execute("reset role")
            adapter.cancel_open_connections()  # type: ignore[no-untyped-call]
