"""Events become messages: webhooks at once, chats and persons as they wish.

Whether something is due follows from the events and from what has been queued. What has been looked at is remembered
as a snapshot (decision 74), so that an event that commits late is found by the next look. A person's events are
collected first (`app.notifications`), so that those of quiet hours, or of a day, come as one message.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from core import locks
from core.database import Database
from core.events import EventKind
from core.settings import Settings
from reports import notification_queries as queries
from reports import told
from reports.chat import own_recipient, own_target, shared_targets

# What the chats of the settings are told, besides the daily digest.
SHARED = [EventKind.SESSION_ALERT.value, EventKind.CONCERN_RAISED.value]
MOST_IN_A_MESSAGE = 10


@dataclass(slots=True)
class QueuedEvents:
    """New rows in the outbox, by channel."""

    webhook: int = 0
    chat: int = 0
    mail: int = 0

    def add(self, more: "QueuedEvents") -> None:
        """What was queued next."""
        self.webhook += more.webhook
        self.chat += more.chat
        self.mail += more.mail

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody, or a chat, who can be told something now."""

    target: str
    channel: str
    recipient: str
    zone: str


@dataclass(frozen=True, slots=True)
class _Person:
    person_id: int
    email: str
    kinds: list[str]
    told_by: str
    time_zone: str
    chat_service: str | None
    since: datetime

    def listener(self) -> Listener:
        is_chat = self.told_by == "chat"
        recipient = own_recipient(str(self.chat_service), self.person_id) if is_chat else self.email
        return Listener(own_target(self.person_id), self.told_by, recipient, self.time_zone)


def queue_events(settings: Settings, database: Database, *, now: datetime | None = None) -> QueuedEvents:
    """Queue what events are due to be told; a second call queues nothing more. `now` is the time by which quiet hours
    and mornings count."""
    queued = QueuedEvents()
    with database.connect() as connection:
        # Two at a time would both collect the same events into messages of their own.
        connection.execute("select pg_advisory_xact_lock(%s)", [locks.EVENT_QUEUE])
        look = connection.execute(queries.SNAPSHOT).fetchone()
        now = now or _now(connection)
        queued.webhook = connection.execute(queries.QUEUE_WEBHOOKS.format(due=queries.DUE_WEBHOOKS)).rowcount
        chats = _switch_chats(connection, settings)
        values = {"targets": [chat.target for chat in chats], "kinds": SHARED, "now": now}
        connection.execute(queries.COLLECT_FOR_CHATS, values)
        connection.execute(queries.COLLECT_FOR_PERSONS)
        connection.execute(queries.FORGET)
        persons = [person.listener() for person in _listening(connection, now)]
        ready = [person.listener() for person in _listening(connection, now, queries.IS_TIME + queries.HAS_WAITING)]
        for listener in [*chats, *ready]:
            if _release(connection, listener, now):
                setattr(queued, listener.channel, getattr(queued, listener.channel) + 1)
        by_target = {listener.target: listener for listener in [*chats, *persons]}
        for topic, subject, digest, target in connection.execute(queries.DIGESTS, values).fetchall():
            listener = by_target[target]
            count = _digest(connection, listener, topic, subject, digest)
            setattr(queued, listener.channel, getattr(queued, listener.channel) + count)
        connection.execute(queries.NOTE_LOOK, look)
    return queued


def something_to_queue(settings: Settings, database: Database) -> bool:
    """There are events to be queued now, or messages whose quiet hours are over. If not, notes that it has looked."""
    chats = shared_targets(settings)
    with database.connect() as connection:
        look = connection.execute(queries.SNAPSHOT).fetchone()
        known = _known_chats(connection)
        targets = [target for names, _ in chats for target in names if target in known]
        if len(targets) < len(chats):
            return True  # a new chat: what happens from now on is to be told there
        row = connection.execute(
            f"""
            select
                exists (select {queries.DUE_WEBHOOKS})
                or exists (select {queries.DUE_TO_PERSONS})
                or exists (select {queries.DUE_TO_CHATS})
                or exists ({queries.LISTENING} {queries.IS_TIME} {queries.HAS_WAITING})
                or exists ({queries.DIGESTS})
            """,
            {"targets": targets, "kinds": SHARED, "now": _now(connection)},
        ).fetchone()
        is_due = bool(row and row[0])
        if not is_due:
            connection.execute(queries.NOTE_LOOK, look)
    return is_due


def _known_chats(connection: psycopg.Connection) -> set[str]:
    return {name for (name,) in connection.execute("select switch from app.report_switches where switch ^@ 'chat:'")}


def _now(connection: psycopg.Connection) -> datetime:
    row = connection.execute("select now()").fetchone()
    return row[0] if row else datetime.now(UTC)


def _listening(connection: psycopg.Connection, now: datetime, condition: str = "") -> list[_Person]:
    with connection.cursor(row_factory=class_row(_Person)) as cursor:
        return cursor.execute(
            f"{queries.LISTENING} {condition} order by preferences.person_id", {"now": now}
        ).fetchall()


def _switch_chats(connection: psycopg.Connection, settings: Settings) -> list[Listener]:
    """The chats of the settings; each is told of what happens from when it was first seen on."""
    chats = []
    known = _known_chats(connection)
    for targets, shown in shared_targets(settings):
        # One that was seen under an older key keeps its name.
        target = next((each for each in targets if each in known), targets[0])
        connection.execute("insert into app.report_switches (switch) values (%s) on conflict do nothing", [target])
        chats.append(Listener(target, "chat", shown, settings.timezone))
    connection.execute(
        "delete from app.report_switches where switch ^@ 'chat:' and switch <> all(%s)",
        [[chat.target for chat in chats]],
    )
    return chats


def _release(connection: psycopg.Connection, listener: Listener, now: datetime) -> bool:
    """One message about all that waits for this listener."""
    with connection.cursor(row_factory=dict_row) as cursor:
        waiting = cursor.execute(queries.WAITING, [listener.target]).fetchall()
    if not waiting:
        return False
    items = [_item(row) for row in waiting]
    events: list[UUID] = [row["event_id"] for row in waiting]
    zone = ZoneInfo(listener.zone)
    payload = {
        "target": listener.target,
        "zone": listener.zone,
        "items": items[:MOST_IN_A_MESSAGE],
        "total": len(items),
    }
    row = connection.execute(
        queries.ADD,
        {
            "channel": listener.channel,
            "kind": "notification",
            # The first event is told in one message only.
            "topic": f"notification:{listener.target}:{events[0]}",
            "recipient": listener.recipient,
            "subject": told.headline(items, len(items), zone),
            "payload": Jsonb(payload),
        },
    ).fetchone()
    values = {"now": now, "report": row[0] if row else None, "target": listener.target, "events": events}
    connection.execute(queries.TOLD, values)
    return row is not None


def _item(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row["payload"],
        "kind": row["kind"],
        "tutor_id": str(row["tutor_id"]) if row["tutor_id"] else None,
        "name": row["name"],
        "happened_at": row["happened_at"].isoformat(),
    }


def _digest(
    connection: psycopg.Connection, listener: Listener, topic: str, subject: str, payload: dict[str, Any]
) -> int:
    values = {
        "channel": listener.channel,
        "kind": "daily_digest",
        "topic": f"{topic}:{listener.target}",
        "recipient": listener.recipient,
        "subject": subject,
        "payload": Jsonb({**payload, "target": listener.target}),
    }
    return connection.execute(queries.ADD, values).rowcount
