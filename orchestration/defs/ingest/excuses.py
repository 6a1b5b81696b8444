"""Excuses are written by people through the API; the graph only watches them."""

import dagster as dg
from psycopg import Connection

from orchestration.policies import OWNER
from orchestration.resources import Platform

EXCUSES = dg.AssetKey(["app", "excuses"])
DATA_VERSION = "dagster/data_version"


@dg.multi_observable_source_asset(  # type: ignore[untyped-decorator]
    specs=[
        dg.AssetSpec(
            EXCUSES,
            group_name="raw",
            kinds={"postgres", "table"},
            owners=[OWNER],
            description="One row per session that does not count against the tutor. A new version appears when "
            "somebody excuses a session or takes the excuse back.",
        )
    ]
)
def excuses(platform: Platform) -> dg.ObserveResult:
    with platform.database.connect() as connection:
        version, rows = _version(connection)
    return dg.ObserveResult(asset_key=EXCUSES, data_version=version, metadata={"dagster/row_count": rows})


def note_excuses(instance: dg.DagsterInstance, platform: Platform) -> None:
    """Put the version of the excuses into the graph if it is a new one; for a sensor, because this takes no run."""
    with platform.database.connect() as connection:
        version, rows = _version(connection)
    known = instance.fetch_observations(EXCUSES, limit=1).records
    seen = known[0].asset_observation if known else None
    if seen is None or seen.tags.get(DATA_VERSION) != version.value:
        instance.report_runless_asset_event(
            dg.AssetObservation(EXCUSES, tags={DATA_VERSION: version.value}, metadata={"dagster/row_count": rows})
        )


def _version(connection: Connection) -> tuple[dg.DataVersion, int]:
    """Count and newest change: an excuse that goes is told by the count, one that comes by both."""
    rows, newest = connection.execute("select count(*), max(created_at) from app.excuses").fetchone() or (0, None)
    return dg.DataVersion(f"{rows} rows, {newest.isoformat()}" if newest else "none"), rows


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(assets=[excuses])
