"""Files that are done with move to `processed` or `failed`, each with a report beside it."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Literal

from ingest.arrivals import FAILED, PROCESSED
from ingest.files import is_landing_file

Outcome = Literal["loaded", "already_loaded", "failed"]

REPORT_SUFFIX = ".report.json"


@dataclass(frozen=True)
class FileReport:
    """What became of a file of the landing directory, as it stands in the report beside it.

    `file` is its path when it came. What a load tells is absent if nothing was loaded.
    """

    file: str
    outcome: Outcome
    message: str
    entity: str
    bytes: int
    sha256: str | None
    load_id: int | None = None
    loaded_at: str | None = None
    rows: dict[str, int] = field(default_factory=dict)
    unknown_columns: list[str] = field(default_factory=list)
    first_quarantined: list[dict[str, Any]] = field(default_factory=list)


def destination(landing: Path, source: str, outcome: Outcome, now: datetime) -> Path:
    """Where the file goes: its path within a folder of the day, or of the second if the day has one of that name.

    The folders are made. Nothing that lies there is ever overwritten.

    Raises:
        OSError: the folders cannot be made.
    """
    area = landing / (FAILED if outcome == "failed" else PROCESSED)
    area.mkdir(exist_ok=True)
    for folder in _folders(now.astimezone(UTC)):
        target = area / folder / source
        with suppress(FileExistsError, NotADirectoryError):  # a file of that name lies where a folder is wanted
            target.parent.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(target):
                return target
    raise AssertionError("unreachable")


def move(landing: Path, path: Path, target: Path, report: FileReport) -> None:
    """Write the report, and move the file; folders that are empty then are removed.

    The report comes first: whoever is killed in between leaves a file that is still to be moved, and none without.

    Raises:
        OSError: it cannot be moved, and lies where it was.
    """
    moved_to = target.relative_to(landing).as_posix()
    beside, part = _report_paths(target)
    content = {**asdict(report), "moved_to": moved_to, "moved_at": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(beside)
        path.rename(target)
    except OSError:
        withdraw_report(landing, target)
        raise
    _remove_empty(path.parent, landing)


def withdraw_report(landing: Path, target: Path) -> None:
    """Remove the report of a file that did not come, whole or in part, and folders that are empty then."""
    if os.path.lexists(target):
        return
    for path in _report_paths(target):
        with suppress(OSError):
            path.unlink()
    _remove_empty(target.parent, landing)


def failures(landing: Path, entity: str) -> list[str]:
    """Files of an entity that lie in `failed`, each with what its report says; sorted by path."""
    return sorted(
        f"{path.relative_to(landing).as_posix()}: {_message(path)}"
        for path in (landing / FAILED).rglob("*")
        if is_landing_file(path, entity) and path.is_file()
    )


def _message(path: Path) -> str:
    try:
        return str(json.loads(_report_paths(path)[0].read_text(encoding="utf-8"))["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return "there is no report beside it"


def _report_paths(target: Path) -> tuple[Path, Path]:
    """The report beside a file, and what it is called while it is written."""
    beside = target.with_name(target.name + REPORT_SUFFIX)
    return beside, beside.with_name(f".{beside.name}.part")


def _folders(now: datetime) -> Iterator[str]:
    yield f"{now:%Y-%m-%d}"
    yield f"{now:%Y-%m-%dT%H%M%SZ}"
    for number in count(2):
        yield f"{now:%Y-%m-%dT%H%M%SZ}-{number}"


def _remove_empty(folder: Path, landing: Path) -> None:
    with suppress(OSError):  # it is not empty, or not ours
        while folder != landing:
            folder.rmdir()
            folder = folder.parent
