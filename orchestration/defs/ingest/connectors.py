"""Connectors as assets, if there are any: what they fetch lands as files, which the raw tables take."""

import dagster as dg

from connectors.configuration import (
    MISSING,
    AddressConnector,
    AnyConnector,
    PostgresConnector,
    ZoomConnector,
    read_connectors,
)
from core.errors import TutorqError
from core.settings import Settings
from orchestration.executors import TOGETHER
from orchestration.policies import LONG_RUNTIME, OWNER, RETRY_POLICY
from orchestration.resources import Platform

GROUP = "connectors"


def key_of(name: str) -> dg.AssetKey:
    return dg.AssetKey(["connectors", name])


def entities_of(connector: AnyConnector) -> list[str]:
    """The raw tables to which a connector brings rows."""
    match connector:
        case PostgresConnector():
            return list(connector.kinds)
        case AddressConnector():
            entities = ("tutors", "students", "sessions", "reschedules")
            return [entity for entity in entities if entity in connector.files or entity in connector.mapping]
        case ZoomConnector():
            return ["sessions"]
        case _:
            return ["sessions", "reschedules"]


def fetched(name: str, connector: AnyConnector) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(name),
        group_name=GROUP,
        kinds={connector.kind, "dlt"},
        owners=[OWNER],
        description=f"What has come by the connector {name} ({connector.kind}), as files in the landing directory, "
        "from which the raw tables take it. connectors.yml says what it reads, and when.",
        retry_policy=RETRY_POLICY,
        # Two runs at once would only stand in each other's way.
        pool=f"connector_{name}",
    )
    def asset(platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]
        try:
            from connectors.pull.run import pull
        except ModuleNotFoundError as error:
            raise dg.Failure(f"{error.name} is not installed: {MISSING}", allow_retries=False) from None
        report = pull(name, connector, platform.settings, platform.landing_database)
        return dg.MaterializeResult(
            metadata={
                **{f"rows_{entity}": count for entity, count in report.rows.items()},
                "files": len(report.files),
                "sessions_deleted": report.deleted,
                "new_columns": ", ".join(report.new_columns) or "none",
                "removed_columns": ", ".join(report.removed_columns) or "none",
                "notes": "; ".join(report.notes) or "none",
            }
        )

    return asset


def job_of(name: str) -> str:
    """The job by which a connector fetches."""
    return f"fetch_{name}"


def scheduled(name: str, connector: AnyConnector, timezone: str) -> dg.ScheduleDefinition:
    job = dg.define_asset_job(
        job_of(name),
        selection=dg.AssetSelection.assets(key_of(name)),
        description=f"Fetch what has come by {name}.",
        tags=LONG_RUNTIME,
        executor_def=TOGETHER,
    )
    return dg.ScheduleDefinition(
        name=job_of(name),
        job=job,
        cron_schedule=connector.schedule,
        execution_timezone=timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"As connectors.yml says of {name}: {connector.schedule}.",
    )


def known_connectors(settings: Settings) -> dict[str, AnyConnector]:
    """Those of connectors.yml; with a mistake in it, none, and the log says why: all else has to go on."""
    try:
        return read_connectors(settings)
    except TutorqError as error:
        dg.get_dagster_logger().error("no connector runs: %s", error)
        return {}


def deps_of(entity: str, settings: Settings) -> list[dg.AssetKey]:
    """The connectors that bring rows to a raw table."""
    connectors = known_connectors(settings).items()
    return [key_of(name) for name, connector in connectors if entity in entities_of(connector)]


@dg.definitions
def defs() -> dg.Definitions:
    settings = Settings()
    connectors = known_connectors(settings)
    schedules = [scheduled(name, connector, settings.timezone) for name, connector in connectors.items()]
    return dg.Definitions(
        assets=[fetched(name, connector) for name, connector in connectors.items()],
        schedules=schedules,
    )
