"""Files that are done with move to `processed` or `failed`, each with a report beside it."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ingest import inside
from ingest.arrivals import FAILED, PROCESSED
from ingest.files import is_noise, name_says, parts_folder_above

Outcome = Literal["loaded", "already_loaded", "failed"]

REPORT_SUFFIX = ".report.json"


@dataclass(frozen=True)
class LoadReport:
    """What became of the rows of a file as one kind; `load_id` is its row in `raw.loads`."""

    entity: str
    load_id: int
    loaded_at: str
    rows: dict[str, int]
    unknown_columns: list[str]
    notes: list[dict[str, Any]]
    unknown_people: list[dict[str, Any]]
    first_quarantined: list[dict[str, Any]]
    remarks: int
    first_remarks: list[dict[str, Any]]

    @property
    def is_lost(self) -> bool:
        """It has rows, and all of them are in quarantine."""
        return 0 < self.rows["read"] == self.rows["quarantined"]


@dataclass(frozen=True)
class FileReport:
    """What became of a file of the landing directory, as it stands in the report beside it.

    `file` is its path when it came. It has a section in `loads` for each kind as which it was loaded.
    """

    file: str
    outcome: Outcome
    message: str
    entity: str
    bytes: int
    sha256: str | None
    loads: list[LoadReport] = field(default_factory=list)


def destination(landing: Path, source: str, outcome: Outcome, now: datetime) -> Path:
    """Where the file goes: its path within a folder of the day, or of the second if the day has one of that name.

    The folders are made. Nothing that lies there is ever overwritten.

    Raises:
        OSError: the folders cannot be made.
    """
    area = FAILED if outcome == "failed" else PROCESSED
    with inside.folder(landing, [area], make=True):
        pass
    for day in _folders(now.astimezone(UTC)):
        parts = (area, day, *PurePosixPath(source).parts)
        with suppress(NotADirectoryError):  # a file of that name lies where a folder is wanted
            with inside.folder(landing, parts[:-1], make=True):
                pass
            if not inside.exists(landing, parts):
                return landing.joinpath(*parts)
    raise AssertionError("unreachable")


def move(landing: Path, path: Path, target: Path, report: FileReport) -> None:
    """Write the report, and move the file; folders that are empty then are removed.

    The report comes first: whoever is killed in between leaves a file that is still to be moved, and none without.

    Raises:
        OSError: it cannot be moved, and lies where it was.
    """
    parts, target_parts = path.relative_to(landing).parts, target.relative_to(landing).parts
    beside, part = _report_names(target)
    moved_to = "/".join(target_parts)
    content = {**asdict(report), "moved_to": moved_to, "moved_at": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        with inside.folder(landing, parts[:-1]) as origin, inside.folder(landing, target_parts[:-1]) as aim:
            inside.write_text(aim, part, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
            inside.replace(aim, part, beside)
            inside.rename(origin, path.name, aim, target.name)
    except OSError:
        withdraw_report(landing, target)
        raise
    inside.remove_empty(landing, parts[:-1])


def withdraw_report(landing: Path, target: Path) -> None:
    """Remove the report of a file that did not come, whole or in part, and folders that are empty then."""
    parts = target.relative_to(landing).parts
    with suppress(OSError):
        if inside.exists(landing, parts):
            return
        with inside.folder(landing, parts[:-1]) as folder:
            for name in _report_names(target):
                with suppress(OSError):
                    inside.unlink(folder, name)
    inside.remove_empty(landing, parts[:-1])


def failures(landing: Path, entity: str) -> list[str]:
    """Files of an entity that lie in `failed`, each with what its report says; sorted by path.

    The report tells the entity: a file that only a mapping names has another name. Without one, the name does.
    """
    found = []
    for path in (landing / FAILED).rglob("*"):
        if is_noise(path.name) or not _is_one_file(path.relative_to(landing / FAILED), path):
            continue
        report = _report_beside(landing, path)
        if report.get("entity", name_says(path)) == entity:
            message = report.get("message", "there is no report beside it")
            found.append(f"{path.relative_to(landing).as_posix()}: {message}")
    return sorted(found)


def _is_one_file(below: Path, path: Path) -> bool:
    """A file that is no part of another one, or a folder of parts."""
    folder = parts_folder_above(below if path.is_dir() else below.parent)
    return not path.is_symlink() and (folder == below if path.is_dir() else folder is None and path.is_file())


def _report_beside(landing: Path, path: Path) -> dict[str, Any]:
    """The report of a file; empty if there is none that can be read."""
    report = path.with_name(_report_names(path)[0]).relative_to(landing).as_posix()
    try:
        content = json.loads(inside.read_text(landing, report))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _report_names(target: Path) -> tuple[str, str]:
    """Of the report beside a file, and what it is called while it is written."""
    beside = f"{target.name}{REPORT_SUFFIX}"
    return beside, f".{beside}.part"


def _folders(now: datetime) -> Iterator[str]:
    yield f"{now:%Y-%m-%d}"
    yield f"{now:%Y-%m-%dT%H%M%SZ}"
    for number in count(2):
        yield f"{now:%Y-%m-%dT%H%M%SZ}-{number}"
