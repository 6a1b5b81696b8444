"""What other settings of scoring would do: today, and over the last months. Nothing is changed by looking.

compile (dbt) -> shadow (made, on one connection, rolled back) -> today, replay.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from typing import Any, Final

from core import scoring_settings
from core.database import Database
from core.dbt_runner import compile_nodes, one_dbt_at_a_time
from core.errors import TutorqError
from core.scoring_settings import project_vars
from core.settings import Settings
from what_if import today
from what_if.replay import WARM_UP_WEEKS, replay
from what_if.shadow import FACTS, Progress, Shadow, plan, selection

MOST_SECONDS: Final = 600
DEFAULT_WEEKS: Final = 26

# Share of the work that is done (0-1), and what is done now.
OnProgress = Callable[[float, str], None]


def what_if(
    settings: Settings,
    database: Database,
    changes: Mapping[str, Any],
    *,
    weeks: int = DEFAULT_WEEKS,
    on_progress: OnProgress = lambda _share, _step: None,
) -> dict[str, Any]:
    """Answer as JSON: `as_of`, `generation`, `changed`, `today`, and `history` with `present` and `changed`.

    Waits for a run of dbt, and lets none begin meanwhile. `changed` has each setting that differs, from what to what.

    Args:
        changes: settings by the names of the vars of dbt, as `ScoringSettings.changes` gives them.
        weeks: how many Mondays are replayed, with both settings.
        database: as the role that transforms.

    Raises:
        TutorqError: the settings contradict each other or are those in force, nothing is published yet, or it took
            longer than 10 minutes.
    """
    with one_dbt_at_a_time(database):
        changed = check(settings, database, changes)
        progress = _Progress(on_progress, weeks)
        until = time.monotonic() + MOST_SECONDS
        with shadowed(settings, database, changes, progress.step("with the changed settings"), until) as shadow:
            as_of, generation = shadow.execute(today.PUBLISHED).fetchone() or (None, None)
            on_today = today.compare(shadow)
            after = _replay(shadow, weeks, progress.step("with the changed settings"))
        with shadowed(settings, database, {}, progress.step("with the settings as they are"), until) as shadow:
            before = _replay(shadow, weeks, progress.step("with the settings as they are"))
    return {
        "as_of": as_of.isoformat() if as_of else None,
        "generation": generation,
        "changed": changed,
        "today": on_today,
        "history": {"present": before, "changed": after},
    }


def check(settings: Settings, database: Database, changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What these changes would change, each setting from what to what.

    Raises:
        TutorqError: they contradict each other, change nothing, or nothing is published yet.
    """
    with database.connect() as connection:
        query = "select to_regclass('marts.publication') is not null"
        (is_published,) = connection.execute(query).fetchone() or (False,)
        now = scoring_settings.in_force(settings, connection)
    if not is_published:
        raise TutorqError("nothing is published yet; `tutorq score` does it")
    wanted = {**now, **changes}
    if wrong := scoring_settings.problem(wanted):
        raise TutorqError(wrong)
    if not (changed := scoring_settings.differences(now, wanted)):
        raise TutorqError("these are the settings in force")
    return changed


@contextmanager
def shadowed(
    settings: Settings,
    database: Database,
    changes: Mapping[str, Any],
    progress: Progress = lambda _: None,
    until: float = inf,
) -> Iterator[Shadow]:
    """Scores, concerns and flags as a run with these changes would make them, until the block ends; then nothing of
    it is left. The caller holds the lock of dbt.

    Args:
        until: when it has to be done, of `time.monotonic`.

    Raises:
        TutorqError: it was not done by then.
    """
    progress("compiling")
    with database.connect() as connection:
        present = {**settings.dbt_vars(), **scoring_settings.in_force(settings, connection)}
    variables = {**present, **changes}
    nodes = compile_nodes(settings, database, variables, selection())
    known = compile_nodes(settings, database, present, FACTS) if changes else nodes
    made = plan(nodes, known, {**project_vars(), **variables})
    with database.connect() as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("set local temp_buffers = '64MB'")
        connection.execute("set local jit = off")
        shadow = Shadow(connection, made, until)
        shadow.make(progress)
        yield shadow
        shadow.check()
        connection.rollback()


class _Progress:
    """Counts steps: those of making the models, and weeks, each twice."""

    STEPS_OF_MODELS = 32

    def __init__(self, on_progress: OnProgress, weeks: int) -> None:
        self._on_progress = on_progress
        self._all = 2 * (self.STEPS_OF_MODELS + weeks + WARM_UP_WEEKS)
        self._done = 0

    def step(self, what: str) -> Progress:
        def done(step: str) -> None:
            self._done += 1
            self._on_progress(min(0.99, self._done / self._all), f"{what}: {step}")

        return done


def _replay(shadow: Shadow, weeks: int, progress: Progress) -> dict[str, Any]:
    analyses = shadow.analyses
    return replay(shadow, analyses["what_if_steps"], analyses["what_if_weeks"], weeks, progress).to_dict()


__all__ = ["DEFAULT_WEEKS", "shadowed", "what_if"]
