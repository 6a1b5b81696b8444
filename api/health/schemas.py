"""What the health check gives."""

from datetime import date
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, Field


class Status(StrEnum):
    """`starting`: it has not come yet, and may still; `unknown`: this could not be looked at."""

    OK = "ok"
    DEGRADED = "degraded"
    STARTING = "starting"
    UNKNOWN = "unknown"
    FAILED = "failed"


class DatabaseCheck(BaseModel):
    """Whether the database answers."""

    status: Status


class PublicationCheck(BaseModel):
    """What is published."""

    status: Status = Field(description="Degraded after an upgrade, until a run has made the scores of this version.")
    generation: int | None = Field(default=None, examples=[412])
    as_of: date | None = None
    published_at: AwareDatetime | None = None
    age_seconds: float | None = Field(default=None, examples=[12.5])


class DaemonCheck(BaseModel):
    """Dagster's daemon, which notices new rows and starts runs."""

    status: Status
    heartbeat_age_seconds: float | None = Field(
        default=None,
        description="Degraded above TUTORQ_DAEMON_SILENT_SECONDS; null if it was never heard of.",
        examples=[14.2],
    )


class ChangesCheck(BaseModel):
    """Rows that have arrived and are not in the marts yet."""

    status: Status
    oldest_age_seconds: float | None = Field(
        default=None,
        description="How long the oldest has waited; degraded above TUTORQ_UNPROCESSED_MINUTES; null when none waits.",
        examples=[3.1],
    )


class Checks(BaseModel):
    """Everything that was looked at."""

    database: DatabaseCheck
    publication: PublicationCheck
    dagster_daemon: DaemonCheck
    unprocessed_changes: ChangesCheck


class Health(BaseModel):
    """`ok` and `degraded` come with 200, `starting` and `failed` with 503; with `strict`, `degraded` with 503, too."""

    status: Status
    checks: Checks
