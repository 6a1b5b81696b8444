"""What a landing file may hold: one `Entity` per kind of file, one `Column` per column.

The tables of `docs` and the checks of the loader come from here; the types agree with the tables of
the schema `raw`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

Status = Literal["scheduled", "completed", "rescheduled", "cancelled", "no_show"]
Initiator = Literal["tutor", "student", "platform"]
STATUSES: tuple[str, ...] = get_args(Status)
INITIATORS: tuple[str, ...] = get_args(Initiator)
TEACHING_STYLES = ("structured", "flexible", "interactive")

LONGEST_ID = 200
LONGEST_NAME = 500
LONGEST_TEXT = 10_000
# As patterns, for those who describe texts. Postgres has no text with a NUL in it.
NO_NUL = r"^[^\x00]*$"
# Characters of a pattern. The separators 1c to 1f are space to Python and to Arrow, and not to every reader of this.
SPACE = r"\s\x1c-\x1f\x85"
NOT_BLANK = rf"^[^\x00]*[^\x00{SPACE}][^\x00]*$"
# A week: real sources hold intensive courses of several days as one session.
LONGEST_SESSION_MINUTES = 10_080


class Kind(StrEnum):
    """How the text of a cell is read."""

    ID = "id"
    TEXT = "text"
    TEXTS = "texts"
    EMAIL = "email"
    CHOICE = "choice"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    DATE = "date"


@dataclass(frozen=True)
class Column:
    """One column: its kind, what values are allowed, and its SQL type.

    `low` and `high` bound numbers (both included), `longest` bounds texts (in characters), `default`
    is the SQL that stands in for an empty cell. A cell that cannot be read costs the whole row if `costs_row`;
    otherwise it is left empty, and kept in quarantine as a remark.
    """

    name: str
    kind: Kind
    sql_type: str
    is_required: bool = False
    allowed: tuple[str, ...] = ()
    low: int = 0
    high: int = 0
    longest: int = LONGEST_TEXT
    default: str | None = None
    references: str | None = None
    # A time that says how new the row is: from the future it would win over all that come, for ever.
    is_version: bool = False
    # Without the cell the row would say something else (decision 56).
    is_decisive: bool = False
    # 0 stands for an empty cell.
    is_zero_empty: bool = False

    @property
    def costs_row(self) -> bool:
        return self.is_required or self.is_version or self.is_decisive

    @property
    def staged_type(self) -> str:
        """SQL type while staged: lists are staged as text joined by `;`."""
        return "text" if self.kind is Kind.TEXTS else self.sql_type


@dataclass(frozen=True)
class Entity:
    """One kind of landing file and the table of `raw` that it fills.

    `version` is SQL for the `raw.version` (migration 0020) of a row `{r}` whose columns are the JSON `{content}`. An
    entity without a version is replaced by whatever arrives later.
    """

    name: str
    key: str
    columns: tuple[Column, ...]
    version: str = ""
    has_external_id: bool = True
    conflict: str = ""
    # Pairs of times of which the first is never after the second. Only what cannot be: a session may be entered after
    # it took place, called off on a day without a clock, or held earlier than planned.
    spans: tuple[tuple[str, str], ...] = ()
    # Rows of one `key` are told apart by a column that the table generates: its name, and its SQL over the columns.
    part: tuple[str, str] | None = None

    @property
    def table(self) -> str:
        return f"raw.{self.name}"

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Of the table."""
        return (self.key,) if self.part is None else (self.key, self.part[0])

    @property
    def is_versioned(self) -> bool:
        return bool(self.version)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.is_required)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def references(self) -> tuple[Column, ...]:
        """Columns that name a tutor or a student, who gets a stub if unknown."""
        return tuple(column for column in self.columns if column.references)


def _id(name: str, references: str | None = None) -> Column:
    return Column(name, Kind.ID, "uuid", is_required=True, longest=LONGEST_ID, references=references)


def _text(name: str, longest: int = LONGEST_NAME) -> Column:
    return Column(name, Kind.TEXT, "text", longest=longest)


