"""`connectors.yml` in `TUTORQ_HOME`: which connectors there are. Secrets stand in the environment, never in here."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from core.errors import TutorqError
from core.settings import ConnectorSecrets, Settings, connector_secrets
from ingest.mapping import parse_mapping

FILE = "connectors.yml"
MISSING = "install tutorq's wheel with its extra `connectors`, as docs/connectors.md says"
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
Address = Annotated[str, Field(pattern=r"^https?://[^/\s]+")]
Column = Annotated[str, Field(min_length=1, max_length=63)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(_Part):
    """Which rows are compared with those that came: of a day up to `days` ago or later."""

    column: Column = "scheduled_time"
    days: int = Field(default=35, ge=1, le=400)


class Kind(_Part):
    """What is read as one kind of file: a table with its columns, or a query with columns as the contract has them."""

    table: str | None = None
    columns: dict[Column, Column] = {}
    query: str | None = None
    updated_at: Column | None = None
    deleted_at: Column | None = None
    window: Window | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "Kind":
        if (self.table is None) == (self.query is None):
            raise ValueError("give either table, with columns, or query")
        if self.table and not self.columns:
            raise ValueError("columns are missing: what of the table is read, such as session_id: id")
        return self


class _Connector(_Part):
    # Cron, in the time zone of TUTORQ_TIMEZONE.
    schedule: str = "*/15 * * * *"
    # Of times without an offset.
    timezone: str = "UTC"
    # As mapping.yml, beside the files of this connector.
    mapping: dict[str, Any] = {}


class PostgresConnector(_Connector):
    """A database; its URL is the secret."""

    kind: Literal["postgres"]
    overlap_minutes: int = Field(default=60, ge=0, le=10_000)
    tutors: Kind | None = None
    students: Kind | None = None
    sessions: Kind | None = None
    reschedules: Kind | None = None

    @model_validator(mode="after")
    def _tells_deleted_sessions(self) -> "PostgresConnector":
        """A key of the source has to be the id of a session here, or of all sessions of a lesson."""
        kind = self.sessions
        if kind is None or not (kind.window or kind.deleted_at):
            return self
        try:
            mapping = parse_mapping(yaml.safe_dump({"timezone": self.timezone, **self.mapping})).sessions
        except TutorqError as error:
            raise ValueError(str(error)) from error
        if mapping is None:
            return self
        if mapping.columns.get("session_id", ["session_id"]) != ["session_id"]:
            raise ValueError(
                "sessions: window and deleted_at delete by session_id as the source has it, but the mapping makes "
                "another one of it: name it in columns, or in the query"
            )
        if mapping.group_lessons and kind.deleted_at:
            raise ValueError(
                "sessions: with group_lessons the mark of one student would delete the lesson: leave out deleted_at"
            )
        return self

    @property
    def kinds(self) -> dict[str, Kind]:
        """By the name of the entity."""
        names = ("tutors", "students", "sessions", "reschedules")
        return {name: kind for name in names if (kind := getattr(self, name)) is not None}


class AddressConnector(_Connector):
    """Files at addresses, such as sheets published as CSV; by the name that each file gets."""

    kind: Literal["address"]
    files: dict[str, Address | None] = Field(min_length=1)


class BookingConnector(_Connector):
    """A booking tool, by its API and its webhooks; the API key is the secret."""

    kind: Literal["calcom", "calendly", "acuity"]
    url: Address | None = None
    since: date
    ahead_days: int = Field(default=90, ge=1, le=400)
    back_days: int = Field(default=3, ge=1, le=60)
    moved_by: Literal["tutor", "student"] | None = None
    # Calendly: the organization's address. Acuity: the user id.
    account: str | None = None


class ZoomConnector(_Connector):
    """Who was in which meeting, by Zoom's reports; `CLIENT_ID:CLIENT_SECRET` is the secret."""

    kind: Literal["zoom"]
    account: str
    url: Address = "https://api.zoom.us/v2"
    token_url: Address = "https://zoom.us/oauth/token"  # noqa: S105
    # Zoom's e-mail address of a tutor: the tutor's id, where they differ.
    tutors: dict[str, str] = {}
    back_days: int = Field(default=3, ge=1, le=28)
    tolerance_minutes: int = Field(default=30, ge=1, le=240)
    waited_minutes: int = Field(default=10, ge=1, le=120)


AnyConnector = Annotated[
    PostgresConnector | AddressConnector | BookingConnector | ZoomConnector, Field(discriminator="kind")
]
_ALL = TypeAdapter(dict[str, AnyConnector])


def read_connectors(settings: Settings) -> dict[str, AnyConnector]:
    """The connectors of this installation by name; empty without the file.

    Raises:
        TutorqError: the file cannot be read or understood; it names the place.
    """
    path = settings.home / FILE
    if not path.exists():
        return {}
    try:
        found = _ALL.validate_python(yaml.safe_load(path.read_text()) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TutorqError(f"cannot read {path}: {type(error).__name__}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise TutorqError(f"{path}: {place or 'the file'}: {first['msg'].removeprefix('Value error, ')}") from error
    for name in found:
        if not NAME.fullmatch(name):
            raise TutorqError(f"{path}: {name!r} is no name: small letters, digits and _, beginning with a letter")
    return found


def connector_of(settings: Settings, name: str) -> AnyConnector:
    """
    Raises:
        TutorqError: there is none of this name.
    """
    found = read_connectors(settings)
    if name not in found:
        known = ", ".join(found) or "none yet"
        raise TutorqError(f"there is no connector {name!r} in {settings.home / FILE}: {known}")
    return found[name]


def require_key(name: str) -> str:
    """The secret by which a connector logs in.

    Raises:
        TutorqError: it is not set.
    """
    secrets = connector_secrets(name)
    if secrets.key is None:
        raise TutorqError(f"{ConnectorSecrets.variable(name, 'key')} is not set: the secret of the connector {name}")
    return secrets.key.get_secret_value()


def landing_of(settings: Settings, name: str) -> Path:
    """Where a connector puts its files."""
    return settings.landing / name
