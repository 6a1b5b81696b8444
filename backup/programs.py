"""pg_dump, pg_restore and psql: which ones to use, and one line about what went wrong with them."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.embedded import PROGRAMS
from core.errors import TutorqError

DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Programs:
    """The client programs of one Postgres."""

    folder: Path
    version: int

    @property
    def dump(self) -> str:
        return str(self.folder / "pg_dump")

    @property
    def restore(self) -> str:
        return str(self.folder / "pg_restore")

    @property
    def psql(self) -> str:
        return str(self.folder / "psql")


def find_programs(version: int, *, tls: bool) -> Programs:
    """Programs of at least this major version: those on the PATH, Debian's, or the embedded server's (without TLS).

    Raises:
        TutorqError: there are none; pg_dump refuses a server that is newer than itself.
    """
    found = []
    for folder in _folders():
        if (programs := _programs(folder)) is None:
            continue
        if programs.version >= version and not (tls and folder == PROGRAMS):
            return programs
        found.append(f"{folder} has {programs.version}{' without TLS' if folder == PROGRAMS else ''}")
    raise TutorqError(
        f"this needs pg_dump, pg_restore and psql of Postgres {version} or newer{' with TLS' if tls else ''}; "
        f"{', '.join(found) or 'none are on the PATH'}; install them (on Debian: postgresql-client-{version})"
    )


def first_error(stderr: IO[bytes]) -> str:
    """What a program complained about first, without the place in its input and without rows of the data."""
    stderr.seek(0)
    lines = [line.strip() for line in stderr.read().decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\b(error|fatal|FATAL|ERROR):", line)] or lines
    first = errors[0] if errors else "it does not say why"
    return re.sub(r"^(psql|pg_dump|pg_restore):(.*?:\d+:)?\s*((error|query failed|ERROR|FATAL):\s*)*", "", first)


def _folders() -> list[Path]:
    on_path = shutil.which("pg_dump")
    versions = [folder for folder in DEBIAN.glob("*/bin") if folder.parent.name.isdigit()]
    newest_first = sorted(versions, key=lambda folder: -int(folder.parent.name))
    return [*([Path(on_path).parent] if on_path else []), *newest_first, PROGRAMS]


def _programs(folder: Path) -> Programs | None:
    if any(shutil.which(str(folder / name)) is None for name in ("pg_dump", "pg_restore", "psql")):
        return None
    answer = subprocess.run([str(folder / "pg_dump"), "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"\s(\d+)", answer)
    return Programs(folder, int(match[1])) if match else None
