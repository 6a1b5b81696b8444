"""Settings of scoring that a lead may turn: which there are, what is configured, and what was applied since.

What is configured stands in `dbt_project.yml` and, for four of them, in the environment. What was applied stands in
`app.scoring_settings`, wins over both, and counts from the next run on.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, Self, cast

import psycopg
import yaml
from psycopg.rows import class_row
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from core import locks
from core.audit import Action, Entry, record
from core.errors import TutorqError
from core.settings import PROJECT_ROOT, Settings

VARS = PROJECT_ROOT / "dbt_project" / "dbt_project.yml"
SUBJECT = "scoring_settings"

Cause = Literal["reschedules", "cancellations", "no_shows"]
CAUSES: tuple[Cause, ...] = ("reschedules", "cancellations", "no_shows")
Unit = Literal["share", "days", "sessions", "minutes", "rating", "causes"]

NEWEST = "select settings_id, settings, note, applied_at, applied_by from app.scoring_settings"
APPLY = "insert into app.scoring_settings (settings, note, applied_by) values (%s, %s, %s) returning settings_id"


def _turned(label: str, group: str, unit: Unit, step: float, **limits: Any) -> Any:
    extra: JsonDict = {"x-group": group, "x-unit": unit, "x-step": step}
    return Field(default=None, title=label, json_schema_extra=extra, **limits)


def _share(label: str, group: str, least: float, most: float, description: str) -> Any:
    return _turned(label, group, "share", 0.01, ge=least, le=most, description=description)


def _whole(label: str, group: str, unit: Unit, least: int, most: int, description: str) -> Any:
    return _turned(label, group, unit, 1, ge=least, le=most, description=description)


WEIGHTS = ("reliability_weight", "attendance_weight", "first_session_weight", "rating_weight")
# Products of smaller weights would get out of the range of numbers, and every score would fail.
LEAST_WEIGHT = 0.001
LIMITS, EVIDENCE, NEEDS, QUALITY = "Limits", "Evidence", "Least data", "Quality score"


class ScoringSettings(BaseModel, extra="forbid", strict=True):
    """Settings to change; null leaves a setting unchanged. Names are those of the dbt vars."""

    risk_threshold: float | None = _share(
        "Let-down limit", LIMITS, 0.01, 0.5, "A rate of let-downs above it is a concern."
    )
    no_show_limit: float | None = _share("No-show limit", LIMITS, 0.005, 0.5, "The same for missed sessions.")
    late_start_limit: float | None = _share("Late-start limit", LIMITS, 0.01, 0.9, "The same for late starts.")
    first_meeting_margin: float | None = _share(
        "Lost students above usual",
        LIMITS,
        0,
        0.5,
        "Losing students is a concern from this much above the platform's share.",
    )
    rating_margin: float | None = _turned(
        "Rating below usual", LIMITS, "rating", 0.05, ge=0.05, le=2,
        description="Ratings are a concern from this much below the platform's mean.",
    )  # fmt: skip
    high_risk_probability: float | None = _share(
        "Raise from", LIMITS, 0.5, 0.99, "From this probability on, a concern is raised."
    )
    watch_probability: float | None = _share(
        "Keep down to", LIMITS, 0.1, 0.95, "A raised concern ends below this probability."
    )
    reliability_counts: Annotated[list[Cause], Field(min_length=1, max_length=3)] | None = _turned(
        "Let-downs are", LIMITS, "causes", 1, description="Which of these, by the tutor, count as let-downs."
    )
    late_start_minutes: float | None = _turned(
        "Late after", LIMITS, "minutes", 1, ge=0, le=60, description="A session that begins later is a late start."
    )
    # From 10 days on, the square of the oldest day's weight is above 0 in units of 2^-36.
    evidence_half_life_days: int | None = _whole(
        "Half-life", EVIDENCE, "days", 10, 180, "Days after which a session counts half."
    )
    evidence_cap: int | None = _whole("Cap", EVIDENCE, "sessions", 10, 500, "Maximum number of sessions that count.")
    no_show_half_life_days: int | None = _whole(
        "Half-life of no-shows", EVIDENCE, "days", 10, 365, "The half-life for missed sessions."
    )
    no_show_evidence_cap: int | None = _whole(
        "Cap of no-shows", EVIDENCE, "sessions", 10, 1000, "The cap for missed sessions."
    )
    min_sessions: int | None = _whole(
        "Sessions in 90 days", NEEDS, "sessions", 1, 50, "Minimum number of sessions for let-downs and no-shows."
    )
    starts_needed: int | None = _whole(
        "Start times recorded in 90 days",
        NEEDS,
        "sessions",
        1,
        100,
        "Minimum number of recorded start times for late starts.",
    )
    first_meetings_needed: int | None = _whole(
        "First meetings in a year", NEEDS, "sessions", 1, 50, "Minimum number of first meetings for lost students."
    )
    ratings_needed: int | None = _whole("Ratings in 180 days", NEEDS, "sessions", 1, 50, "Minimum number of ratings.")
    reliability_weight: float | None = _share("Reliability", QUALITY, 0, 1, "Weight of keeping to agreed times.")
    attendance_weight: float | None = _share("Attendance", QUALITY, 0, 1, "Weight of turning up.")
    first_session_weight: float | None = _share("First sessions", QUALITY, 0, 1, "Weight of first sessions that last.")
    rating_weight: float | None = _share("Ratings", QUALITY, 0, 1, "Weight of ratings.")

    @field_validator("*", mode="before")
    @classmethod
    def _whole_numbers(cls, value: object) -> object:
        """JSON has one kind of number: 30.0 is a whole one."""
        return int(value) if isinstance(value, float) and value.is_integer() else value

    @field_validator(*WEIGHTS)
    @classmethod
    def _none_or_enough(cls, value: float | None) -> float | None:
        if value and value < LEAST_WEIGHT:
            raise ValueError(f"must be 0 or at least {LEAST_WEIGHT}")
        return value

    @model_validator(mode="after")
    def _each_cause_once(self) -> Self:
        if self.reliability_counts is not None:
            # In one order, so that the same choice is the same setting.
            known = self.reliability_counts
            self.reliability_counts = [cause for cause in CAUSES if cause in known]
        return self

    def changes(self) -> dict[str, Any]:
        """What is not null, by the names of the vars."""
        return self.model_dump(exclude_none=True)


FIELDS: Mapping[str, FieldInfo] = ScoringSettings.model_fields


@dataclass(frozen=True, slots=True)
class Turnable:
    """A setting as a form needs it. Limits of numbers are inclusive; null for causes."""

    name: str
    label: str
    description: str
    group: str
    unit: Unit
    step: float
    least: float | None
    most: float | None

    @classmethod
    def of(cls, name: str, field: FieldInfo) -> Self:
        extra = cast("dict[str, Any]", field.json_schema_extra)
        limits = {type(limit).__name__: limit for limit in field.metadata}
        return cls(
            name=name,
            label=str(field.title),
            description=str(field.description),
            group=extra["x-group"],
            unit=extra["x-unit"],
            step=extra["x-step"],
            least=getattr(limits.get("Ge"), "ge", None),
            most=getattr(limits.get("Le"), "le", None),
        )


TURNABLE = tuple(Turnable.of(name, field) for name, field in FIELDS.items())


@dataclass(frozen=True, slots=True)
class Applied:
    """A row of `app.scoring_settings`; of its settings those that `allowed` leaves."""

    settings_id: int
    settings: dict[str, Any]
    note: str | None
    applied_at: datetime
    applied_by: str


def project_vars() -> dict[str, Any]:
    """The vars of the dbt project, as its file has them now.

    The file is read each time, as dbt does: a process that remembered what stood there before an edit would take for
    outdated whatever is published after it, and ask for runs without end.
    """
    return dict(_vars_in(VARS.read_bytes()))


@lru_cache(maxsize=1)
def _vars_in(content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(content)["vars"]
    return found


def configured(settings: Settings) -> dict[str, Any]:
    """What each setting is where nothing was applied."""
    known = {**project_vars(), **settings.dbt_vars()}
    return {name: known[name] for name in FIELDS}


def allowed(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Of settings that a table has kept, those that this version knows and allows.

    Rows may be of another version. And they end up in SQL that dbt runs with more rights than those have who write
    rows, so no other kind of value may get there.
    """
    found: dict[str, Any] = {}
    for name, value in kept.items():
        try:
            found |= ScoringSettings.model_validate({name: value}).changes()
        except ValidationError:
            continue
    return found


