"""Secrets that stand in the database, encrypted with keys that do not (`TUTORQ_SECRETS_KEY`).

The first key encrypts, every key decrypts: a new one is put in front, and `reseal` brings older texts over to it.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from core.errors import TutorqError
from core.settings import Settings

NO_KEY = (
    "TUTORQ_SECRETS_KEY is not set: secrets of webhooks and chats are encrypted with it. "
    "openssl rand -base64 32 | tr '+/' '-_' makes one; every process needs the same"
)
WRONG_KEY = "its secret is encrypted with a key that TUTORQ_SECRETS_KEY does not hold"
FINGERPRINT_CHARACTERS = 12


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
    return Sealer([kept_key(settings.secrets_key_file)])


def kept_key(path: Path) -> str:
    """What the file holds; of two processes that make it at once, the second one takes the first one's."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
        try:
            # Unlike a rename, a link never replaces what another process has made meanwhile.
            path.hardlink_to(temporary)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    path.chmod(0o600)
    key = path.read_text().strip()
    try:
        Fernet(key)
    except ValueError:
        raise TutorqError(
            f"{path} holds no key; put it back from your copy, or delete it and renew all secrets"
        ) from None
    return key
