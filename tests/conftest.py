"""One embedded Postgres for the whole gate, and a database of its own for every test that asks.

The workers of pytest-xdist share a folder (`gate_folder`). What takes long to make lies there, or on the server, and is
made once: by the first worker that needs it, while the others wait (`made_once`).
"""

import fcntl
import gc
import getpass
import itertools
import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import hypothesis
import psycopg
import pytest
from _pytest.pathlib import LOCK_TIMEOUT, make_numbered_dir_with_cleanup

from core.database import Database
from core.settings import Settings

pytest_plugins = ["tests.failures"]

# Tests say themselves what is set, but for the browser, which is no setting of ours.
for name in [name for name in os.environ if name.startswith("TUTORQ_") and name != "TUTORQ_CHROMIUM"]:
    del os.environ[name]

# An example may take as long as a busy machine needs; Hypothesis would give it 200 ms. CI has a profile of its own.
hypothesis.settings.register_profile("patient", hypothesis.settings(deadline=None))
if hypothesis.settings.get_current_profile_name() != "ci":
    hypothesis.settings.load_profile("patient")

MIGRATED, MADE, PUBLISHED = "migrated", "made", "published"
# Longest first, so that workers end with something short. Files of one row go to one worker, in this order: those of
# the first row share one `tutorq up`, those of the row of dbt/test_roles.py make roles, which belong to the server.
LONGEST_FIRST = (
    ("tests/e2e/test_start.py", "tests/e2e/test_dashboard.py", "tests/e2e/test_up.py"),
    ("tests/api/test_schemathesis.py",),
    (
        "tests/dbt/test_roles.py", "tests/core/test_roles.py", "tests/core/test_servers.py",
        "tests/verify/test_verify.py", "tests/api/test_pooler.py",
    ),
    ("tests/dbt/test_live.py",),
    ("tests/dbt/test_concerns.py",),
    ("tests/e2e/test_ledger.py",),
    ("tests/orchestration/test_predictions.py",),
    ("tests/dbt/test_build.py",),
    ("tests/dbt/test_events.py",),
    ("tests/dbt/test_made_before.py",),
    ("tests/dbt/test_score_reference.py",),
    ("tests/orchestration/test_automation.py",),
    ("tests/orchestration/test_graph.py",),
    ("tests/orchestration/test_top_pairs.py",),
    ("tests/dbt/test_incremental.py",),
    ("tests/cli/test_app.py",),
    ("tests/api/test_main.py",),
    ("tests/api/test_oidc.py",),
    ("tests/backup/test_refusals.py",),
    ("tests/persons/test_erase.py",),
    ("tests/dbt/test_histories.py",),
    ("tests/cli/test_secrets.py",),
    ("tests/orchestration/test_spread.py",),
    ("tests/dbt/test_clearing.py",),
    ("tests/orchestration/test_alert_over_http.py",),
    ("tests/orchestration/test_crashes.py",),
    ("tests/verify/test_other_settings.py",),
)  # fmt: skip
ROWS = {name: f"row {row:02}" for row, names in enumerate(LONGEST_FIRST) for name in names}
PLACES = {name: place for place, name in enumerate(name for names in LONGEST_FIRST for name in names)}
# Nothing on this server has to outlive the tests. Autovacuum would look at hundreds of databases, one after the other.
SERVER_SETTINGS = ("fsync = off", "full_page_writes = off", "synchronous_commit = off", "autovacuum = off")


def pytest_configure(config: pytest.Config) -> None:
    """Give every gate a temporary folder of its own, of which three are kept.

    pytest puts those of one user into one folder, which it closes to all others at each start. Where root starts the
    embedded server, it runs as another user: the second gate would take the first one's server its files.
    """
    if config.option.basetemp is None:
        folder = make_numbered_dir_with_cleanup(
            root=Path(os.environ.get("PYTEST_DEBUG_TEMPROOT") or tempfile.gettempdir()).resolve(),
            prefix=f"tutorq-tests-{getpass.getuser()}-",
            mode=0o711,
            keep=3,
            lock_timeout=LOCK_TIMEOUT,
            # The lock ends with this gate. Old files are removed while tests run: at the end, that took 5 s.
            register=lambda clean, *old: (
                Thread(target=_removed, args=(clean, *old)).start() if old else config.add_cleanup(clean)
            ),
        )
        config.option.basetemp = str(folder / "gate")