def newest(connection: psycopg.Connection) -> Applied | None:
    """What was applied last; None if nothing ever was, or the schema is of a version before."""
    (is_there,) = connection.execute("select to_regclass('app.scoring_settings') is not null").fetchone() or (False,)
    if not is_there:
        return None
    with connection.cursor(row_factory=class_row(Applied)) as cursor:
        applied = cursor.execute(f"{NEWEST} order by settings_id desc limit 1".encode()).fetchone()
    return replace(applied, settings=allowed(applied.settings)) if applied else None


def dbt_vars(settings: Settings, connection: psycopg.Connection) -> dict[str, Any]:
    """What the next run of dbt is told: what is configured, and over it what was applied."""
    applied = newest(connection)
    return {**settings.dbt_vars(), **(applied.settings if applied else {})}


def in_force(settings: Settings, connection: psycopg.Connection) -> dict[str, Any]:
    """Every setting that can be turned, as the next run has it."""
    applied = newest(connection)
    return {**configured(settings), **(applied.settings if applied else {})}


def publication(connection: psycopg.Connection) -> dict[str, Any] | None:
    """The row of `marts.publication` as JSON; None without a publication."""
    (is_there,) = connection.execute("select to_regclass('marts.publication') is not null").fetchone() or (False,)
    row = connection.execute("select to_jsonb(publication) from marts.publication").fetchone() if is_there else None
    return row[0] if row else None


