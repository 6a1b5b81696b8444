"""What a failed test of whole installations leaves behind: logs and state, in a folder that outlives pytest's own.

A fixture that makes an installation calls `keep_if_a_test_fails(home)`; tests/conftest.py loads this file as a plugin.
The output of a failed test then names the folder, /tmp/tutorq-test-failures/….
"""

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from core.database import Database
from core.settings import Settings

FOLDER = Path(tempfile.gettempdir()) / "tutorq-test-failures"
# Large, or of no use to a reader.
LEFT_OUT = shutil.ignore_patterns(
    "postgres", "compiled", "run", "*.msgpack", "manifest.json", "models", "filler", ".s.*"
)

STATE = {
    "tutorq": {
        "pg_stat_activity": "select pid, application_name, backend_type, state, wait_event_type, wait_event, "
        "now() - xact_start as in_transaction_for, pg_blocking_pids(pid) as blocked_by, left(query, 300) as query "
        "from pg_stat_activity where datname is not null",
        "raw.changes": "select entity, count(*), min(changed_at) from raw.changes group by entity",
        "raw.loads": "select * from raw.loads order by load_id desc limit 20",
        "intermediate.unpublished": "select * from intermediate.unpublished",
        "intermediate.touched": "select (select count(*) from intermediate.touched_tutor_days) as tutor_days, "
        "(select count(*) from intermediate.touched_pairs) as pairs",
        "marts.publication": "select * from marts.publication",
    },
    "dagster": {
        "runs": "select run_id, pipeline_name, status, create_timestamp, update_timestamp, run_body::json -> 'tags' "
        "from runs order by id desc limit 30",
        "ticks": "select status, type, timestamp, left(tick_body, 400) from job_ticks order by id desc limit 40",
        "slots": "select * from concurrency_slots",
        "last events": "select timestamp, run_id, dagster_event_type, step_key, "
        "left(event::json ->> 'user_message', 300) from event_logs order by id desc limit 60",
        "heartbeats": "select * from daemon_heartbeats",
    },
}

_homes: list[Path] = []


def keep_if_a_test_fails(home: Path) -> None:
    """Look after this TUTORQ_HOME from now on."""
    _homes.append(home)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    homes = [home for home in _homes if home.exists()]
    if report.failed and homes:
        name = re.sub(r"[^\w.-]+", "_", item.nodeid.removeprefix("tests/"))
        folder = FOLDER / f"{time.strftime('%m%d-%H%M%S')}-{name}-{report.when}"
        for home in homes:
            with suppress(OSError, shutil.Error):
                _keep(home, folder / home.name)
        report.sections.append(("logs and state", f"kept in {folder}"))
    return report


def _keep(home: Path, folder: Path) -> None:
    """Copies of all logs, and what can be asked of the database and of the processes."""
    shutil.copytree(home, folder, ignore=LEFT_OUT, dirs_exist_ok=True, ignore_dangling_symlinks=True)
    for log in (home / "postgres").glob("log*"):
        shutil.copy(log, folder / f"postgres.{log.name}")
    (folder / "files.txt").write_text(
        "\n".join(
            f"{path.stat().st_mtime:.1f} {path.stat().st_size:>10} {path.relative_to(home)}"
            for path in sorted((home / "landing").rglob("*"))
            if path.exists()
        )
    )
    (folder / "processes.txt").write_text("\n".join(_processes(home)))
    (folder / "state.txt").write_text("\n".join(_state(home)))


def _processes(home: Path) -> Iterator[str]:
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            command = " ".join(process.cmdline())
            if process.environ().get("TUTORQ_HOME") == str(home) or str(home) in command:
                started = time.strftime("%H:%M:%S", time.localtime(process.create_time()))
                yield f"{process.pid} {process.ppid()} {process.status()} since {started}: {command}"


def _state(home: Path) -> Iterator[str]:
    database = Database(Settings(home=home))
    if not database.embedded.is_running:
        yield "the embedded Postgres does not run"
        return
    try:
        urls = {"tutorq": database.url, "dagster": database.dagster_url}
        for name, queries in STATE.items():
            yield from _answers(urls[name], queries)
    finally:
        database.release()


def _answers(url: str, queries: dict[str, str]) -> Iterator[str]:
    for name, query in queries.items():
        yield f"\n== {name}"
        try:
            with psycopg.connect(url, connect_timeout=5) as connection:
                cursor = connection.execute(query.encode())
                yield " | ".join(column.name for column in cursor.description or [])
                for row in cursor:
                    yield " | ".join(str(value) for value in row)
        except psycopg.Error as error:
            yield f"{error!r}"
