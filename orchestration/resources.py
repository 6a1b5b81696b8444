"""What assets, sensors and schedules work with."""

from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import dagster as dg

from core.database import Database, DatabaseRole
from core.settings import Settings


class Platform(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings and database of this installation; nothing is opened before it is used.

    Landing files are loaded with the rights to load, all else is done with those to transform.
    """

    @cached_property
    def settings(self) -> Settings:
        return Settings()

    @cached_property
    def database(self) -> Database:
        return Database(self.settings, DatabaseRole.TRANSFORM)

    @cached_property
    def landing_database(self) -> Database:
        return self.database.as_role(DatabaseRole.INGEST)

    def now(self) -> datetime:
        """The time now in the reporting time zone."""
        return datetime.now(ZoneInfo(self.settings.timezone))

    def as_of_day(self) -> date | None:
        """The day that scores are computed for; None for `latest`, which only the loaded rows tell."""
        as_of = self.settings.as_of
        if as_of == "latest":
            return None
        return self.today() if as_of == "now" else date.fromisoformat(as_of)

    def today(self) -> date:
        """The date now in the reporting time zone."""
        return self.now().date()
