"""Which files of a folder are landing files, and what is said about the others."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from core.errors import TutorqError
from ingest.contract import ENTITIES, Entity

# What may follow the name of an entity: a date, a number, a part, the word by which systems call a copy.
_PART = (
    r"\(?\d+\)?|\d+T\d+Z?|[vqw]\d+|part|copy|kopie|copie|copia|export|new|final|"
    r"jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sep(tember)?|oct(ober)?|nov(ember)?|"
    r"dec(ember)?"
)
_STEM = rf"(?:copy[ _]of[ _])?(?P<entity>{'|'.join(ENTITIES)})(?:\d*(?:[-_ .]+(?:{_PART}))*|\..+)"
_NAME = re.compile(rf"{_STEM}\.(?:(?:csv|tsv)(?:\.gz)?|xlsx|parquet)", re.IGNORECASE)
_PARTS_FOLDER = re.compile(rf"{_STEM}\.parquet", re.IGNORECASE)
# 2026, 01, 2026-01, 202601, 2026-01-31, and year=2026, month=01, as exports by month or day are stored.
_MONTH_FOLDER = re.compile(r"\d{2}|(?:\w+=)?\d{4}(?:[-_]?\d{2}){0,2}|\w+=\d{1,2}")
_NOT_WORTH_A_WORD = re.compile(
    r"\..*|_.*|init|~\$.*|thumbs\.db|desktop\.ini|__MACOSX|.*\.report\.json|mapping(\.draft)?\.yml", re.IGNORECASE
)
_ORDER = list(ENTITIES)

NAMES_HINT = "sessions.csv, sessions-2026-01.csv.gz, students.xlsx or tutors.parquet"
NOT_FOLLOWED = "a link, which is not followed; drop the file itself"

# Tables that would be read if their names said of what they are.
MISNAMED = "csv tsv xlsx parquet gz"
# No reader reads these, whatever the name before.
_OTHER_FORMATS = {
    "zip 7z rar tar tgz": "an archive; unpack it",
    "bz2 zst xz z lz4 br": "compressed in a way that is not read; use gzip, such as {entity}.csv.gz",
    "json jsonl ndjson": "JSON is not read; save it as CSV",
    "xml yaml yml html htm": "not a table; save it as CSV",
    "xls xlsm xlsb ods numbers": "this kind of sheet is not read; save it as .xlsx or CSV",
    "avro orc feather arrow": "this format is not read; save it as Parquet or CSV",
    "sql db sqlite": "a database is not read; export its tables as CSV",
}
_WAYS_OUT = {
    **_OTHER_FORMATS,
    "gzip": "name it {entity}.csv.gz",
    "pq parq": "name it {entity}.parquet",
    "txt tab dat psv": "name it {entity}.csv",
    "part filepart crdownload tmp download": "by its name, it has not arrived completely",
    MISNAMED: "did you mean {entity}.{ending}?",
}
_WAY_OUT = {ending: way for endings, way in _WAYS_OUT.items() for ending in endings.split()}
_OTHER_WORDS = {
    "tutors": "tutor teacher teachers coach coaches instructor instructors",
    "students": "student pupil pupils learner learners client clients",
    "sessions": "session lesson lessons appointment appointments booking bookings meeting meetings",
    "reschedules": "reschedule moves",
}
_ENTITY_OF_WORD = {word: entity for entity, words in _OTHER_WORDS.items() for word in [entity, *words.split()]}


@dataclass(frozen=True)
class Other:
    """A file that is not loaded, and why, with the way out.

    `entity` is what it seems to hold, None if no such data; `is_misnamed` says that only its name is in the way.
    """

    source: str
    why: str = ""
    entity: str | None = None
    is_misnamed: bool = False

    def __str__(self) -> str:
        return f"{self.source}: {self.why}" if self.why else self.source


def entity_of(path: PurePath) -> Entity:
    """The entity that a file name, or the name of a folder of Parquet parts, stands for.

    Raises:
        TutorqError: it is not the name of a landing file.
    """
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise TutorqError(f"{path.name} is not the name of a landing file, such as {NAMES_HINT}")
    return ENTITIES[match["entity"].lower()]


def is_landing_file(path: PurePath, entity: str | None = None) -> bool:
    """Whether its name is that of a landing file (of one entity)."""
    return bool(_NAME.fullmatch(path.name)) and (entity is None or entity_of(path).name == entity)


def name_says(path: PurePath) -> str | None:
    """The kind of landing file that a name stands for, if it is the name of one."""
    return entity_of(path).name if is_landing_file(path) else None


def is_parts_folder(name: str) -> bool:
    """Whether a folder of this name holds the parts of one landing file."""
    return bool(_PARTS_FOLDER.fullmatch(name))


def parts_folder_above(path: PurePath) -> PurePath | None:
    """The outermost folder of parts that a path leads through, or is."""
    folders = [*reversed(path.parents), path]
    return next((folder for folder in folders if is_parts_folder(folder.name)), None)


def is_noise(name: str) -> bool:
    """Whether a file is what systems leave lying about, and is not worth a word."""
    return bool(_NOT_WORTH_A_WORD.fullmatch(name))


def in_loading_order(paths: Iterable[Path]) -> list[Path]:
    """Sorted by entity, people first, and by path."""
    return sorted(paths, key=lambda path: (_ORDER.index(entity_of(path).name), path))


def landing_files(folder: Path, entity: str | None = None) -> list[Path]:
    """Landing files of `folder` and of its folders of months (of one entity), in the order in which they are loaded.

    A folder of Parquet parts is one of them. Links are not followed.

    Raises:
        TutorqError: there is no such folder.
    """
    return in_loading_order(path for path in _contents(folder) if is_landing_file(path, entity) and _is_own(path))


def other_files(folder: Path) -> list[Other]:
    """What else lies there and may have been meant to be loaded, links among it, sorted; hidden files are left out."""
    others = [path for path in _contents(folder) if not (is_landing_file(path) and _is_own(path))]
    return [
        other(path.relative_to(folder).as_posix(), is_link=path.is_symlink(), is_folder=path.is_dir())
        for path in sorted(others)
        if (path.is_file() or _holds_landing_files(path)) and not is_noise(path.name)
    ]


def other(source: str, *, is_link: bool = False, is_folder: bool = False) -> Other:
    """What is said of a file or folder that is not loaded."""
    stem, _, ending = PurePath(source).name.lower().rpartition(".")
    entity = _seeming_entity(PurePath(source).name)
    if is_link:
        return Other(source, NOT_FOLLOWED, entity)
    if is_folder:
        return Other(source, "a folder with landing files; load it by itself", entity)
    if entity is None or ending not in _WAY_OUT:
        return Other(source)
    formats = {"gz": "parquet" if stem.endswith(".parquet") else "csv.gz"}
    why = _WAY_OUT[ending].format(entity=entity, ending=formats.get(ending, ending))
    return Other(source, why, entity, is_misnamed=ending in MISNAMED.split())


def other_format(name: str) -> str | None:
    """Why a file of this name is not read, and the way out; None if its format may be one that is."""
    endings = {ending for endings in _OTHER_FORMATS for ending in endings.split()}
    ending = PurePath(name).suffix.lower().removeprefix(".")
    return _WAY_OUT[ending].format(entity=_seeming_entity(name) or "sessions") if ending in endings else None


def _contents(folder: Path) -> Iterator[Path]:
    """Files, links and folders of parts in a folder and in its folders of months, and the other folders."""
    if folder.is_file():
        raise TutorqError(
            f"{folder} is a file; give its folder, {folder.parent}, from which all such files are loaded, or look at "
            f"the file with `tutorq load --explain {folder}`"
        )
    if not folder.is_dir():
        raise TutorqError(f"there is no folder {folder}")
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and _MONTH_FOLDER.fullmatch(path.name):
            yield from _contents(path)
        else:
            yield path


def _is_own(path: Path) -> bool:
    """A file or a folder of parts, and no link."""
    return not path.is_symlink() and (path.is_file() or (path.is_dir() and is_parts_folder(path.name)))


def _holds_landing_files(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and any(is_landing_file(inner) for inner in path.iterdir())


def _seeming_entity(name: str) -> str | None:
    """By the last word of a name that resembles one of the known ones: `student_lessons` are sessions."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    for word in reversed(re.findall(r"[a-z]+", spaced.lower())):
        if close := difflib.get_close_matches(word, _ENTITY_OF_WORD, n=1, cutoff=0.85):
            return _ENTITY_OF_WORD[close[0]]
    return None
