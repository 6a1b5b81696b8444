"""Whose turn it is with a `TUTORQ_HOME`: one `tutorq up`, or one restore, at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from core.errors import TutorqError


@contextmanager
def only_one(home: Path, advice: str = "") -> Iterator[None]:
    """Hold the home for this process. The kernel lets go of it when the process ends, however it ends.

    Raises:
        TutorqError: another process holds it; `advice` says what to do.
    """
    home.mkdir(parents=True, exist_ok=True)
    lock: IO[bytes] = (home / "up.lock").open("ab")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TutorqError(f"`tutorq up` (or a restore) is already running for {home}{advice}") from error
        yield
