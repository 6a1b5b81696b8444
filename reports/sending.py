"""All channels at once: what is due is queued and sent, each channel by its own sender, so none waits for another."""

import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from core.database import Database
from core.errors import TutorqError
from core.sealing import SECRETS, rotate, sealer
from core.settings import Settings
from reports import delivery, outbox
from reports.chat import ChatChannel
from reports.delivery import Channel, Sent
from reports.mail import MailChannel
from reports.notifications import QueuedEvents, queue_events, something_to_queue
from reports.providers import provider_from
from reports.webhooks import WebhookChannel

# While one channel is at work, so often the others look for what has come meanwhile.
LOOK_SECONDS = 1.0

Result = TypeVar("Result")

CLEAR_ADDRESSES = "select endpoint_id, url from app.webhook_endpoints where url is not null"
SEAL_ADDRESS = "update app.webhook_endpoints set sealed_url = %s, url = null where endpoint_id = %s and url = %s"


@dataclass(frozen=True, slots=True)
class SentByChannel:
    """What the senders did."""

    queued: QueuedEvents
    mail: Sent
    chat: Sent
    webhook: Sent

    def to_dict(self) -> dict[str, int]:
        """Mail by outcome, and the same of the others with their names before it."""
        others = {"chat": self.chat, "webhook": self.webhook}
        return self.mail.to_dict() | {
            f"{name}_{outcome}": count for name, sent in others.items() for outcome, count in sent.to_dict().items()
        }


def something_to_do(settings: Settings, database: Database) -> bool:
    """There is something to queue or to send now. Two cheap queries."""
    return outbox.something_to_do(database) or something_to_queue(settings, database)


def send_everything(settings: Settings, database: Database, *, seconds: float = 200) -> SentByChannel:
    """Queue what events are due to be told, and send what is due on every channel, for `seconds` at most.

    For as long as one channel is at work, because a receiver hangs, say, the others go on with what comes meanwhile:
    nobody starts a second sender by the side of this one.

    Raises:
        TutorqError: a setting is missing that mail, chat or the secrets of webhooks need. What does not need it has
            been sent by then.
    """
    deadline = time.monotonic() + seconds
    problems: list[TutorqError] = []

    def tried(work: Callable[[], Result]) -> Result | None:
        try:
            return work()
        except TutorqError as problem:
            problems.append(problem)
            return None

    sent = SentByChannel(QueuedEvents(), Sent(), Sent(), Sent())
    tried(lambda: _reseal(settings, database))
    made: dict[str, Channel | None] = {
        "mail": tried(lambda: MailChannel(settings, provider_from(settings))),
        "chat": ChatChannel(settings),
        "webhook": WebhookChannel(settings),
    }
    channels = {name: channel for name, channel in made.items() if channel is not None}
    at_work: dict[str, Future[Sent]] = {}
    with ThreadPoolExecutor(len(channels), "sender") as threads:
        while True:
            sent.queued.add(tried(lambda: queue_events(settings, database)) or QueuedEvents())
            for name in channels.keys() - at_work.keys():
                left = max(deadline - time.monotonic(), 0.0)
                at_work[name] = threads.submit(delivery.send, database, channels[name], seconds=left)
            futures.wait(at_work.values(), timeout=LOOK_SECONDS)
            for name in [name for name, work in at_work.items() if work.done()]:
                getattr(sent, name).add(tried(at_work.pop(name).result) or Sent())
            if not at_work or problems or time.monotonic() >= deadline:
                break
        for name, work in at_work.items():
            getattr(sent, name).add(tried(work.result) or Sent())
    if problems:
        raise problems[0]
    return sent


def _reseal(settings: Settings, database: Database) -> None:
    """Seal addresses that an earlier version has stored as they are, and bring secrets over to the newest key, where an
    older one is still given."""
    with database.connect() as connection:
        clear = connection.execute(CLEAR_ADDRESSES).fetchall()
        if not clear and len(settings.secrets_keys) < 2:
            return
        box = sealer(settings)
        for endpoint_id, url in clear:
            connection.execute(SEAL_ADDRESS, [box.seal(url), endpoint_id, url])
        rotate(connection, box, SECRETS)
