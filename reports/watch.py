"""Watching from outside Dagster: whoever is dead cannot say so, and sends no mail either.

Everything else that goes wrong is noticed and mailed by Dagster's own sensors.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from core.database import Database
from core.settings import Settings
from reports import conditions, outbox
from reports.providers import provider_from
from reports.troubles import Condition, dead_daemon

LOOK_EVERY_SECONDS = 60.0
# One mail more or less; a provider that hangs must not keep the next look waiting for long.
SEND_SECONDS = 30.0

log = logging.getLogger(__name__)


def silence(settings: Settings, database: Database) -> list[Condition]:
    """The Dagster daemon, if it is silent for longer than the settings allow."""
    return dead_daemon(database, timedelta(seconds=settings.daemon_silent_seconds))


def tell(settings: Settings, database: Database, troubles: Sequence[Condition]) -> int:
    """Queue an alert for each that is new, and send what is due, since nobody else does. Returns the alerts queued."""
    queued = conditions.observe(settings, database, troubles)
    outbox.send_due(settings, database, provider_from(settings), seconds=SEND_SECONDS)
    return queued


def tell_anyhow(settings: Settings, database: Database, trouble: Condition) -> None:
    """The same for one trouble, on the way down: it must not hide what is being reported."""
    try:
        tell(settings, database, [trouble])
    except Exception as error:
        log.warning("no alert of %s: %s", trouble.name, type(error).__name__)


def keep_watch(
    settings: Settings,
    database: Database,
    is_over: Callable[[float], object],
    *,
    every_seconds: float = LOOK_EVERY_SECONDS,
) -> None:
    """Look every minute until `is_over`, which waits for so many seconds, says so. No failure ends it.

    The daemon must be found silent twice in a row: after a start, or a computer's sleep, it needs a moment.
    """
    was_silent = False
    while not is_over(every_seconds):
        try:
            troubles = silence(settings, database)
            if troubles and was_silent:
                tell(settings, database, troubles)
            was_silent = bool(troubles)
        except Exception as error:
            log.warning("not able to look after the daemon: %s", type(error).__name__)