def _removed(clean: Callable[..., None], *arguments: object) -> None:
    """What another gate removes at the same time is gone as well."""
    with suppress(OSError):
        clean(*arguments)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--again", type=int, default=1, help="run each test so often in a row, on the same installation")


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if (times := metafunc.config.option.again) > 1:
        metafunc.fixturenames.append("again")
        metafunc.parametrize("again", range(1, times + 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: PLACES.get(_file(item.nodeid), len(PLACES)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for garbage not at all meanwhile, later less often, and never at what is imported by now.

    It took two fifths of the collection, and a fifth of the time with dbt.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 10, 10)
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give out whole files, or rows of LONGEST_FIRST, in the order of that list."""
    from xdist.scheduler import LoadFileScheduling

    class LongestFirst(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return ROWS.get(_file(nodeid), _file(nodeid))

    config.option.loadscopereorder = False  # the most tests are not the longest
    return LongestFirst(config, log)


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


@pytest.fixture(scope="session")
def gate_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all workers of this gate see."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def made_once(gate_folder: Path, name: str, make: Callable[[], object]) -> None:
    """Call `make` unless a worker of this gate has done so; the others wait meanwhile."""
    with (gate_folder / f"{name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = gate_folder / f"{name}.done"
        if not done.exists():
            make()
            done.touch()


@dataclass
class Postgres:
    """The gate's server, as its superuser."""

    server: Database
    gate_folder: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_database(self, home: Path, template: str = MIGRATED) -> Database:
        """A copy of the template, with `home` for files.

        MIGRATED has no rows and no marts. MADE has marts without rows: what runs after the first one find, in a third
        of its time. PUBLISHED has the marts of tests/marketplace.sql, as dbt builds them.
        """
        if template in (MADE, PUBLISHED):
            self.make_template(template, {MADE: self._made, PUBLISHED: self._published}[template])
        name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{next(self._numbers)}"
        with self.server.connect(autocommit=True) as connection:
            connection.execute(f"create database {name} template {template}".encode())
        return self.database(name, home)

    def drop(self, database: Database) -> None:
        """End all who are connected, and remove it: hundreds of copies would fill the disk."""
        with self.server.connect(autocommit=True) as connection:
            connection.execute(f"drop database {self._name(database)} with (force)".encode())

    def database(self, name: str, home: Path) -> Database:
        return Database(
            Settings(home=home, database_url=self.url(name), dagster_database_url=self.url(f"{name}_dagster"))
        )

    def make_template(self, name: str, make: Callable[[], Database]) -> None:
        """Keep the database that `make` returns under this name, unless this gate has it; nobody may be connected."""

        def keep() -> None:
            made = self._name(make())
            with self.server.connect(autocommit=True) as connection:
                connection.execute(f"alter database {made} rename to {name}".encode())

        made_once(self.gate_folder, name, keep)

    def _made(self) -> Database:
        from core.dbt_runner import build

        database = self.new_database(self.gate_folder)
        home = self.gate_folder / "made"
        build(Settings(home=home, database_url=database.url), database, exclude=["resource_type:test"])
        return database

    def _published(self) -> Database:
        from tests.marts import MARKETPLACE, publish

        database = self.new_database(self.gate_folder)
        with database.connect() as connection:
            connection.execute(MARKETPLACE.read_bytes())
        publish(database, self.gate_folder / "published")
        return database

    @staticmethod
    def _name(database: Database) -> str:
        return database.url.partition("?")[0].rpartition("/")[2]

    def url(self, name: str) -> str:
        return self.server.url.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def postgres(gate_folder: Path) -> Iterator[Postgres]:
    embedded = Database(Settings(home=gate_folder / "server"))
    server = Database(Settings(database_url=embedded.url.replace("/tutorq?", "/postgres?")))
    postgres = Postgres(server, gate_folder)

    def set_up() -> None:
        with server.connect(autocommit=True) as connection:
            for setting in SERVER_SETTINGS:
                connection.execute(f"alter system set {setting}".encode())
            connection.execute("select pg_reload_conf()")

    def migrated() -> Database:
        from core.migrate import migrate

        database = postgres.database("new", gate_folder)
        migrate(database)
        return database

    made_once(gate_folder, "server", set_up)
    postgres.make_template(MIGRATED, migrated)
    yield postgres
    embedded.release()


def forget_audit(connection: psycopg.Connection) -> None:
    """Empty the audit log, which only a superuser can who turns triggers off."""
    connection.execute("set local session_replication_role = replica")
    connection.execute("delete from app.audit_log")
    connection.execute("set local session_replication_role = origin")


@pytest.fixture
def database(request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path) -> Database:
    """A copy of the template that the mark of the test names, or of MIGRATED."""
    mark = request.node.get_closest_marker("template")
    return postgres.new_database(tmp_path, *(mark.args if mark else ()))


@pytest.fixture
def environment(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """The settings of `database` as environment variables, for code that reads them itself."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUTORQ_HOME", str(tmp_path))
    monkeypatch.setenv("TUTORQ_DATABASE_URL", database.login_url)
    monkeypatch.setenv("TUTORQ_DAGSTER_DATABASE_URL", database.dagster_url)
    return Settings()
