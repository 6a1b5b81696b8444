"""The channel chat: short messages to the chats of the settings, and to those that persons have entered for themselves.

A chat cannot tell a repetition, so a message whose outcome is unknown is never sent again by itself.
"""

import re
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from core import locks
from core.sealing import Sealer, sealer, text_sealer
from core.settings import Settings
from core.words import plural
from reports import delivery, told
from reports.delivery import Channel, Claimed
from reports.providers import Verdict
from reports.providers.chat import ChatClient, ChatUrlError, check_own_url, service_of
from reports.render import MARKS
from reports.subjects import tutor_name

MENTION = re.compile(r"(?<!\w)@(?=\w)|<(?=[!@#&])")
NO_BREAK = "\u2060"  # without a width, and between two letters that would be a word

NO_LONGER_SET = "the chat is no longer set"

SUPPRESS = f"""
update app.email_reports as report
set state = 'suppressed', settled_at = now(), error = '{NO_LONGER_SET}'
where
    channel = 'chat' and state = 'queued'
    and payload ->> 'target' <> all(%(shared)s)
    and not exists (
        select from app.notification_preferences as preferences
        inner join app.people on people.person_id = preferences.person_id
        where
            'person:' || preferences.person_id = report.payload ->> 'target'
            and preferences.told_by = 'chat' and people.is_active
    )
"""


class ChatChannel(Channel):
    """Resolves the target of a row to its URL, at the last moment, and sends."""

    name = "chat"
    provider = "apprise"
    lock = locks.CHAT_SENDER
    shared_by = "recipient"

    def __init__(self, settings: Settings, client: ChatClient | None = None) -> None:
        self._settings = settings
        self._client = client or ChatClient(allow_private=settings.webhooks_allow_private)
        self._sealer: Sealer | None = None

    def suppress(self, connection: psycopg.Connection) -> int:
        return connection.execute(SUPPRESS, {"shared": [*self._shared()]}).rowcount

    def attempt(self, connection: psycopg.Connection, row: Claimed) -> Verdict:
        try:
            text = text_of(self._settings, row.kind, row.payload)
        except Exception as error:
            return Verdict("refused", f"no message can be made of it ({type(error).__name__})")
        try:
            url = self._url(connection, str(row.payload["target"]))
        except ChatUrlError as error:
            return Verdict("refused", f"the person's chat URL {error}")
        except Exception as error:
            # Nothing has left yet. A key that is missing may be back at the next attempt.
            return Verdict("later", str(error))
        if url is None:
            return Verdict("refused", NO_LONGER_SET)
        text = without_mentions(text)
        delivery.keep_body(connection, row, text_sealer(self._settings), text)
        return self._client.send(url, without_mentions(row.subject), text)

    def attempts_of(self, row: Claimed) -> int:
        """Of a test its maker wants to see what came of it."""
        return 1 if row.unique_key.startswith("test:") else super().attempts_of(row)

    def _shared(self) -> dict[str, str]:
        """The chats of the settings, by target; under the name of each key, for what was queued before a rotation."""
        if not self._settings.notify_url_list:
            return {}
        return {f"chat:{name}": url for url in self._settings.notify_url_list for name in self._box().fingerprints(url)}

    def _url(self, connection: psycopg.Connection, target: str) -> str | None:
        if not target.startswith("person:"):
            return self._shared().get(target)
        row = connection.execute(
            "select sealed_chat_url from app.notification_preferences where 'person:' || person_id = %s", [target]
        ).fetchone()
        if row is None or row[0] is None:
            return None
        url = self._box().unseal(row[0])
        # It may have been entered under older rules.
        check_own_url(url)
        return url

    def _box(self) -> Sealer:
        self._sealer = self._sealer or sealer(self._settings)
        return self._sealer


def own_target(person_id: int) -> str:
    """By which a row names the chat of a person."""
    return f"person:{person_id}"


def own_recipient(service: str, person_id: int) -> str:
    """What the outbox shows of it."""
    return f"{service} of person {person_id}"


def shared_targets(settings: Settings) -> list[tuple[list[str], str]]:
    """Each chat of the settings: its possible targets, that of the newest key first, and what is shown of it."""
    if not settings.notify_url_list:
        return []
    box = sealer(settings)
    chats = []
    for url in settings.notify_url_list:
        names = box.fingerprints(url)
        chats.append(([f"chat:{name}" for name in names], f"{service_of(url)} {names[0]}"))
    return chats


def without_mentions(text: str) -> str:
    """The text, so that no name of a tutor calls a whole room, as `@everyone` and `<!channel>` do."""
    return MENTION.sub(lambda found: f"{found[0]}{NO_BREAK}", text)


def text_of(settings: Settings, kind: str, payload: dict[str, Any]) -> str:
    """What a chat shows below the headline."""
    if kind == "daily_digest":
        now = payload["now"]
        lines = [
            f"{now.get('attention', 0):,} of {plural(now.get('active', 0), 'active tutor')} "
            f"{'needs' if now.get('attention') == 1 else 'need'} attention.",
            *(f"• {tutor_name(each)}: newly flagged" for each in payload["flagged"][:5]),
            f"{len(payload['better'])} better, {plural(payload['sessions_total'], 'session')} to look at.",
        ]
        return "\n".join([*lines, f"{settings.dashboard}/overview"])
    zone = ZoneInfo(payload.get("zone") or settings.timezone)
    items = payload["items"]
    lines = [f"• {told.line(item, zone)}\n  {told.link(item, settings.dashboard)}" for item in items]
    if mark := MARKS.get(payload.get("mark", "")):
        lines.insert(0, mark)
    if payload["total"] > len(items):
        lines.append(f"… and {payload['total'] - len(items):,} more.")
    return "\n".join(lines)
