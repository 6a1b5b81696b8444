"""What is answered to a service that tells of a booking."""

from typing import Literal

from pydantic import BaseModel, Field


class ConnectorReceipt(BaseModel):
    """What became of the event."""

    status: Literal["queued", "duplicate", "stale", "conflict", "rejected", "ignored"] = Field(
        description="As of a posted session. `rejected` is in quarantine with its reason; `ignored` tells of no "
        "booking, or nothing new."
    )
