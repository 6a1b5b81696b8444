"""What is old is deleted: deliveries, the words of appeals, and offers. Mail stays, as the audit trail."""

from dataclasses import asdict, dataclass
from datetime import timedelta

from core.database import Database
from core.settings import Settings

FORGET_OFFERS = "delete from ml.slates where offered_at < now() - %s::interval"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many were deleted: chat messages and webhooks, with their attempts; slates of tutors that were offered.
    Appeals lost their words."""

    deliveries: int
    appeals: int
    slates: int

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def forget_old(settings: Settings, database: Database) -> Forgotten:
    """Delete what is older than the settings say; again deletes nothing more."""
    with database.connect() as connection:
        row = connection.execute(
            "select app.forget_deliveries(%s), app.forget_words_of_appeals(%s)",
            [timedelta(days=settings.delivery_days), timedelta(days=settings.appeal_text_days)],
        ).fetchone()
        slates = connection.execute(FORGET_OFFERS, [timedelta(days=settings.offer_kept_days)]).rowcount
    assert row is not None
    deliveries, appeals = row
    return Forgotten(deliveries, appeals, slates)
