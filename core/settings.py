"""Settings of every tutorq process: the only reader of the environment."""

import logging
import os
import re
from datetime import date
from difflib import get_close_matches
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from core import postgres_urls

# What a wheel carries besides code (setup.py); a checkout has the same around the packages.
SHIPPED = Path(__file__).resolve().parent / "shipped"
IS_CHECKOUT = not SHIPPED.is_dir()
PROJECT_ROOT = Path(__file__).resolve().parents[1] if IS_CHECKOUT else SHIPPED

PREFIX = "TUTORQ_"
SECRETS_DIR = "TUTORQ_SECRETS_DIR"
# Variables that look like a misspelt setting; the images and the Compose file read them.
NOT_MISSPELT = frozenset({"CODE_LOCATION_HOST", "MAIL_PORT"})
# Nearer than `API_PASSWORD` is to `SMTP_PASSWORD`.
NEAR = 0.8

# It holds a password, so it is in no text about the settings.
DatabaseUrl = Annotated[str | None, Field(repr=False)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
# An address without a display name: visible ASCII only, so that it cannot smuggle in a header.
MailAddress = Annotated[str, Field(pattern=r"^[!-~]+@[!-~]+$", max_length=254)]


def _name_the_file(record: logging.LogRecord) -> bool:
    """python-dotenv says of which line, but not of which file, it could not make sense."""
    record.msg = str(record.msg).replace("python-dotenv could not parse statement", ".env: cannot read the setting")
    return True


logging.getLogger("dotenv.main").addFilter(_name_the_file)


def settings_problem(error: ValidationError) -> str:
    """The first problem of settings that do not validate, in one line that names the variable."""
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if 1 in (first.get("ctx", {}).get(limit) for limit in ("lt", "le")):
        message += " (a share: 15% is 0.15)"
    if not first["loc"]:
        return message
    name, *place = first["loc"]
    entry = f"entry {place[0] + 1}: " if place and isinstance(place[0], int) else ""
    return f"{PREFIX}{str(name).upper()}: {entry}{message}"


def misspelt() -> list[str]:
    """One sentence for each variable, of the environment or of `.env`, that is no setting but nearly one."""
    settings = [name.upper() for name in Settings.model_fields]
    variables = {*EnvSettingsSource(Settings).env_vars, *DotEnvSettingsSource(Settings).env_vars}
    names = {name.upper().removeprefix(PREFIX) for name in variables if name.upper().startswith(PREFIX)}
    return [
        f"{PREFIX}{name} is not a setting; did you mean {PREFIX}{meant}?"
        for name in sorted(names - {*settings} - NOT_MISSPELT)
        for meant in get_close_matches(name, settings, 1, NEAR)
    ]


def _parts(value: SecretStr | None) -> list[str]:
    """What stands between the commas of a secret."""
    return [part.strip() for part in (value.get_secret_value() if value else "").split(",") if part.strip()]


def _as_text(value: object) -> str:
    """A setting as its variable would state it."""
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _address_or_network(value: str) -> str:
    """As uvicorn takes it, which quietly trusts nobody for anything else: `10.0.0.1/8` is written `10.0.0.0/8`."""
    try:
        network = ip_network(value, strict=False)
    except ValueError as error:
        raise ValueError(f"{value!r} is not an address or a network such as 10.0.0.0/8") from error
    return str(network) if "/" in value else value


def settings_of_process() -> "Settings":
    """The settings, for a process that is nothing without them: ends it with one line if they are wrong."""
    try:
        return Settings()
    except ValidationError as error:
        raise SystemExit(f"error: {settings_problem(error)}") from None


def default_home() -> Path:
    """`var` of a checkout; else the user's folder for data, the same from wherever the command is started."""
    if IS_CHECKOUT:
        return PROJECT_ROOT / "var"
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "tutorq"


# How secrets begin that `tutorq up` makes for its own processes at each start: nobody has set them.
MADE_UP = "made-up-at-start."


class Settings(BaseSettings):
    """One field per `TUTORQ_*` variable; `.env` in the working directory is read too.

    `.env.example` lists all of them with a comment each.
    """

    model_config = SettingsConfigDict(env_prefix="TUTORQ_", env_file=".env", extra="ignore", hide_input_in_errors=True)

    home: Path = Field(default_factory=default_home, validate_default=True)
    secrets_dir: Path | None = None
    database_url: DatabaseUrl = None
    embedded: Literal["on", "off"] = "on"
    embedded_port: int | None = Field(default=None, ge=1024, le=65535)
    ingest_database_url: DatabaseUrl = None
    transform_database_url: DatabaseUrl = None
    api_database_url: DatabaseUrl = None
    dagster_database_url: DatabaseUrl = None
    read_database_url: DatabaseUrl = None
    landing_dir: Path | None = None
    strict_files: bool = False

    api_host: str = "127.0.0.1"
    api_port: int = 8000
    api_connections: int = Field(default=8192, ge=16)
    event_streams: int = Field(default=2000, ge=1)
    api_pool_size: int = Field(default=10, ge=1, le=1000)
    statement_cache_size: int = Field(default=256, ge=0)
    answer_memory_mib: int = Field(default=64, ge=0)
    keep_alive_seconds: int = Field(default=5, ge=1, le=3600)
    drain_seconds: float = Field(default=0, ge=0, le=600)
    limits_url: SecretStr | None = None
    dagster_port: int = 3000
    dagster_url: str | None = None
    dagster_hosts: Annotated[list[str], NoDecode] = []
    dagster_log_in: bool = False
    dagster_token: SecretStr | None = None
    dagster_viewer_port: int | None = None
    api_url: str | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_role_claim: str | None = None
    oidc_unknown: Literal["refuse", "read"] = "refuse"
    oidc_trust_emails: bool = False
    oidc_audience: str | None = None
    cors_origins: Annotated[list[str], NoDecode] = []
    trusted_proxies: Annotated[list[str], NoDecode] = []
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    timezone: str = "UTC"
    as_of: str = "now"
    risk_threshold: Fraction = 0.15
    high_risk_probability: Fraction = 0.8
    watch_probability: Fraction = 0.5
    reliability_counts: Annotated[
        list[Literal["reschedules", "cancellations", "no_shows"]], NoDecode, Field(min_length=1)
    ] = ["reschedules", "cancellations", "no_shows"]
    unnamed_no_shows: Literal["nobody", "student"] = "nobody"
    randomise_follow_up: bool = False

    match_medium_risk: Fraction = 0.3
    match_high_risk: Fraction = 0.7
    offer_exploration: float = Field(default=0, ge=0, le=1)
    offer_holdout: float = Field(default=0, ge=0, lt=1)
    offer_holdout_policy: Literal["rules", "chance"] = "rules"
    offer_days: int = Field(default=30, ge=1, le=180)
    offer_kept_days: int = Field(default=730, ge=90)
    match_pairs: Literal["all", "top"] | None = None
    training_rows: int = Field(default=1_000_000, ge=1_000)
    verify_sessions: int = Field(default=2_000_000, ge=1_000)
    model_store: str | None = None
    model_store_endpoint_url: str | None = None

    openai_base_url: str | None = None
    openai_api_key: SecretStr | None = None
    openai_model: str = "gpt-4.1-mini"
    explanation_seconds: float = Field(default=8, gt=0)
    explanation_daily_budget: int = Field(default=1000, ge=0)

    ingest_rate_per_second: int = Field(default=2000, ge=1)
    ingest_queue_rows: int = Field(default=4000, ge=1)
    ingest_commit_seconds: float = Field(default=5, gt=0)

    mcp_key: SecretStr | None = None
    mcp_names: bool = False
    mcp_calls_per_minute: int = Field(default=60, ge=1)

    metrics: Literal["key", "open", "off"] = "key"
    otlp_endpoint: str | None = None
    traced_share: float = Field(default=1, ge=0, le=1)
    daemon_silent_seconds: int = Field(default=120, ge=60)
    unprocessed_minutes: int = Field(default=15, ge=1)
    run_retention_days: int = Field(default=3, ge=1)
    run_seconds: int = Field(default=300, ge=60)
    silent_data_hours: int = Field(default=26, ge=0)
    history_start: date | None = None
    code_locations: Annotated[list[str], NoDecode] = []
    executor: Literal["in_process", "celery"] = "in_process"
    broker_url: SecretStr | None = None

    page_link_days: int = Field(default=30, ge=1, le=366)
    page_days_after_leaving: int = Field(default=90, ge=0, le=366)
    appeal_days: int = Field(default=14, ge=1, le=90)
    appeal_text_days: int = Field(default=365, ge=30)
    delivery_days: int = Field(default=90, ge=7)
    # Zero: for ever.
    processed_days: int = Field(default=365, ge=0)
    quarantine_days: int = Field(default=180, ge=0)
    mail_text_days: int = Field(default=365, ge=0)
    audit_days: int = Field(default=1095, ge=0)

    session_reports: Literal["important", "all", "none"] = "important"
    tutor_snapshots: bool = True
    staff_emails: Annotated[list[MailAddress], NoDecode] = []
    mail_provider: Literal["file", "smtp", "sendgrid", "ses"] = "file"
    mail_from: MailAddress = "tutorq@localhost"
    dashboard_url: str | None = None
    public_url: str | None = None
    smtp_url: SecretStr | None = None
    sendgrid_api_key: SecretStr | None = None
    sendgrid_base_url: str = "https://api.sendgrid.com"
    sendgrid_webhook_key: str | None = None
    ses_region: str | None = None
    ses_endpoint_url: str | None = None
    ses_smtp_username: str | None = None
    ses_smtp_password: SecretStr | None = None
    secrets_key: SecretStr | None = None
    erasure_key: SecretStr | None = None
    notify_urls: SecretStr | None = None
    webhooks_allow_private: bool = False
    webhooks_allow_http: bool = False

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What stands in a file of `TUTORQ_SECRETS_DIR`, as containers are given secrets, wins over a variable."""
        folder = Path(os.environ.get(SECRETS_DIR) or "/nowhere")  # one that is not there is told by its field
        secrets = (SecretsSettingsSource(settings_cls, secrets_dir=folder),) if folder.is_dir() else ()
        return init_settings, *secrets, env_settings, dotenv_settings

    @field_validator("home", "landing_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value else None

    @field_validator("secrets_dir")
    @classmethod
    def _is_there(cls, value: Path | None) -> Path | None:
        if value and not value.is_dir():
            raise ValueError(f"there is no folder {value}")
        return value

    @field_validator(
        "database_url", "ingest_database_url", "transform_database_url", "api_database_url", "dagster_database_url",
        "read_database_url", "limits_url", "landing_dir", "dashboard_url", "public_url", "smtp_url",
        "sendgrid_api_key", "sendgrid_webhook_key", "ses_region", "ses_endpoint_url", "ses_smtp_username",
        "ses_smtp_password", "model_store", "model_store_endpoint_url",
        "oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_role_claim", "oidc_audience",
        "secrets_dir", "dagster_url", "dagster_token", "dagster_viewer_port", "api_url",
        "openai_base_url", "openai_api_key", "history_start", "secrets_key", "notify_urls", "match_pairs",
        "otlp_endpoint", "erasure_key", "broker_url", "mcp_key", "embedded_port",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator(
        "database_url", "ingest_database_url", "transform_database_url", "api_database_url", "dagster_database_url",
        "read_database_url",
    )  # fmt: skip
    @classmethod
    def _readable_url(cls, value: str | None) -> str | None:
        return postgres_urls.render(postgres_urls.parse(value)) if value else None

    @field_validator("openai_api_key", "sendgrid_api_key", "ses_smtp_password", "oidc_client_secret", "mcp_key")
    @classmethod
    def _can_be_sent(cls, value: SecretStr | None) -> SecretStr | None:
        """A line break at the end, as files of secrets have one, is no part of it. Within a header or a log-in, the
        libraries that send it would quote the whole secret in their error."""
        text = value.get_secret_value().strip() if value else ""
        if not re.fullmatch(r"[!-~]*", text):
            raise ValueError("has a blank, a line break or a character in it that is not ASCII; copy it again")
        return SecretStr(text) if text else None

    @field_validator("limits_url")
    @classmethod
    def _valkey_url(cls, value: SecretStr | None) -> SecretStr | None:
        """As the client of Valkey spells it, which Redis understands, too."""
        if value is None:
            return None
        scheme, separator, rest = value.get_secret_value().strip().partition("://")
        schemes = {"valkey": "valkey", "valkeys": "valkeys", "redis": "valkey", "rediss": "valkeys", "unix": "unix"}
        if not separator or scheme not in schemes or not rest:
            raise ValueError(
                "is no address such as valkey://host:6379/0, valkeys:// (TLS), redis://, rediss:// or unix://"
            )
        return SecretStr(f"{schemes[scheme]}://{rest}")

    @field_validator("secrets_key")
    @classmethod
    def _fernet_keys(cls, value: SecretStr | None) -> SecretStr | None:
        keys = _parts(value)
        if not all(re.fullmatch(r"[A-Za-z0-9_-]{43}=", key) for key in keys):
            raise ValueError(
                "each key is 32 random bytes in URL-safe base64: openssl rand -base64 32 | tr '+/' '-_'; the first one "
                "encrypts, further ones, after a comma, still decrypt"
            )
        return SecretStr(",".join(keys)) if keys else None

    @field_validator("notify_urls")
    @classmethod
    def _apprise_urls(cls, value: SecretStr | None) -> SecretStr | None:
        """Commas may stand within an Apprise URL, so blanks and line breaks separate."""
        urls = value.get_secret_value().split() if value else []
        for number, url in enumerate(urls, 1):
            if not re.match(r"[A-Za-z0-9]+://[^\s]", url):
                raise ValueError(f"number {number} is no Apprise URL such as slack://…; blanks separate several")
        return SecretStr(" ".join(urls)) if urls else None

    @field_validator(
        "cors_origins", "trusted_proxies", "staff_emails", "code_locations", "dagster_hosts", "reliability_counts",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses_or_networks(cls, values: list[str]) -> list[str]:
        return [_address_or_network(value) for value in values]

    @field_validator("dagster_hosts")
    @classmethod
    def _names_without_ports(cls, values: list[str]) -> list[str]:
        for value in values:
            if not re.fullmatch(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+", value):
                raise ValueError(f"{value!r} is not a host name such as dagster.example.org, without scheme and port")
        return values

    @field_validator("oidc_issuer")
    @classmethod
    def _https_or_here(cls, value: str | None) -> str | None:
        """As the provider's tokens state it, character by character: a slash at the end counts."""
        if value and not re.match(r"https://|http://(localhost|127\.0\.0\.1)[:/]", value):
            raise ValueError(f"{value!r} is not an https address such as https://accounts.google.com")
        return value

    @field_validator("otlp_endpoint")
    @classmethod
    def _base_of_otlp(cls, value: str | None) -> str | None:
        if value and not re.match(r"https?://[^/]+", value):
            raise ValueError(f"{value!r} is not an address such as http://127.0.0.1:4318")
        return value.rstrip("/").removesuffix("/v1/traces") if value else None

    @model_validator(mode="after")
    def _oidc_is_complete(self) -> Self:
        if self.oidc_issuer and not (self.oidc_client_id or self.oidc_audience):
            raise ValueError(
                "TUTORQ_OIDC_ISSUER needs TUTORQ_OIDC_CLIENT_ID (people) or TUTORQ_OIDC_AUDIENCE (programs)"
            )
        if self.oidc_audience and self.oidc_audience == self.oidc_client_id:
            raise ValueError("TUTORQ_OIDC_AUDIENCE must not be the client id: tokens of people would pass for programs")
        if self.oidc_audience and not self.oidc_role_claim:
            raise ValueError("TUTORQ_OIDC_AUDIENCE needs TUTORQ_OIDC_ROLE_CLAIM: a token says what a program may do")
        return self

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is not a time zone such as Europe/Vienna") from error
        return value

    @field_validator("as_of")
    @classmethod
    def _now_latest_or_date(cls, value: str) -> str:
        if value not in ("now", "latest"):
            try:
                return date.fromisoformat(value).isoformat()
            except ValueError as error:
                raise ValueError(f"{value!r} is not `now`, `latest` or a date such as 2026-01-31") from error
        return value

    @model_validator(mode="after")
    def _watch_comes_before_high_risk(self) -> Self:
        if self.watch_probability > self.high_risk_probability:
            raise ValueError("TUTORQ_WATCH_PROBABILITY must not be above TUTORQ_HIGH_RISK_PROBABILITY")
        return self

    @model_validator(mode="after")
    def _chats_have_a_key(self) -> Self:
        if self.notify_urls and not self.secrets_key and self.embedded == "off":
            raise ValueError("TUTORQ_NOTIFY_URLS needs TUTORQ_SECRETS_KEY, which chats are told apart by")
        return self

    @field_validator("broker_url")
    @classmethod
    def _speaks_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not re.match(r"rediss?://[^\s]", value.get_secret_value()):
            raise ValueError("is not the address of a Valkey or Redis such as redis://:password@host:6379/0")
        return value

    @model_validator(mode="after")
    def _workers_have_a_broker(self) -> Self:
        if self.executor == "celery" and not self.broker_url:
            raise ValueError("TUTORQ_EXECUTOR=celery needs TUTORQ_BROKER_URL, through which workers get their work")
        return self

    @model_validator(mode="after")
    def _medium_risk_comes_before_high(self) -> Self:
        if self.match_medium_risk > self.match_high_risk:
            raise ValueError("TUTORQ_MATCH_MEDIUM_RISK must not be above TUTORQ_MATCH_HIGH_RISK")
        return self

    @cached_property
    def landing(self) -> Path:
        """The folder that the Dagster assets load from."""
        return self.landing_dir or self.home / "landing"

    @property
    def model_store_uri(self) -> str:
        """Where models are kept: a folder or `s3://bucket/prefix`."""
        return self.model_store or str(self.home / "models")

    @property
    def api_key_file(self) -> Path:
        return self.home / "api-key"

    @property
    def secrets_key_file(self) -> Path:
        """Where an installation with an embedded server keeps the key that it encrypts secrets with."""
        return self.home / "secrets-key"

    @property
    def erasure_key_file(self) -> Path:
        """Where an installation on one machine keeps the key under which ids of erased people are hashed."""
        return self.home / "erasure-key"

    @property
    def secrets_keys(self) -> list[str]:
        """Fernet keys of the settings; the first one encrypts."""
        return _parts(self.secrets_key)

    @property
    def notify_url_list(self) -> list[str]:
        """Apprise URLs of the chats that all get the same; each is a secret."""
        return self.notify_urls.get_secret_value().split() if self.notify_urls else []

    @property
    def outbox_dir(self) -> Path:
        """Where the mail provider `file` puts .eml files."""
        return self.home / "outbox"

    @cached_property
    def staff_addresses(self) -> list[str]:
        """Who gets the mail for staff. With provider `file` nobody need exist for it to be looked at."""
        return self.staff_emails or (["staff@localhost"] if self.mail_provider == "file" else [])

    @cached_property
    def dagster(self) -> str:
        """Address of the Dagster web server, without a slash at the end."""
        return (self.dagster_url or f"http://127.0.0.1:{self.dagster_port}").rstrip("/")

    @property
    def dagster_headers(self) -> dict[str, str]:
        """What a program of ours sends to the Dagster web server, which lets it in where people have to log in."""
        return {"Authorization": f"Bearer {self.dagster_token.get_secret_value()}"} if self.dagster_token else {}

    @cached_property
    def api(self) -> str:
        """Address at which processes of ours reach the API, without a slash at the end."""
        return (self.api_url or f"http://127.0.0.1:{self.api_port}").rstrip("/")

    @cached_property
    def dashboard(self) -> str:
        """Address of the dashboard as mail links to it, without a slash at the end."""
        return (self.dashboard_url or f"http://localhost:{self.api_port}").rstrip("/")

    def as_environment(self) -> dict[str, str]:
        """These settings as variables, so that a child process has the same whatever its directory or `.env`."""
        values = self.model_dump(exclude_none=True)
        return {f"TUTORQ_{name.upper()}": _as_text(value) for name, value in values.items()}

    def dbt_vars(self) -> dict[str, object]:
        """What the dbt project needs to know; names as in `dbt_project.yml`."""
        return {
            "timezone": self.timezone,
            "as_of": self.as_of,
            "risk_threshold": self.risk_threshold,
            "high_risk_probability": self.high_risk_probability,
            "watch_probability": self.watch_probability,
            "reliability_counts": self.reliability_counts,
            "unnamed_no_shows": self.unnamed_no_shows,
            "randomise_follow_up": self.randomise_follow_up,
        }


class ConnectorSecrets(BaseSettings):
    """The secrets of one connector: `TUTORQ_CONNECTOR_NAME_KEY` and `…_WEBHOOK_KEY`, read as all settings are."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", hide_input_in_errors=True)

    # The URL of a database, a password, a token: by what the connector logs in.
    key: SecretStr | None = None
    # By what the service signs its webhooks.
    webhook_key: SecretStr | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Files win over variables, as above."""
        return init_settings, file_secret_settings, env_settings, dotenv_settings

    @staticmethod
    def variable(name: str, field: str) -> str:
        """What a secret of a connector is called in the environment."""
        return f"TUTORQ_CONNECTOR_{name}_{field}".upper()

    @field_validator("key", "webhook_key")
    @classmethod
    def _without_line_break(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value().strip() if value else ""
        return SecretStr(text) if text else None


def connector_secrets(name: str) -> ConnectorSecrets:
    """The secrets of the connector of this name; those that are not set are None."""
    folder = Path(os.environ.get(SECRETS_DIR) or "/nowhere")
    return ConnectorSecrets(
        _env_prefix=ConnectorSecrets.variable(name, ""), _secrets_dir=folder if folder.is_dir() else None
    )
