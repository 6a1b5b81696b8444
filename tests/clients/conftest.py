"""The API for clients in other languages: a platform of its own, so that they may write."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core import keys
from core.roles import Role
from core.settings import PROJECT_ROOT
from tests.api.conftest import Served, served
from tests.conftest import PUBLISHED, Postgres

NODE_MODULES = PROJECT_ROOT / "dashboards" / "node_modules"


@dataclass(frozen=True)
class Platform:
    """A running API on published marts, and keys for it."""

    served: Served
    read_key: str
    ingest_key: str

    @property
    def url(self) -> str:
        return self.served.base_url


@pytest.fixture(scope="session")
def platform(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    home = tmp_path_factory.mktemp("clients")
    database = postgres.new_database(home, PUBLISHED)
    database.ensure_databases()
    with database.connect() as connection:
        secrets = [keys.create(connection, f"client {role}", role).secret for role in (Role.READ, Role.INGEST)]
    with served(database, home, daemon_silent_seconds=86_400, ingest_rate_per_second=1_000_000) as running:
        yield Platform(running, *map(str, secrets))


@pytest.fixture(scope="session")
def python_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `tutorq_client` is installed, as pip does it, from a copy: building leaves files behind."""
    folder = tmp_path_factory.mktemp("python-client")
    package, site = folder / "clients" / "python", folder / "site"
    left_out = shutil.ignore_patterns("generated", "build", "dist", "*.egg-info")
    shutil.copytree(PROJECT_ROOT / "clients" / "python", package, ignore=left_out)
    (folder / "api").mkdir()
    shutil.copy(PROJECT_ROOT / "api" / "openapi.json", folder / "api")
    install = ("pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--offline", "--target", str(site))
    done = subprocess.run(
        [sys.executable, "-m", "uv", *install, "--python", sys.executable, str(package)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return site