def _choice(name: str, allowed: tuple[str, ...], *, is_required: bool = False, is_decisive: bool = False) -> Column:
    return Column(name, Kind.CHOICE, "text", is_required=is_required, is_decisive=is_decisive, allowed=allowed)


def _integer(name: str, low: int, high: int, sql_type: str = "smallint") -> Column:
    return Column(name, Kind.INTEGER, sql_type, low=low, high=high)


def _time(name: str, *, is_required: bool = False, is_version: bool = False, is_decisive: bool = False) -> Column:
    return Column(
        name, Kind.TIME, "timestamptz", is_required=is_required, is_version=is_version, is_decisive=is_decisive
    )


_SUBJECTS = Column("subjects", Kind.TEXTS, "text[]", default="'{}'::text[]")

TUTORS = Entity(
    name="tutors",
    key="tutor_id",
    columns=(
        _id("tutor_id"),
        _text("name"),
        Column("email", Kind.EMAIL, "text", longest=LONGEST_NAME),
        _SUBJECTS,
        Column("is_active", Kind.BOOLEAN, "boolean", default="true", is_decisive=True),
        Column("hired_at", Kind.DATE, "date"),
        _integer("capacity", 0, 1000, "integer"),
        _integer("age", 0, 130),
        Column("experience_years", Kind.NUMBER, "numeric(4, 1)", low=0, high=100),
        _choice("teaching_style", TEACHING_STYLES),
        _integer("preferred_pace", 1, 5),
        _integer("communication_style", 1, 5),
        _text("time_zone"),
    ),
    conflict="conflicts with another row of the same tutor_id in this file",
)

STUDENTS = Entity(
    name="students",
    key="student_id",
    columns=(
        _id("student_id"),
        _text("name"),
        _integer("age", 0, 130),
        _SUBJECTS,
        _choice("preferred_teaching_style", TEACHING_STYLES),
        _integer("preferred_pace", 1, 5),
        _integer("communication_style", 1, 5),
        _integer("urgency_level", 1, 5),
        _text("learning_goals", LONGEST_TEXT),
    ),
    conflict="conflicts with another row of the same student_id in this file",
)

SESSIONS = Entity(
    name="sessions",
    key="session_id",
    columns=(
        _id("session_id"),
        _id("tutor_id", references="tutors"),
        _id("student_id", references="students"),
        _time("scheduled_time", is_required=True),
        _choice("status", STATUSES, is_required=True),
        _text("subject"),
        _time("booked_at"),
        _time("started_at"),
        _time("completed_time"),
        _time("cancelled_at"),
        _integer("duration_minutes", 0, LONGEST_SESSION_MINUTES, "integer"),
        Column("rating", Kind.NUMBER, "numeric(3, 2)", low=1, high=5, is_zero_empty=True),
        _choice("initiator", INITIATORS, is_decisive=True),
        _text("reason_code"),
        Column("technical_issue", Kind.BOOLEAN, "boolean"),
        _text("lesson_id"),
        _time("updated_at", is_version=True),
    ),
    version="raw.session_version({r}.updated_at, {r}.status, {content})",
    conflict="conflicts with another version of this session that has the same updated_at",
    spans=(("started_at", "completed_time"),),
)

RESCHEDULES = Entity(
    name="reschedules",
    key="session_id",
    columns=(
        _id("session_id"),
        _choice("initiator", INITIATORS, is_required=True),
        _text("reason_code"),
        _text("reason", LONGEST_TEXT),
        _time("requested_at", is_decisive=True),
        _time("original_time", is_decisive=True),
        _time("new_time"),
        _time("updated_at", is_version=True),
    ),
    version="raw.reschedule_version({r}.updated_at, {r}.requested_at, {content})",
    has_external_id=False,
    conflict="conflicts with another version of this move that has the same updated_at",
    part=("move_time", "raw.move_time(requested_at, original_time, new_time)"),
)

# In the order in which a folder is loaded: who teaches and learns first, so that few stubs are made.
ENTITIES: dict[str, Entity] = {entity.name: entity for entity in (TUTORS, STUDENTS, SESSIONS, RESCHEDULES)}
