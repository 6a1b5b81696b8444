"""The lock of a task: others see that its worker lives, whatever happens to connections."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import psycopg

from core import locks
from core.database import Database
from core.settings import PROJECT_ROOT
from orchestration.task_locks import held, is_held

PATIENCE_SECONDS = 60
LOCK = "select pg_advisory_lock(%s, hashtext('task'))"
HOLDERS = "from pg_locks where locktype = 'advisory' and classid = %s and objid = hashtext('task')::bigint::oid"
WAITING = f"select {HOLDERS} and not granted"
HOLDER = f"select pid {HOLDERS} and granted and pid <> pg_backend_pid()"


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline


def holder(connection: psycopg.Connection) -> int | None:
    row = connection.execute(HOLDER.encode(), [locks.WORKER_TASK]).fetchone()
    return row[0] if row else None


def test_it_is_held_while_the_task_is_done(database: Database) -> None:
    assert not is_held(database.url, "task")
    with held(database.url, "task"):
        assert is_held(database.url, "task")
        assert not is_held(database.url, "another")
    wait_until(lambda: not is_held(database.url, "task"))


def test_who_cannot_ask_takes_nobody_for_dead() -> None:
    assert is_held("postgresql://nobody@127.0.0.1:1/none", "task")


def test_it_is_taken_again_after_the_connection_broke_off(database: Database) -> None:
    with held(database.url, "task"), database.connect(autocommit=True) as other:
        first = holder(other)
        assert first is not None
        other.execute("select pg_terminate_backend(%s)", [first])
        wait_until(lambda: holder(other) not in (first, None))


def test_a_worker_ends_when_another_has_taken_over(database: Database) -> None:
    code = (
        "import sys, threading; from orchestration import task_locks; task_locks.PATIENCE = '100ms'\n"
        "with task_locks.held(sys.argv[1], 'task'): threading.Event().wait()"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, database.url], cwd=PROJECT_ROOT, stderr=subprocess.PIPE)
    try:
        with database.connect(autocommit=True) as other, database.connect(autocommit=True) as looking:
            wait_until(lambda: worker.poll() is not None or holder(looking) is not None)
            first = holder(looking)
            # Waits for it before the worker does, so it is the next.
            waiting = threading.Thread(target=lambda: other.execute(LOCK, [locks.WORKER_TASK]))
            waiting.start()
            wait_until(lambda: looking.execute(WAITING.encode(), [locks.WORKER_TASK]).fetchone() is not None)
            looking.execute("select pg_terminate_backend(%s)", [first])
            waiting.join()
            _, said = worker.communicate(timeout=PATIENCE_SECONDS)
    finally:
        worker.kill()
    assert worker.returncode == 1
    assert b"another worker has taken over task task" in said
