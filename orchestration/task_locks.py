"""A lock in Dagster's database for each task that a worker does: Postgres frees it within moments of the worker's
death, and by that others see it."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from core import locks
from core.database import free_locks_of_vanished_hosts

# Sooner than a task whose lock is free counts as lost (celery_tasks.LOOKS_BEFORE_LOST).
LOOK_EVERY_SECONDS = 1.0
# After a broken connection the server may hold the lock for the old one, no longer than half a minute.
PATIENCE = "60s"


@contextmanager
def held(url: str, task_id: str) -> Iterator[None]:
    """Hold the lock of a task. Where the connection breaks off, it is taken again; the process ends if somebody else
    has it by then, who does the task instead."""
    connection = _connect(url)
    connection.execute("select pg_advisory_lock(%s, hashtext(%s))", [locks.WORKER_TASK, task_id])
    is_done = threading.Event()
    threading.Thread(target=_keep, args=(connection, url, task_id, is_done), daemon=True).start()
    try:
        yield
    finally:
        is_done.set()


def is_held(url: str, task_id: str) -> bool:
    """Whether a worker holds the lock. Who cannot ask knows of no death, so then it counts as held."""
    try:
        with psycopg.connect(url, application_name="tutorq worker") as connection:
            row = connection.execute(
                "select pg_try_advisory_xact_lock_shared(%s, hashtext(%s))", [locks.WORKER_TASK, task_id]
            ).fetchone()
    except psycopg.OperationalError:
        return True
    return row == (False,)


def _connect(url: str) -> psycopg.Connection:
    connection = psycopg.connect(url, autocommit=True, application_name="tutorq worker")
    free_locks_of_vanished_hosts(connection)
    connection.execute("set idle_session_timeout = 0")
    return connection


def _keep(connection: psycopg.Connection, url: str, task_id: str, is_done: threading.Event) -> None:
    while not is_done.wait(LOOK_EVERY_SECONDS):
        try:
            connection.execute("select 1")
        except psycopg.OperationalError:
            connection.close()
            try:
                connection = _locked_again(url, task_id)
            except psycopg.errors.LockNotAvailable:
                if is_done.is_set():
                    return
                print(f"error: another worker has taken over task {task_id}", file=sys.stderr, flush=True)
                os._exit(1)
            except psycopg.OperationalError:
                continue  # the server comes back
    connection.close()


def _locked_again(url: str, task_id: str) -> psycopg.Connection:
    """Waits, as those who look hold it for an instant. Raises LockNotAvailable."""
    connection = _connect(url)
    connection.execute("select set_config('lock_timeout', %s, false)", [PATIENCE])
    connection.execute("select pg_advisory_lock(%s, hashtext(%s))", [locks.WORKER_TASK, task_id])
    return connection
