"""`mapping.yml`: how files of somebody else's form are read, said once beside them.

Its JSON schema (`mapping.schema.json`, written by `python -m tools.generate`) lets editors check and complete it.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from core.errors import TutorqError
from ingest.contract import ENTITIES, RESCHEDULES, SESSIONS, Entity, Initiator, Kind
from ingest.form import Form
from ingest.spelling import loose

MAPPING_NAME = "mapping.yml"
LARGEST_MAPPING_BYTES = 1 << 20
READY_MADE = resources.files("ingest") / "mappings"

# Numbers that stand for times. Any other form of a date is one of Python's `strptime`.
NUMBER_FORMS = ("epoch_seconds", "epoch_milliseconds", "excel_days")
_OF_MOVES = (SESSIONS.name, RESCHEDULES.name)
_OFFSET = re.compile(r"[+-](?:0\d|1[0-5]):[0-5]\d")


def _as_texts(value: object) -> object:
    """One text is a list of one."""
    return value if isinstance(value, list) else [value]


_CELL = {"type": ["string", "number", "boolean"]}
Text = Annotated[str, WithJsonSchema(_CELL)]
Texts = Annotated[
    list[Text], BeforeValidator(_as_texts), WithJsonSchema({"anyOf": [_CELL, {"type": "array", "items": _CELL}]})
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Between(_Part):
    """The minutes between two times of the file."""

    start: str = Field(description="Column in which the earlier time stands.")
    end: str = Field(description="Column in which the later time stands.")


class Rule(_Part):
    """What holds for the rows that fit: they get the cells of `set`, whatever `columns` and `values` say."""

    when: dict[str, Texts] = Field(
        default_factory=dict,
        description="Columns of the file and the values, one of which has to stand there. All columns have to fit; "
        "upper and lower case, blanks and hyphens do not matter. `*` is any value, an empty text an empty cell.",
    )
    is_past: bool | None = Field(
        default=None,
        alias="past",
        description="Only rows whose scheduled_time is over (true), or is still to come (false).",
    )
    sets: dict[str, Text] = Field(alias="set", description="Columns of tutorq and what they are in these rows.")


class Whose(_Part):
    """Who is meant where a file has a name or an address instead of `tutor` or `student`."""

    tutor: Texts = Field(default_factory=list, description="Columns that name the tutor.")
    student: Texts = Field(default_factory=list, description="Columns that name the student.")


class Moves(_Part):
    """A session that is moved is, in this file, a booking that was called off, and a new one."""

    source: str | None = Field(
        default=None,
        alias="from",
        description="Column in which a new booking names the one that it replaces. Without it, a booking of the status "
        "rescheduled is paired with the next one of the same tutor, student and subject, if that was booked in time.",
    )
    initiator: Initiator | None = Field(default=None, description="Who moved a booking where the file does not say it.")


class EntityMapping(_Part):
    """How files of one kind are read."""

    files: Texts = Field(
        default_factory=list,
        description="Names of files that are of this kind, such as `events-export*.csv`; besides those whose name says "
        "so. One file may be named under several kinds.",
    )
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        default=None,
        description="What stands between two cells of a CSV file. By default, the file itself tells how it is written; "
        "where one of delimiter, encoding and header_line is said, the others are a comma, utf-8 and 1.",
    )
    encoding: str | None = Field(default=None, description="Such as `utf-8`, `cp1252` or `utf-16`.")
    header_line: int | None = Field(
        default=None, ge=1, le=100, description="Line in which the names of the columns stand."
    )
    columns: dict[str, Between | Texts] = Field(
        default_factory=dict,
        description="Columns of tutorq and the columns of the file from which they are taken. Several ones are joined "
        "with a blank, such as a date and a time.",
    )
    values: dict[str, dict[Text, Text]] = Field(
        default_factory=dict, description="Columns of tutorq, and what the file's words in them mean."
    )
    defaults: dict[str, Text] = Field(
        default_factory=dict, description="What stands in an empty cell, or where the file has no such column."
    )
    rules: list[Rule] = Field(default_factory=list, description="Of several that fit, the first one wins.")
    whose: dict[str, Whose] = Field(
        default_factory=dict, description="Columns of tutorq in which the file names a person instead of a role."
    )
    dates: Texts = Field(
        default_factory=list,
        description="Forms of times and dates, tried in this order, as Python's strptime has them (`%m/%d/%Y %H:%M`), "
        f"or {', '.join(NUMBER_FORMS)}. ISO 8601 is always understood.",
    )
    zones: dict[str, str] = Field(
        default_factory=dict, description="Offsets of abbreviations after a time, such as `EST: -05:00`."
    )
    decimal: Literal[".", ","] = Field(default=".", description="What stands before the decimals of a number.")
    group_lessons: bool = Field(
        default=False,
        description="Rows of sessions with one id and several students are one session with each of them, which count "
        "as one lesson for the tutor. Their ids become `id/student`.",
    )
    moves: Moves | None = Field(default=None, description="Of sessions: how bookings that were moved are told.")

    @field_validator("dates")
    @classmethod
    def _known_forms(cls, forms: list[str]) -> list[str]:
        for form in forms:
            if form not in NUMBER_FORMS and not ("%" in form and _is_strptime(form)):
                raise ValueError(f"{form!r} is neither a strptime form such as %m/%d/%Y nor one of {NUMBER_FORMS}")
        return forms

    @field_validator("delimiter")
    @classmethod
    def _splits(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and (delimiter in "\"'" or not (delimiter.isprintable() or delimiter == "\t")):
            raise ValueError(f"{delimiter!r} cannot stand between cells")
        return delimiter

    @field_validator("zones")
    @classmethod
    def _offsets(cls, zones: dict[str, str]) -> dict[str, str]:
        for name, offset in zones.items():
            if not _OFFSET.fullmatch(offset):
                raise ValueError(f"{name}: {offset!r} is not an offset such as -05:00 (in quotes)")
        return zones

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str | None) -> str | None:
        if encoding is not None:
            try:
                "".encode(encoding)
            except LookupError as error:
                raise ValueError(f"{encoding!r} is no known encoding, such as utf-8 or cp1252") from error
        return encoding

    @property
    def form(self) -> Form | None:
        """How a CSV file is written; None: it tells by itself."""
        if self.delimiter is None and self.encoding is None and self.header_line is None:
            return None
        return Form(self.encoding or "utf-8", self.delimiter or ",", self.header_line or 1)

    def check(self, entity: Entity) -> Iterator[str]:
        """What is wrong with it for this kind of file."""
        known = [column.name for column in entity.columns]
        rules = {name: value for rule in self.rules for name, value in rule.sets.items()}
        named = [*self.columns, *self.values, *self.defaults, *self.whose, *rules]
        for name in dict.fromkeys(name for name in named if name not in known):
            nearest = difflib.get_close_matches(name, known, n=1)
            yield f"{entity.name} have no column {name}" + (f"; {nearest[0]} is meant?" if nearest else "")
        for name in (name for name in (entity.key,) if name in (*self.defaults, *rules)):
            yield f"{entity.name}: {name} tells rows apart, so nothing can set it for many"
        for name, words in self.values.items():
            alike: dict[str, str] = {}
            for word, meaning in words.items():
                if alike.setdefault(loose(word), meaning) != meaning:
                    yield f"{entity.name}, {name}: {word!r} has two meanings; case, blanks and hyphens do not matter"
        meanings = [(name, meaning) for name, words in self.values.items() for meaning in words.values()]
        for name, meaning in [*meanings, *self.defaults.items(), *rules.items()]:
            if name in known and (column := entity.column(name)).kind is Kind.CHOICE and meaning not in column.allowed:
                yield f"{entity.name}, {name}: {meaning!r} is not one of {', '.join(column.allowed)}"
        if any(rule.is_past is not None for rule in self.rules) and entity.name != "sessions":
            yield f"{entity.name}: only rules of sessions may say `past`"
        if self.group_lessons and entity.name != "sessions":
            yield f"{entity.name}: only sessions may say `group_lessons`"
        if self.moves and entity.name != "sessions":
            yield f"{entity.name}: only sessions may say `moves`"
        if self.moves and self.group_lessons:
            yield f"{entity.name}: `moves` and `group_lessons` do not go together"


class FileMapping(_Part):
    """All of a `mapping.yml`."""

    use: str | None = Field(
        default=None, description="A ready-made mapping; each kind of file that is also said here is taken from here."
    )
    timezone: str | None = Field(
        default=None, description="Zone of times without an offset, such as `Europe/Vienna`; else TUTORQ_TIMEZONE."
    )
    tutors: EntityMapping | None = None
    students: EntityMapping | None = None
    sessions: EntityMapping | None = None
    reschedules: EntityMapping | None = None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        if zone is not None:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"{zone!r} is not a time zone such as Europe/Vienna") from error
        return zone

    @model_validator(mode="after")
    def _fits_the_contract(self) -> "FileMapping":
        if found := [fault for name, section in self.sections.items() for fault in section.check(ENTITIES[name])]:
            raise ValueError("; ".join(found))
        return self

    @property
    def sections(self) -> dict[str, EntityMapping]:
        """By kind of file, in the order in which they are loaded."""
        found = {name: getattr(self, name) for name in ENTITIES}
        return {name: section for name, section in found.items() if section is not None}

    @property
    def checksum(self) -> str:
        """The same for mappings that say the same."""
        return sha256(self.model_dump_json(exclude_none=True).encode()).hexdigest()

    def entities_of(self, file_name: str, by_name: str | None = None) -> list[str]:
        """As what a file is loaded: the kinds that name it in `files`, or else the one that its name says."""
        name = file_name.casefold()
        found = [
            kind
            for kind, section in self.sections.items()
            if any(fnmatchcase(name, pattern.casefold()) for pattern in section.files)
        ]
        if not found and by_name is not None:
            found = [by_name]
        if self.sessions and self.sessions.moves and SESSIONS.name in found and RESCHEDULES.name not in found:
            found.append(RESCHEDULES.name)
        return found

    def moves_of(self, entity: str, file_name: str, by_name: str | None) -> Moves | None:
        """How the moves that a file of sessions tells are found, if it is loaded as this kind by them."""
        is_theirs = SESSIONS.name in self.entities_of(file_name, by_name)
        return self.sessions.moves if self.sessions and is_theirs and entity in _OF_MOVES else None


def json_schema() -> dict[str, Any]:
    """What editors check and complete a mapping with, down to the columns of each kind of file."""
    schema = FileMapping.model_json_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "mapping.yml of tutorq"}
    schema["properties"]["use"]["anyOf"][0]["enum"] = list(ready_made())
    for name, entity in ENTITIES.items():
        columns = {"propertyNames": {"enum": [column.name for column in entity.columns]}}
        words = {column.name: _meanings(column.allowed) for column in entity.columns if column.allowed}
        schema["properties"][name] = {
            "description": f"How files of {name} are read.",
            "$ref": "#/$defs/EntityMapping",
            "properties": {
                "columns": columns,
                "defaults": columns,
                "whose": columns,
                "values": {**columns, "properties": words},
            },
        }
    return schema


def _meanings(allowed: tuple[str, ...]) -> dict[str, Any]:
    return {"additionalProperties": {"enum": list(allowed)}}


def ready_made() -> dict[str, str]:
    """Names of the mappings that come with tutorq, and what each is for (the first comment of its file)."""
    texts = {
        item.name.removesuffix(".yml"): item.read_text() for item in READY_MADE.iterdir() if item.name.endswith(".yml")
    }
    return {name: text.splitlines()[0].removeprefix("# ") for name, text in sorted(texts.items())}


def read_mapping(path: Path, source: str | None = None) -> FileMapping:
    """The mapping in a file, called `source`, together with the ready-made one that it uses.

    Raises:
        TutorqError: it cannot be read or understood; says where and why.
    """
    source = source or path.name
    try:
        if path.stat().st_size > LARGEST_MAPPING_BYTES:
            raise TutorqError(f"{source} is larger than 1 MiB, which no mapping is")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TutorqError(f"{source} is not UTF-8") from error
    except OSError as error:
        raise TutorqError(f"cannot read {source}: {error.strerror}") from error
    return parse_mapping(text, source)


@lru_cache(maxsize=32)
def parse_mapping(text: str, source: str = MAPPING_NAME) -> FileMapping:
    """As `read_mapping`, of a text."""
    content = _yaml(text, source)
    use = content.get("use")
    if isinstance(use, str):
        known = ready_made()
        if use not in known:
            raise TutorqError(f"{source}: use: {use!r} is no ready-made mapping; there are {', '.join(known)}")
        base = _yaml((READY_MADE / f"{use}.yml").read_text(), use)
        content = {**base, **{name: _laid_over(base.get(name), own) for name, own in content.items()}}
    try:
        return FileMapping.model_validate(content)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {_told(fault)}".removeprefix(": ") for fault in error.errors()]
        raise TutorqError(f"{source}: {'; '.join(dict.fromkeys(faults))}") from error


class _Texts(yaml.SafeLoader):
    """YAML whose words are texts, as they stand: `Yes`, `010` and `12:30` are cells of a file, and not other values.

    Nothing may be said by reference: a small file could be of any size then.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 -- as in the class above it
        first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(None, None, "references (*) are not understood", event.start_mark)
        return super().compose_node(parent, index)


