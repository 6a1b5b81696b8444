"""What is answered to a service that tells of a booking."""

from typing import Literal

from pydantic import BaseModel, Field


class ConnectorReceipt(BaseModel):
    """Result for the event."""

    status: Literal["queued", "duplicate", "stale", "conflict", "rejected", "ignored"] = Field(
        description="As for a posted session. `rejected`: in quarantine with its reason. `ignored`: not about a "
        "booking, or nothing new."
    )
