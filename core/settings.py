"""Settings of every tutorq process: the only reader of the environment."""

from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parents[1]

Fraction = Annotated[float, Field(gt=0, lt=1)]


def settings_problem(error: ValidationError) -> str:
    """The first problem of settings that do not validate, in one line that names the variable."""
    first = error.errors()[0]
    name = "TUTORQ_" + "_".join(str(part) for part in first["loc"]).upper()
    return f"{name}: {first['msg'].removeprefix('Value error, ')}"


class Settings(BaseSettings):
    """One field per `TUTORQ_*` variable; `.env` in the working directory is read too.

    `.env.example` lists all of them with a comment each.
    """

    model_config = SettingsConfigDict(env_prefix="TUTORQ_", env_file=".env", extra="ignore")

    home: Path = PROJECT_ROOT / "var"
    database_url: str | None = None
    dagster_database_url: str | None = None
    landing_dir: Path | None = None

    api_port: int = 8000
    dagster_port: int = 3000
    cors_origins: Annotated[list[str], NoDecode] = []
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    timezone: str = "UTC"
    as_of: str = "now"
    risk_threshold: Fraction = 0.15
    high_risk_probability: Fraction = 0.8
    watch_probability: Fraction = 0.5

    @field_validator("home", "landing_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value else None

    @field_validator("database_url", "dagster_database_url", "landing_dir", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        if isinstance(value, str):
            return [origin.strip() for origin in value.split(",") if origin.strip()]
        return value

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
                date.fromisoformat(value)
            except ValueError as error:
                raise ValueError(f"{value!r} is not `now`, `latest` or a date such as 2026-01-31") from error
        return value

    @cached_property
    def landing(self) -> Path:
        """The folder that the Dagster assets load from."""
        return self.landing_dir or self.home / "landing"

    @property
    def api_key_file(self) -> Path:
        return self.home / "api-key"

    def as_environment(self) -> dict[str, str]:
        """These settings as variables, so that a child process has the same whatever its directory or `.env`."""
        values = self.model_dump(mode="json", exclude_none=True)
        texts = {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in values.items()}
        return {f"TUTORQ_{name.upper()}": text for name, text in texts.items()}

    def dbt_vars(self) -> dict[str, str | float]:
        """What the dbt project needs to know; names as in `dbt_project.yml`."""
        return {
            "timezone": self.timezone,
            "as_of": self.as_of,
            "risk_threshold": self.risk_threshold,
            "high_risk_probability": self.high_risk_probability,
            "watch_probability": self.watch_probability,
        }
