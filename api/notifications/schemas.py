"""What the endpoints of a person's notifications take and give."""

from datetime import time
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from api.bodies import Body
from core.outside import LONGEST_URL
from ingest.contract import NO_NUL

LONGEST_ZONE = 64


class NotificationKind(StrEnum):
    """Kinds of notifications."""

    CONCERN_RAISED = "tutor.concern_raised"
    CONCERN_CLEARED = "tutor.concern_cleared"
    SESSION_ALERT = "session.alert"
    CASE_CHANGED = "case.changed"
    DAILY_DIGEST = "daily_digest"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("Input should be a time zone such as Europe/Vienna") from error
    return name


def _distinct(kinds: list[NotificationKind]) -> list[NotificationKind]:
    return sorted(set(kinds), key=list(NotificationKind).index)


ToldBy = Literal["mail", "chat", "nothing"]
Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Zone = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_ZONE, pattern=NO_NUL), AfterValidator(_known_zone)
]
TOLD_BY = "`mail` to their address, `chat` by their own Apprise URL, or `nothing`."
QUIET = "Nothing is sent from `quiet_from` until `quiet_to` in their time zone; afterwards one message covers "
"what waited."


class NotificationPreferencesPut(Body):
    """A person's new notification settings. They replace the old ones."""

    kinds: Annotated[
        list[Annotated[NotificationKind, Field(strict=False)]], Field(max_length=50), AfterValidator(_distinct)
    ] = Field(description="Kinds of events; `case` means cases that they own.")
    told_by: ToldBy = Field(description=TOLD_BY)
    is_daily: bool = Field(default=False, description="True: once a day, from seven in the morning; false: at once.")
    only_own_tutors: bool = Field(default=True, description="True: only tutors of their team.")
    quiet_from: Clock | None = Field(default=None, description=QUIET, examples=["20:00"])
    quiet_to: Clock | None = Field(default=None, examples=["07:30"])
    time_zone: Zone = Field(description="Their time zone.", examples=["Europe/Vienna"])
    chat_url: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_URL, pattern=NO_NUL)] | None = Field(
        default=None,
        description="Their own Apprise URL. It is never shown again; if left out, it stays; null removes it.",
        examples=["slack://TokenA/TokenB/TokenC"],
    )

    @model_validator(mode="after")
    def _quiet_hours_are_whole(self) -> "NotificationPreferencesPut":
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("quiet_from and quiet_to: give both or neither")
        if self.quiet_from is not None and self.quiet_from == self.quiet_to:
            raise ValueError("quiet_from and quiet_to: must differ")
        return self

    @property
    def quiet_hours(self) -> tuple[time | None, time | None]:
        """As times."""
        return (
            time.fromisoformat(self.quiet_from) if self.quiet_from else None,
            time.fromisoformat(self.quiet_to) if self.quiet_to else None,
        )


class NotificationPreferences(BaseModel):
    """A person's notification settings."""

    kinds: list[NotificationKind]
    told_by: ToldBy = Field(description=TOLD_BY)
    is_daily: bool
    only_own_tutors: bool
    quiet_from: str | None = Field(description=QUIET, examples=["20:00"])
    quiet_to: str | None = Field(examples=["07:30"])
    time_zone: str = Field(examples=["Europe/Vienna"])
    email: str = Field(description="Where mail goes.", examples=["ann@example.org"])
    chat_service: str | None = Field(
        description="The service of their own Apprise URL; null without one.", examples=["Slack"]
    )


class NotificationPreferencesResponse(BaseModel):
    """The caller's notification settings."""

    data: NotificationPreferences
