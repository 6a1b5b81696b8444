"""What the health check gives."""

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field


class Status(StrEnum):
    """`starting`: not there yet, but may still come; `unknown`: could not be checked."""

    OK = "ok"
    DEGRADED = "degraded"
    STARTING = "starting"
    UNKNOWN = "unknown"
    FAILED = "failed"


class DatabaseCheck(BaseModel):
    """Whether the database answers."""

    status: Status


class PublicationCheck(BaseModel):
    """The state of the publication."""

    status: Status = Field(
        description="Degraded after an upgrade, until a run has computed the scores of this version."
    )
    generation: int | None = Field(default=None, examples=[412])
    as_of: date | None = None
    published_at: AwareDatetime | None = None
    age_seconds: float | None = Field(default=None, examples=[12.5])


class DaemonCheck(BaseModel):
    """Dagster's daemon, which detects new rows and starts runs."""

    status: Status
    heartbeat_age_seconds: float | None = Field(
        default=None,
        description="Degraded above TUTORQ_DAEMON_SILENT_SECONDS; null if there was never a heartbeat.",
        examples=[14.2],
    )


class ChangesCheck(BaseModel):
    """Rows that have arrived but are not in the marts yet."""

    status: Status
    oldest_age_seconds: float | None = Field(
        default=None,
        description="How long the oldest has waited; degraded above TUTORQ_UNPROCESSED_MINUTES; null when none waits.",
        examples=[3.1],
    )


class LimitsCheck(BaseModel):
    """Whether limits hold for all API processes together (TUTORQ_LIMITS_URL)."""

    status: Status = Field(description="Degraded while the server is unavailable and each process uses its own limits.")


class ReplicaCheck(BaseModel):
    """The standby that the API reads from while it is as new as the primary (TUTORQ_READ_DATABASE_URL)."""

    status: Status = Field(description="Degraded while it does not answer and only the primary does.")
    generation: int | None = Field(default=None, description="Generation on the standby.", examples=[412])


class Checks(BaseModel):
    """All checks. `limits` and `read_replica` are null if they are not set up."""

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
