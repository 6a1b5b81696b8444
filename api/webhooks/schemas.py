"""What SendGrid tells, and what is answered."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from ingest.contract import NO_NUL

Text = Annotated[str, Field(pattern=NO_NUL)]
LONGEST_REASON = 300

# Ours are fewer: what matters is whether the provider has the mail, and whether it arrived.
EVENTS = {
    "processed": "taken",
    "deferred": "taken",
    "open": "taken",
    "click": "taken",
    "delivered": "delivered",
    "bounce": "bounced",
    "dropped": "dropped",
    "spamreport": "spam",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
}


class SendGridEvent(BaseModel):
    """One event, as SendGrid's event webhook sends it; only the fields used here."""

    sg_event_id: Text = Field(min_length=1, max_length=200, description="Stays the same when the event is sent again.")
    event: Text = Field(examples=["delivered"])
    timestamp: int = Field(ge=0, le=4_000_000_000, description="Unix time.", examples=[1769853600])
    report_id: UUID | None = Field(default=None, description="From `custom_args`, which tutorq sends with each mail.")
    type: Text | None = Field(default=None, description="For a bounce: `blocked` means temporary.")
    reason: Text | None = None

    @property
    def happened_at(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp, UTC)

    @property
    def meaning(self) -> str | None:
        """The event as `app.mail_events` names it; None if it tells nothing of use."""
        if self.event == "bounce" and self.type == "blocked":
            return "blocked"
        return EVENTS.get(self.event)

    @property
    def short_reason(self) -> str | None:
        return " ".join(self.reason.split())[:LONGEST_REASON] or None if self.reason else None


class WebhookReceipt(BaseModel):
    """Results for the events; the counts add up to the number sent."""

    taken: int = Field(ge=0, description="New events about tutorq's mail.")
    repeated: int = Field(ge=0, description="Events received before.")
    unknown: int = Field(ge=0, description="Events about mail that is not tutorq's, or was deleted.")
    ignored: int = Field(ge=0, description="Events of other kinds, or invalid ones.")