def _is_strptime(form: str) -> bool:
    import pandas as pd

    try:
        pd.to_datetime(pd.Series(["x"]), format=form, errors="coerce")
    except ValueError:
        return False
    return True


def _laid_over(base: object, own: object) -> object:
    """Keys of `own` win; sections, and what they say column by column, are put together."""
    if isinstance(base, Mapping) and isinstance(own, Mapping):
        return {**base, **{name: _laid_over(base.get(name), value) for name, value in own.items()}}
    return own


def _yaml(text: str, source: str) -> dict[str, Any]:
    try:
        content = yaml.load(text, _Texts)  # noqa: S506 -- a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark is not None else ""
        raise TutorqError(f"{source}{where} is not YAML: {getattr(error, 'problem', None) or error}") from error
    except RecursionError as error:
        raise TutorqError(f"{source}: it is nested too deeply") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise TutorqError(f"{source}: it has to begin with keys such as `use:` or `sessions:`")
    return {str(name): value for name, value in content.items()}


def _told(fault: Any) -> str:
    """In words that fit YAML."""
    if fault["type"] == "extra_forbidden":
        known = [*FileMapping.model_fields, *EntityMapping.model_fields, "when", "past", "set", "tutor", "student"]
        nearest = difflib.get_close_matches(str(fault["loc"][-1]), known, n=1)
        return "is not known here" + (f"; {nearest[0]} is meant?" if nearest else "")
    return str(fault["msg"]).removeprefix("Value error, ")
