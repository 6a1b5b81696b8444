"""A first mapping for a file that nobody has described: what its columns, words and dates probably are.

Everything here is a guess that somebody checks: what could not be guessed is `???`, which no mapping may say.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from importlib import resources

import pyarrow as pa
import yaml

from core.errors import TutorqError
from ingest.called import CALLED, WORDS
from ingest.contract import ENTITIES, Entity, Kind
from ingest.mapped import OfMapping, read_form
from ingest.mapping import MAPPING_NAME, parse_mapping, ready_made
from ingest.notes import Notes
from ingest.parser import read_times
from ingest.spelling import is_empty_word, normal, word
from ingest.time_forms import read_time
from ingest.unusual import EMPTY

OPEN = "???"
SHOWN_WORDS = 30
_OPEN_TEXT = f'"{OPEN}"'
_CLOCK = re.compile(r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?: ?[AaPp]\.?[Mm]\.?)?")
_DAY = re.compile(r"\d{1,4}[-/. ](?:\d{1,2}|\w{3,9})[-/. ]\d{2,4}|\w{3,9} \d{1,2},? \d{4}")

_DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y-%m-%d", "%d/%m/%y", "%m/%d/%y",
         "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y", "%a %d %b %Y", "%A, %B %d, %Y")  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M%p", " %I:%M:%S %p")
DATE_FORMS = tuple(day + clock for day in _DAYS for clock in _CLOCKS)


def fitting_ready_made(names: Sequence[str]) -> str | None:
    """The ready-made mapping for sessions that a file with this header fits as it stands."""
    for name in ready_made():
        notes = Notes()
        section = parse_mapping(f"use: {name}").sections["sessions"]
        try:
            OfMapping(ENTITIES["sessions"], section, "UTC", notes).header("", names)
        except TutorqError:
            continue
        if not notes.all:
            return name
    return None


def way_out(names: Sequence[str]) -> str:
    """What to do about a file that lacks columns."""
    if name := fitting_ready_made(names):
        tool = ready_made()[name].split(":")[0]
        return f"it looks like an export of {tool}: a file {MAPPING_NAME} beside it that says `use: {name}` reads it"
    return "`tutorq load --explain FILE` shows what it has, and drafts a mapping for it"


def likely_entity(names: Sequence[str]) -> Entity:
    """The kind of file of which most columns are found; sessions if in doubt."""
    order = [ENTITIES[name] for name in ("sessions", "reschedules", "tutors", "students")]
    return max(order, key=lambda entity: sum(name in entity.required for name in _matched(names, entity)))


def draft(file_name: str, names: Sequence[str], samples: Mapping[str, Sequence[str]], entity: Entity) -> str:
    """The text of a mapping to begin with.

    Args:
        names: the header of the file.
        samples: some cells of each column, empty ones left out.
    """
    matched = _matched(names, entity)
    dates = _by_content(matched, names, samples, entity)
    lines = [
        f"# yaml-language-server: $schema={resources.files('ingest') / 'mapping.schema.json'}",
        "# A draft: check each line, replace each ???, then save it as mapping.yml in the folder of the file.",
        "# timezone: Europe/Vienna  # of times without an offset; otherwise TUTORQ_TIMEZONE",
    ]
    lines += [f"{entity.name}:", f"  files: {_quoted(file_name)}", "  columns:"]
    for column in entity.columns:
        if column.name in matched:
            name = matched[column.name]
            if column.name == "scheduled_time" and dates:
                said = f"[{_quoted(dates)}, {_quoted(name)}]"
            else:
                said = f"{_quoted(name)}{_example(samples.get(name, []))}"
            lines.append(f"    {column.name}: {said}")
        elif column.is_required:
            lines.append(f'    {column.name}: "{OPEN}"  # required, and not found')
    used = [*matched.values(), dates]
    if unused := [name for name in names if name.strip() and name not in used]:
        lines.append("    # not used:")
        lines += [f"    #   {_in_comment(name)}{_example(samples.get(name, []))}" for name in unused]
    lines += _drafted_values(entity, matched, samples)
    if dates and (start := matched["scheduled_time"]):
        both = zip(samples.get(dates, []), samples.get(start, []), strict=False)
        samples = {**samples, start: [f"{day.strip()} {clock.strip()}" for day, clock in both]}
    lines += _drafted_dates(entity, matched, samples)
    return "\n".join(lines) + "\n"


def additions(entity: Entity, cells: Mapping[str, Sequence[str]]) -> str:
    """What a mapping still has to say of a file: its words and forms of dates that are not understood; else nothing.

    Args:
        cells: of columns of the contract, as they are after the mapping that there is.
    """
    as_they_are = {name: name for name in cells}
    open_words = {
        column.name: [
            cell
            for cell in cells[column.name]
            if word(cell.strip(), column.allowed) is None and not is_empty_word(cell.strip())
        ]
        for column in entity.columns
        if column.kind is Kind.CHOICE and column.name in cells
    }
    lines = _drafted_values(entity, as_they_are, open_words) + _drafted_dates(entity, as_they_are, cells)
    return "\n".join([f"{entity.name}:", *lines]) if lines else ""


def _matched(names: Sequence[str], entity: Entity) -> dict[str, str]:
    """Columns of the contract, and what the file probably calls them; each column of the file once."""
    free = {normal(name): name for name in reversed(names) if normal(name)}
    found: dict[str, str] = {}
    for is_whole in (True, False):
        for column in entity.columns:
            if column.name in found:
                continue
            called = [normal(name) for name in (column.name, *CALLED.get(column.name, ()))]
            for name in called:
                place = name if is_whole and name in free else _containing(name, free) if not is_whole else None
                if place is not None:
                    found[column.name] = free.pop(place)
                    break
    return found


def _by_content(
    matched: dict[str, str], names: Sequence[str], samples: Mapping[str, Sequence[str]], entity: Entity
) -> str | None:
    """Look for the status by its words, and for the day of a column that holds only the clock, which is returned."""
    free = [name for name in names if name not in matched.values()]
    for column in entity.columns:
        if column.is_required and column.kind is Kind.CHOICE and column.name not in matched:
            known = {normal(word) for word in column.allowed}
            for name in free:
                words = {cell.strip() for cell in samples.get(name, [])}
                meant = [word for word in words if normal(word) in known or _meaning(column.name, word) != _OPEN_TEXT]
                if meant and len(words) <= SHOWN_WORDS and len(meant) * 2 >= len(words):
                    matched[column.name] = name
                    break
    start = matched.get("scheduled_time")
    clocks = [cell.strip() for cell in samples.get(start or "", [])]
    if not clocks or not all(map(_CLOCK.fullmatch, clocks)):
        return None
    days = [name for name in free if samples.get(name) and all(map(_DAY.fullmatch, map(str.strip, samples[name])))]
    return days[0] if days else None


def _containing(name: str, free: Mapping[str, str]) -> str | None:
    if len(name) < 5:
        return None
    return next((place for place in free if name in place), None) or next(
        iter(difflib.get_close_matches(name, list(free), n=1, cutoff=0.85)), None
    )


def _drafted_values(entity: Entity, matched: Mapping[str, str], samples: Mapping[str, Sequence[str]]) -> list[str]:
    lines: list[str] = []
    for column in entity.columns:
        if column.kind is not Kind.CHOICE or column.name not in matched:
            continue
        allowed = {normal(word): word for word in column.allowed}
        words = sorted({cell.strip() for cell in samples.get(matched[column.name], [])})
        foreign = [word for word in words if word and normal(word) not in allowed][:SHOWN_WORDS]
        if foreign:
            lines.append(f"    {column.name}:  # each has to be one of {', '.join(column.allowed)}")
            lines += [f"      {_quoted(word)}: {_meaning(column.name, word)}" for word in foreign]
    return ["  values:", *lines] if lines else []


def _meaning(column: str, word: str) -> str:
    for meaning, called in WORDS.get(column, {}).items():
        if normal(word) in {normal(meaning), *called}:
            return meaning
    return _OPEN_TEXT


def _drafted_dates(entity: Entity, matched: Mapping[str, str], samples: Mapping[str, Sequence[str]]) -> list[str]:
    times = [column for column in entity.columns if column.kind in (Kind.TIME, Kind.DATE) and column.name in matched]
    forms: list[str] = []
    comments: list[str] = []
    for column in times:
        name = matched[column.name]
        cells = [cell.strip() for cell in samples.get(name, []) if cell.strip()]
        if not (foreign := _unread(cells)):
            continue
        fitting = [form for form in DATE_FORMS if not _unread(_read(foreign, form))]
        if len(fitting) == 1:
            forms += [form for form in fitting if form not in forms]
        else:
            which = f"either {' or '.join(fitting)}: the cells do not tell" if fitting else "of a form not known here"
            comments.append(f"  # {_in_comment(f'{name} ({foreign[0][:40]})')} is {which}")
            forms += [OPEN] if OPEN not in forms else []
    if not forms:
        return []
    return [*comments, f"  dates: [{', '.join(_quoted(form) for form in forms)}]"]


def _unread(cells: Sequence[str]) -> list[str]:
    """Those that are no time without a mapping, empty ones left out."""
    if not cells:
        return []
    is_read = read_times(pa.array(cells, pa.string()), "UTC").is_valid().to_pylist()
    return [cell for cell, is_fine in zip(cells, is_read, strict=True) if not is_fine and read_time(cell) != EMPTY]


def _quoted(text: str) -> str:
    """As a YAML text."""
    dumped = yaml.safe_dump(text, allow_unicode=True, default_flow_style=True, width=10_000).strip()
    dumped = dumped.removesuffix("...").strip()
    return dumped if not text.startswith("?") else f'"{text}"'


def _example(cells: Sequence[str]) -> str:
    shown = next((cell.strip() for cell in cells if cell.strip()), "")
    return f"  # {_in_comment(shown[:40])}" if shown else ""


def _in_comment(text: str) -> str:
    """On one line."""
    return "".join(character if character.isprintable() else " " for character in text)


def _read(cells: Sequence[str], form: str) -> list[str]:
    texts: list[str | None] = read_form(pa.array(cells, pa.string()), form).to_pylist()
    return [text or "" for text in texts]
