"""Which code a process runs: workers and the code location must agree on what a step is."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from core.dbt_runner import models_version

PACKAGES = ("connectors", "core", "ingest", "ml", "orchestration", "persons", "reports", "what_if")


@cache
def code_version() -> str:
    """tutorq's version, and a checksum of all that runs are made of as it was when this process first asked."""
    digest = hashlib.sha256(models_version().encode())
    root = Path(__file__).resolve().parents[1]
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return f"{version('tutorq')}+{digest.hexdigest()[:12]}"
