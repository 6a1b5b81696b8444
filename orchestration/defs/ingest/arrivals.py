"""When sessions have arrived, by whatever way: the graph only watches it, and its freshness says if none come."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.policies import OWNER
from orchestration.resources import Platform
from reports.troubles import newest_arrival

ARRIVALS = dg.AssetKey(["raw", "arrivals"])
NEWEST = "newest"
# Freshness is told in hours, and each note is kept for ever.
NOTED_EVERY = timedelta(hours=1)


@dg.multi_observable_source_asset(  # type: ignore[untyped-decorator]
    specs=[
        dg.AssetSpec(
            ARRIVALS,
            group_name="raw",
            kinds={"postgres"},
            owners=[OWNER],
            description="No table of its own: noted, at most once an hour, when new or changed sessions are in "
            "raw.sessions, whether a file, a post or another program brought them. Its freshness fails when none have "
            "come for `TUTORQ_SILENT_DATA_HOURS`.",
        )
    ]
)
def arrivals(platform: Platform) -> dg.ObserveResult:
    newest = _newest(platform)
    version = dg.DataVersion(newest.isoformat() if newest else "none")
    return dg.ObserveResult(asset_key=ARRIVALS, data_version=version)


def note_arrivals(instance: dg.DagsterInstance, platform: Platform) -> None:
    """Tell the graph that sessions have come or changed since the last note; for a sensor, because this takes no run.

    As a materialisation, because that is what Dagster measures freshness by.
    """
    known = instance.get_latest_materialization_event(ARRIVALS)
    if known is not None and datetime.now(UTC) - datetime.fromtimestamp(known.timestamp, UTC) < NOTED_EVERY:
        return
    seen = known.asset_materialization.metadata[NEWEST].value if known and known.asset_materialization else None
    newest = _newest(platform)
    # Only onwards: in a restored database, or when sessions were deleted, an older one is no arrival.
    if newest is not None and (not isinstance(seen, float) or newest.timestamp() > seen):
        metadata = {NEWEST: dg.MetadataValue.timestamp(newest.timestamp())}
        instance.report_runless_asset_event(dg.AssetMaterialization(ARRIVALS, metadata=metadata))


def _newest(platform: Platform) -> datetime | None:
    with platform.database.connect() as connection:
        return newest_arrival(connection)


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions(assets=[arrivals])
