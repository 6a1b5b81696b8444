"""`app.what_ifs`: questions that the API notes, and a run of Dagster answers, one at a time."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import psycopg

from core.database import Database
from core.errors import TutorqError
from core.scoring_settings import allowed
from core.settings import Settings
from what_if import what_if

TELL_SECONDS: Final = 1.0

WAITING = "select what_if_id, state, asked_at from app.what_ifs where state in ('queued', 'running')"
TAKE = """
update app.what_ifs set state = 'running', touched_at = now()
where state = 'queued'
returning what_if_id, settings, weeks
"""
TELL = (
    "update app.what_ifs set progress = %s, step = %s, touched_at = now() where what_if_id = %s and state = 'running'"
)
DONE = """
update app.what_ifs set state = 'done', result = %s, progress = 1, step = '', touched_at = now()
where what_if_id = %s and state = 'running'
"""
FAILED = """
update app.what_ifs set state = 'failed', error = %s, touched_at = now() where what_if_id = %s and state = 'running'
"""
GIVE_UP = """
update app.what_ifs set state = 'failed', error = 'the run that was to answer it ended; ask again', touched_at = now()
where what_if_id = %s and state in ('queued', 'running')
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row without an answer yet. `state` is `queued` or `running`."""

    what_if_id: UUID
    state: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """A row that is being answered."""

    what_if_id: UUID
    changes: Mapping[str, Any]
    weeks: int


def waiting(database: Database) -> Waiting | None:
    """The question that has no answer yet; None without one."""
    with database.connect() as connection:
        row = connection.execute(WAITING).fetchone()
    return Waiting(*row) if row else None


def give_up(database: Database, question: Waiting) -> None:
    """Nobody answers this question: the run that was to do so is gone."""
    with database.connect() as connection:
        connection.execute(GIVE_UP, [question.what_if_id])


def answer(settings: Settings, database: Database) -> Question | None:
    """Answer the question that waits, and return it; None without one.

    A question that cannot be answered fails with the reason; an error that nobody expected is raised as well.
    """
    with database.connect(autocommit=True) as connection:
        row = connection.execute(TAKE).fetchone()
        if row is None:
            return None
        question = Question(*row)
        with _failing(connection, question):
            tell = _Teller(connection, question)
            if (changes := allowed(question.changes)) != question.changes:
                raise TutorqError("this version does not know these settings, or not these values; ask again")
            result = what_if(settings, database, changes, weeks=question.weeks, on_progress=tell)
            connection.execute(DONE, [json.dumps(result), question.what_if_id])
    return question


class _Teller:
    """Writes progress down, once a second at most."""

    def __init__(self, connection: psycopg.Connection, question: Question) -> None:
        self._connection = connection
        self._question = question
        self._told_at = 0.0

    def __call__(self, share: float, step: str) -> None:
        if time.monotonic() - self._told_at >= TELL_SECONDS:
            self._connection.execute(TELL, [share, step, self._question.what_if_id])
            self._told_at = time.monotonic()


@contextmanager
def _failing(connection: psycopg.Connection, question: Question) -> Iterator[None]:
    try:
        yield
    except TutorqError as error:
        connection.execute(FAILED, [str(error), question.what_if_id])
    except Exception:
        connection.execute(FAILED, ["something went wrong; the log of the run has more", question.what_if_id])
        raise
