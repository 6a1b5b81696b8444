"""What we use of dbt that is not public API (`dbtRunner` is). All of it, so that an upgrade has one place to look at.

`tests/core/test_dbt_internals.py` fails when one of these goes away or takes other arguments.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    from dbt.adapters.base.impl import BaseAdapter
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.contracts.graph.manifest import Manifest
    from dbt_common.events.base_types import EventMsg

ParsedProject: TypeAlias = "Manifest"


def warm_up() -> None:
    """Import what dbt imports late: its commands, and the adapter for Postgres."""
    import dbt.adapters.postgres.impl
    import dbt.cli.main  # noqa: F401


def read_parsed(path: Path, database: str) -> "ParsedProject | None":
    """The project as `dbt parse` left it, for a database of this name; None if another version of dbt did."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder
    from dbt.version import __version__

    manifest: Manifest = Manifest.from_msgpack(path.read_bytes(), decoder=extended_mashumuro_decoder)
    if manifest.metadata.dbt_version != __version__:
        return None
    for node in (*manifest.nodes.values(), *manifest.sources.values(), *manifest.functions.values()):
        if node.relation_name is not None:
            node.relation_name = node.relation_name.replace(f'"{node.database}".', f'"{database}".', 1)
        node.database = database
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]  # what macros know as `graph`
    return manifest


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
