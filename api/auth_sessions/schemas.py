"""What the endpoints of log-in take and give."""

from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from api.bodies import Body
from core.keys import Role

Secret = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]


class LogIn(Body):
    """A key or the token of a one-time link: exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [name], "properties": {name: {"type": "string"}}} for name in ("api_key", "token")]
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


class BrowserSession(BaseModel):
    """A browser that is logged in."""

    name: str = Field(description="Name of the key, or of the one-time link.", examples=["quality-team"])
    role: Role = Field(description="read or admin.")
    expires_at: AwareDatetime = Field(
        description="When it ends unless it is used before: 12 hours after its last use, and 7 days after log-in."
    )
