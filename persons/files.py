"""Files of an installation that can name a person: landing files, reports on them, mail that was put into a folder.

Everything below the home is looked through but what `NOBODY` names, and what still waits in the landing directory: its
rows are refused when it is loaded.
"""

import email
import email.policy
import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Final

from core.erased import ErasedIds
from core.errors import TutorqError
from core.settings import Settings
from ingest.arrivals import FAILED, PROCESSED
from ingest.erased_rows import drop_erased
from ingest.files import is_noise, parts_folder_above
from ingest.filing import REPORT_SUFFIX
from persons.identity import Identity

# Below the home: keys, models, and the server's own files, which hold what its tables do.
NOBODY: Final = ("postgres", "models", "api-key", "secrets-key", "erasure-key")
# Written to by others meanwhile; they hold nobody, so who is found there is only told.
LOGS: Final = "logs"
# Of files that people write in the home: a word less, and no service reads them. Who is found there is only told.
SETTINGS_SUFFIXES: Final = (".yml", ".yaml", ".toml", ".env")


def erase_files(settings: Settings, identity: Identity, erased: ErasedIds, hashes: frozenset[bytes]) -> dict[str, int]:
    """Take the person out of all files, and say how many were changed or removed, by folder. The hashes are those of
    everybody who was erased. Again changes nothing."""
    counts: Counter[str] = Counter()
    for area in (PROCESSED, FAILED):
        for source in _landing_files(settings.landing, area):
            try:
                became = drop_erased(settings.landing, source, erased, hashes, settings.timezone)
            except (TutorqError, OSError):
                # Nobody can tell its rows apart.
                became = "removed" if _remove_if_named(settings.landing / source, identity) else "kept"
            path = settings.landing / source
            if became != "removed" and path.suffix.lower() in (".csv", ".tsv", ".gz") and _redact(path, identity):
                became = "rewritten"
            if became != "kept":
                counts[f"{area}: files {became}"] += 1
    for path in _texts(settings):
        if path.parent == settings.home and path.name.endswith(SETTINGS_SUFFIXES):
            continue
        if redacted := _redact(path, identity):
            area = "landing" if settings.landing in path.parents else path.relative_to(settings.home).parts[0]
            counts[f"{area}: files {redacted}"] += 1
    return dict(counts)


def files_naming(settings: Settings, identity: Identity) -> list[Path]:
    """Files that still name the person, sorted."""
    landed = (path for area in (PROCESSED, FAILED) for path in (settings.landing / area).rglob("*") if path.is_file())
    return sorted(path for path in {*landed, *_texts(settings)} if _names(path, identity))


def _landing_files(landing: Path, area: str) -> Iterator[str]:
    seen: set[PurePath] = set()
    for path in sorted((landing / area).rglob("*")):
        below = path.relative_to(landing)
        if path.is_symlink() or not path.is_file() or is_noise(path.name):
            continue
        unit = parts_folder_above(below.parent) or below
        if unit not in seen:
            seen.add(unit)
            yield unit.as_posix()


def _all_files(root: Path, home: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        if Path(folder) == home:
            folders[:] = [name for name in folders if name not in NOBODY]
            names[:] = [name for name in names if not name.startswith(NOBODY)]
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink() and path.is_file():
                yield path


def _texts(settings: Settings) -> Iterator[Path]:
    """Files of text; landing files are not among them, but for the reports beside them."""
    for path in _all_files(settings.home, settings.home):
        if settings.landing not in path.parents:
            yield path
    if settings.landing.is_dir():
        yield from settings.landing.rglob(f"*{REPORT_SUFFIX}")


def _redact(path: Path, identity: Identity) -> str | None:
    """What became of the file, if it named them."""
    if not _names(path, identity) or LOGS in path.parts:
        return None
    if path.suffix == ".eml":
        path.unlink()
        return "removed"
    with suppress(UnicodeDecodeError):
        is_gzip = path.suffix == ".gz"
        data = path.read_bytes()
        text = (gzip.decompress(data) if is_gzip else data).decode()
        if path.suffix == ".json":
            with suppress(ValueError):
                text = json.dumps(identity.redacted_json(json.loads(text)), indent=2, ensure_ascii=False) + "\n"
        part = path.with_name(f".{path.name}.part")
        data = identity.redacted(text).encode()
        part.write_bytes(gzip.compress(data) if is_gzip else data)
        part.chmod(path.stat().st_mode & 0o777)
        part.replace(path)
        return "rewritten"
    return None


def _remove_if_named(path: Path, identity: Identity) -> bool:
    if not path.is_file() or not _names(path, identity):
        return False
    path.unlink()
    return True


def _names(path: Path, identity: Identity) -> bool:
    with suppress(OSError, EOFError):
        if path.suffix == ".eml":
            return identity.names_in(_mail_text(path))
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", errors="replace") as file:
            return any(identity.names_in(line) for line in file)
    return False


def _mail_text(path: Path) -> str:
    """Headers and all bodies of a message, decoded."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    parts = [f"{name}: {value}" for name, value in message.items()]
    parts += [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return "\n".join(parts)