def of_publication(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings that a row of `marts.publication` has."""
    known = {**columns, **(columns.get("concern_rules") or {})}
    return {name: known[name] for name in FIELDS if name in known}


def problem(wanted: Mapping[str, Any]) -> str | None:
    """What is wrong with settings taken together; None if nothing is."""
    if wanted["watch_probability"] > wanted["high_risk_probability"]:
        return "watch_probability must not be above high_risk_probability"
    if not any(wanted[name] for name in WEIGHTS):
        return "one of the four weights must be above 0"
    return None


@dataclass(frozen=True, slots=True)
class Step:
    """One time that settings are applied: what is kept of it, and what it changes, each from what to what."""

    kept: dict[str, Any]
    changed: dict[str, dict[str, Any]]

    def entry(self, settings_id: int, note: str | None, actor: str) -> Entry:
        """For the audit log."""
        details = {**self.changed, **({"note": note} if note else {})}
        return Entry(actor, Action.SCORING_APPLY, SUBJECT, str(settings_id), details)


def step(base: Mapping[str, Any], applied: Mapping[str, Any], changes: Mapping[str, Any] | None) -> Step:
    """What these changes make of the settings in force; without any, of going back to what is configured (`base`).

    Raises:
        TutorqError: the settings contradict each other.
    """
    before = {**base, **applied}
    wanted = {**before, **changes} if changes is not None else dict(base)
    if wrong := problem(wanted):
        raise TutorqError(wrong)
    kept = {name: value for name, value in wanted.items() if value != base[name]}
    return Step(kept, differences(before, wanted))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is another one, each from what to what."""
    return {name: {"from": before[name], "to": after[name]} for name in FIELDS if before[name] != after[name]}


def apply(
    connection: psycopg.Connection,
    settings: Settings,
    changes: Mapping[str, Any] | None,
    *,
    actor: str,
    note: str | None,
) -> dict[str, dict[str, Any]]:
    """Keep these changes for the next run, with an entry in the audit log; returns what has changed.

    Without changes it goes back to what is configured. Nothing is written where nothing changes.

    Raises:
        TutorqError: the settings contradict each other.
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [locks.SETTINGS])
        applied = newest(connection)
        done = step(configured(settings), applied.settings if applied else {}, changes)
        if done.changed:
            row = connection.execute(APPLY, [json.dumps(done.kept), note, actor]).fetchone()
            assert row is not None
            record(connection, done.entry(row[0], note, actor))
    return done.changed
