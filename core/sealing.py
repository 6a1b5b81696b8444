"""Secrets and texts that stand in the database, encrypted with keys that do not (`TUTORQ_SECRETS_KEY`).

The first key encrypts, every key decrypts: a new one is put in front, and `rotate` brings older texts over to it.
Texts of messages share their column with those that older versions have stored as they are, so a mark tells them.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from core.errors import TutorqError
from core.settings import Settings

NO_KEY = (
    "TUTORQ_SECRETS_KEY is not set: secrets of webhooks and chats are encrypted with it. "
    "openssl rand -base64 32 | tr '+/' '-_' makes one; every process needs the same"
)
WRONG_KEY = "its secret is encrypted with a key that TUTORQ_SECRETS_KEY does not hold"
LOST_KEY = "it is encrypted with a key that TUTORQ_SECRETS_KEY does not hold"
MARK = "sealed:"
FINGERPRINT_CHARACTERS = 12
BATCH_ROWS = 200


@dataclass(frozen=True, slots=True)
class Column:
    """Where sealed values are. `is_text`: with the mark, beside some that are not sealed."""

    table: str
    key: str
    name: str
    is_text: bool = False


SECRETS = (
    Column("app.webhook_endpoints", "endpoint_id", "sealed_secret"),
    Column("app.webhook_endpoints", "endpoint_id", "old_sealed_secret"),
    Column("app.webhook_endpoints", "endpoint_id", "sealed_url"),
    Column("app.notification_preferences", "person_id", "sealed_chat_url"),
)
TEXTS = (
    Column("app.email_reports", "report_id", "body_text", is_text=True),
    Column("app.email_reports", "report_id", "body_html", is_text=True),
    Column("raw.quarantine", "quarantine_id", "content", is_text=True),
)


class Sealer:
    """Encrypts and decrypts with these Fernet keys."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]
        self._newest = Fernet(keys[0])
        self._all = MultiFernet([Fernet(key) for key in keys])

    def seal(self, text: str) -> str:
        """The text, encrypted: ASCII."""
        return self._all.encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """The text.

        Raises:
            TutorqError: it was encrypted with another key.
        """
        try:
            return self._all.decrypt(sealed).decode()
        except InvalidToken:
            raise TutorqError(WRONG_KEY) from None

    def reseal(self, sealed: str) -> str | None:
        """The same under the newest key; None if it is, or no key decrypts it."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            try:
                return self._all.rotate(sealed).decode()
            except InvalidToken:
                return None
        return None

    def seal_text(self, text: str) -> str:
        """The text of a message, encrypted, with the mark."""
        return MARK + self.seal(text)

    def open_text(self, stored: str) -> str:
        """The text of a message, whether or not it was sealed.

        Raises:
            TutorqError: it was encrypted with another key.
        """
        if not stored.startswith(MARK):
            return stored
        try:
            return self.unseal(stored.removeprefix(MARK))
        except TutorqError:
            raise TutorqError(LOST_KEY) from None

    def is_readable(self, column: Column, stored: str) -> bool:
        """Whether a key opens it, or it is not sealed."""
        try:
            self.open_text(stored) if column.is_text else self.unseal(stored)
        except TutorqError:
            return False
        return True

    def renew(self, column: Column, stored: str) -> str | None:
        """What is to stand there instead; None if it may stay, or no key decrypts it."""
        if not column.is_text:
            return self.reseal(stored)
        if not stored.startswith(MARK):
            return self.seal_text(stored)
        anew = self.reseal(stored.removeprefix(MARK))
        return None if anew is None else MARK + anew

    def fingerprints(self, text: str) -> list[str]:
        """Names for a secret that do not give it away, by the newest key and by each older one."""
        return [hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:FINGERPRINT_CHARACTERS] for key in self._keys]


def sealer(settings: Settings) -> Sealer:
    """With the keys of the settings; without any, with one that is made and kept in the home.

    Raises:
        TutorqError: no key is set, and this is no installation of one machine that could share a file.
    """
    if settings.secrets_keys:
        return Sealer(settings.secrets_keys)
    if settings.embedded == "off":
        raise TutorqError(NO_KEY)
    return Sealer(kept_keys(settings.secrets_key_file))


def has_key(settings: Settings) -> bool:
    """Whether there is a key, or one may be made."""
    return bool(settings.secrets_keys) or settings.embedded != "off"


def text_sealer(settings: Settings) -> Sealer | None:
    """The same for texts, which are stored as they are where there is no key: None.

    Raises:
        TutorqError: the file of the key is broken.
    """
    return sealer(settings) if has_key(settings) else None


def add_key(path: Path) -> None:
    """Put a new key in front of those that the file holds. Older ones stay: a process may just have used one."""
    keys = [Fernet.generate_key().decode(), *kept_keys(path)]
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _write_private(temporary, keys)
    temporary.replace(path)


@dataclass(slots=True)
class Rotated:
    """How many values were encrypted with the newest key, and how many no key can read."""

    renewed: int = 0
    unreadable: int = 0


def rotate(
    connection: psycopg.Connection,
    box: Sealer,
    columns: Sequence[Column] = (*SECRETS, *TEXTS),
) -> Rotated:
    """Bring what stands in these columns over to the newest key, while others read and write.

    Each batch is a transaction of its own if the connection is in autocommit. Again does nothing more.
    """
    done = Rotated()
    for column in columns:
        after = ""
        values: list[object] = []
        while batch := connection.execute(
            f"select {column.key}, {column.name} from {column.table} where {column.name} is not null {after} "
            f"order by {column.key} limit {BATCH_ROWS}",
            values,
        ).fetchall():
            with connection.transaction():
                for key, stored in batch:
                    if (anew := box.renew(column, stored)) is not None:
                        # Not if somebody has renewed it meanwhile.
                        done.renewed += connection.execute(
                            f"update {column.table} set {column.name} = %s "
                            f"where {column.key} = %s and {column.name} = %s",
                            [anew, key, stored],
                        ).rowcount
                    elif not box.is_readable(column, stored):
                        done.unreadable += 1
            after, values = f"and {column.key} > %s", [batch[-1][0]]
    return done


def _write_private(path: Path, keys: Sequence[str]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write("".join(f"{key}\n" for key in keys).encode())


def kept_keys(path: Path) -> list[str]:
    """What the file holds, the newest first; of two processes that make it at once, the second one takes the first
    one's."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        _write_private(temporary, [Fernet.generate_key().decode()])
        try:
            # Unlike a rename, a link never replaces what another process has made meanwhile.
            path.hardlink_to(temporary)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    path.chmod(0o600)
    keys = path.read_text().split()
    try:
        Sealer(keys)
    except (ValueError, IndexError):
        raise TutorqError(
            f"{path} holds no key; put it back from your copy, or delete it and renew all secrets"
        ) from None
    return keys
