"""What the health check gives."""

from datetime import date
from enum import StrEnum
from typing import Literal

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


class LimitsCheck(BaseModel):
    """Whether limits hold for all API processes together (TUTORQ_LIMITS_URL)."""

    status: Status = Field(description="Degraded while the server is away, and each process limits by itself.")


class ReplicaCheck(BaseModel):
    """The standby that is read from while it is as new as the primary (TUTORQ_READ_DATABASE_URL)."""

    status: Status = Field(description="Degraded while it does not answer, and the primary does alone.")
    generation: int | None = Field(default=None, description="Of what it has.", examples=[412])


class Checks(BaseModel):
    """Everything that was looked at. `limits` and `read_replica` are null where they are not set up."""

    database: DatabaseCheck
    publication: PublicationCheck
    dagster_daemon: DaemonCheck
    unprocessed_changes: ChangesCheck
    limits: LimitsCheck | None = None
    read_replica: ReplicaCheck | None = None


class Readiness(BaseModel):
    """Whether a load balancer should send requests here."""

    status: Literal["starting", "ready", "draining"]


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Health(BaseModel):
    """`ok` and `degraded` come with 200, `starting` and `failed` with 503; with `strict`, `degraded` with 503, too."""

    status: Status
    checks: Checks
