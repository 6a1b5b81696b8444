"""What is old is deleted: deliveries, the words of appeals, offers, and audit entries if a setting says so.

Mail stays, as the audit trail.
"""

from dataclasses import asdict, dataclass
from datetime import timedelta

from core.database import Database
from core.settings import Settings

# Without an age, none of them.
FORGET = "select app.forget_deliveries(%s), app.forget_words_of_appeals(%s), coalesce(app.forget_audit(%s), 0)"
FORGET_OFFERS = "delete from ml.slates where offered_at < now() - %s::interval"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many were deleted: chat messages and webhooks, with their attempts; slates of tutors that were offered.
    Appeals lost their words. Entries of the audit log."""

    deliveries: int
    appeals: int
    slates: int
    audit_entries: int

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def forget_old(settings: Settings, database: Database) -> Forgotten:
    """Delete what is older than the settings say; again deletes nothing more."""
    with database.connect() as connection:
        row = connection.execute(
            FORGET, [*map(_days, (settings.delivery_days, settings.appeal_text_days, settings.audit_days))]
        ).fetchone()
        slates = connection.execute(FORGET_OFFERS, [timedelta(days=settings.offer_kept_days)]).rowcount
    assert row is not None
    deliveries, appeals, audit_entries = row
    return Forgotten(deliveries, appeals, slates, audit_entries)


def _days(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)
