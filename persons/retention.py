"""What is kept for how long, in one place; and what is older is deleted, every night.

Each rule says which setting holds for it. What has a fixed time is deleted by whoever works with it, and stands here
to be told.
"""

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import psycopg

from core.browser_sessions import LONGEST
from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from ingest.arrivals import FAILED, PROCESSED

FORGET_OFFERS = "delete from ml.slates where offered_at < now() - %s::interval"
# Days are UTC, as folders are named.
_DAY_FOLDER = re.compile(r"(\d{4}-\d\d-\d\d)(?:T\d{6}Z(?:-\d+)?)?")


@dataclass(frozen=True, slots=True)
class Rule:
    """`what` is kept for `days` days, or for ever (0). `setting` says so; None if the time is fixed. `forget` deletes
    what is older, and counts it; None if that is done elsewhere."""

    name: str
    what: str
    setting: str | None
    days: float
    forget: Callable[[psycopg.Connection, timedelta], int] | None = None

    @property
    def kept(self) -> str:
        if not self.days:
            return "for ever"
        hours = round(self.days * 24)
        return f"{hours} hours" if hours < 72 else f"{hours // 24:,} days"


def rules(settings: Settings) -> list[Rule]:
    """All of them, as the settings say."""

    def by_function(name: str) -> Callable[[psycopg.Connection, timedelta], int]:
        return lambda connection, kept: _count(connection, f"select app.{name}(%s)", kept)

    def offers(connection: psycopg.Connection, kept: timedelta) -> int:
        return connection.execute(FORGET_OFFERS, [kept]).rowcount

    def files(_: psycopg.Connection, kept: timedelta) -> int:
        return forget_files(settings, datetime.now(UTC).date() - kept)

    return [
        Rule("sources", "landing files in processed and failed", "processed_days", settings.processed_days, files),
        Rule(
            "quarantine", "rows in quarantine since they were last seen", "quarantine_days", settings.quarantine_days,
            by_function("forget_quarantine"),
        ),
        Rule(
            "mail_texts", "texts of mail; that it was sent stays", "mail_text_days", settings.mail_text_days,
            by_function("forget_mail_texts"),
        ),
        Rule(
            "deliveries", "chat messages and webhooks", "delivery_days", settings.delivery_days,
            by_function("forget_deliveries"),
        ),
        Rule(
            "appeals", "words of settled appeals; decisions stay", "appeal_text_days", settings.appeal_text_days,
            by_function("forget_words_of_appeals"),
        ),
        Rule("slates", "offers of tutors to students", "offer_kept_days", settings.offer_kept_days, offers),
        Rule("audit_entries", "the audit log", "audit_days", settings.audit_days, by_function("forget_audit")),
        Rule("runs", "Dagster's records of successful runs", "run_retention_days", settings.run_retention_days),
        Rule("browser_sessions", "browsers that are logged in", None, LONGEST / timedelta(days=1)),
        Rule("idempotency_keys", "answers under an Idempotency-Key", None, 1),
        Rule("events", "events for the dashboard, chat and webhooks", None, 3),
        Rule("what_ifs", "questions of what other settings would do", None, 7),
    ]  # fmt: skip


def forget_old(settings: Settings, database: Database) -> dict[str, int]:
    """Delete what is older than the settings say, and how many of what; again deletes nothing more.

    Raises:
        TutorqError: rules could not be kept; it names them. All others were.
    """
    counts: dict[str, int] = {}
    failed: dict[str, Exception] = {}
    for rule in rules(settings):
        if rule.forget is not None:
            try:
                with database.connect() as connection:
                    counts[rule.name] = rule.forget(connection, timedelta(days=rule.days)) if rule.days else 0
            except (TutorqError, psycopg.Error, OSError) as error:
                failed[rule.name] = error
    if failed:
        causes = ", ".join(f"{name} ({type(error).__name__})" for name, error in failed.items())
        raise TutorqError(f"what is too old could not be deleted: {causes}") from next(iter(failed.values()))
    return counts


def forget_files(settings: Settings, before: date) -> int:
    """Delete folders of days before this one from `processed` and `failed`; how many files went."""
    count = 0
    for area in (PROCESSED, FAILED):
        with suppress(FileNotFoundError):
            for folder in sorted((settings.landing / area).iterdir()):
                day = _day_of(folder.name)
                if day and day < before and folder.is_dir() and not folder.is_symlink():
                    count += sum(path.is_file() for path in folder.rglob("*"))
                    shutil.rmtree(folder)
    return count


def _day_of(name: str) -> date | None:
    """The day that a folder is named after; None if it is named otherwise."""
    named = _DAY_FOLDER.fullmatch(name)
    with suppress(ValueError):
        return date.fromisoformat(named[1]) if named else None
    return None


def _count(connection: psycopg.Connection, query: str, kept: timedelta) -> int:
    row = connection.execute(query.encode(), [kept]).fetchone()
    return int(row[0]) if row else 0
