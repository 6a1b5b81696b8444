"""What the endpoints of log-in take and give."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from api.bodies import Body
from api.browser_sessions import OpenedBy
from core.roles import Role

MOST_ID = 2**63 - 1
Secret = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]


class LogIn(Body):
    """A key or the token of a one-time link: exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"api_key": {"type": "string"}}, "required": ["api_key"]},
            "then": {"properties": {"token": {"type": "null"}}},
            "else": {"properties": {"token": {"type": "string"}}, "required": ["token"]},
        }
    )

    api_key: Secret | None = Field(default=None, repr=False, description="A key with the role read or admin.")
    token: Secret | None = Field(
        default=None, repr=False, description="What follows `#token=` in a link from `tutorq login-link`."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.api_key is None) == (self.token is None):
            raise ValueError("Send either api_key or token")
        return self


class LogInMethods(BaseModel):
    """Ways to log in here, besides a key."""

    mail: bool = Field(description="A link can be mailed to them (`POST /api/auth/link`).")
    oidc: bool = Field(description="At the organisation's OpenID provider (`/api/auth/oidc/log-in`).")


class LinkRequest(Body):
    """A request for a log-in link."""

    email: Annotated[str, Field(min_length=3, max_length=254, pattern=r"^[!-~]+@[!-~]+$")] = Field(
        repr=False, description="The address that an admin entered for the person.", examples=["ann@example.org"]
    )


class BrowserSession(BaseModel):
    """A browser that is logged in."""

    person_id: int | None = Field(description="The person; null if a key opened the session.", examples=[7])
    name: str = Field(description="Name of the person, or of the key.", examples=["Ann Lee"])
    role: Role = Field(description="Present role: read, coach, lead or admin.")
    tutor_ids: list[UUID] | None = Field(
        description="Tutors for whom a coach may make changes; null if the role is not limited to some tutors."
    )
    expires_at: AwareDatetime = Field(
        description="When the session ends if it is not used again: 12 hours after its last use, at most 7 days after "
        "log-in."
    )


class SessionFilters(BaseModel, extra="forbid"):
    """Whose sessions."""

    everybody: bool = Field(default=False, description="Everybody's sessions, for admins; default: your own.")


class EndFilters(BaseModel, extra="forbid"):
    """Whose sessions."""

    person_id: int | None = Field(
        default=None, ge=1, le=MOST_ID, description="Sessions of this person, for admins; default: your own."
    )


class ListedSession(BaseModel):
    """An open browser session with details to recognise it."""

    browser_session_id: int = Field(examples=[12])
    person_id: int | None = Field(description="The person; null if a key opened the session.", examples=[7])
    name: str = Field(description="Name of the person, or of the key.", examples=["Ann Lee"])
    role: Role
    opened_by: OpenedBy
    created_at: AwareDatetime = Field(description="When it was opened.")
    last_seen_at: AwareDatetime = Field(description="When it was last used, to the minute.")
    expires_at: AwareDatetime
    address: str | None = Field(description="The client's address at log-in.", examples=["192.0.2.7"])
    user_agent: str | None = Field(description="The browser's user agent at log-in.")
    is_current: bool = Field(description="Whether it is the session of this request.")


class SessionList(BaseModel):
    """Open sessions, the one used last first."""

    data: list[ListedSession]
