"""Notices that a service starts with other settings than the last time, and has the audit log say so.

Values that may be secrets are compared by a salted, slow hash and never shown: the log names the setting alone.
"""

import hashlib
import secrets
import socket
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import psycopg

from core import audit, locks
from core.audit import Action, Entry
from core.settings import MADE_UP, Settings

# Of texts, those that can hold no secret. Addresses of servers may hold passwords, and addresses of mail are personal.
PLAIN_TEXTS = frozenset(
    {
        *("timezone", "as_of", "cors_origins", "trusted_proxies", "api_host", "openai_model", "ses_region"),
        *("oidc_client_id", "oidc_role_claim", "oidc_audience"),
    }
)
SALT_BYTES = 16
# 8 MiB and some 25 ms: what guesses a password from the hash needs that for each guess.
SCRYPT = {"n": 2**13, "r": 8, "p": 1, "dklen": 32}
HIDDEN = "hidden"


@dataclass(frozen=True, slots=True)
class _Known:
    fingerprint: str
    shown: str | None


def note_changes(connection: psycopg.Connection, settings: Settings, service: str) -> list[str]:
    """Remember the settings that a service starts with, and record those that differ from its last start.

    A setting at its default is as one that is not set. Returns the names of what has changed.
    """
    current = _not_default(settings)
    with connection.transaction():
        # Of two processes that start at once, the second compares with what the first has written.
        connection.execute("select pg_advisory_xact_lock(%s)", [locks.SETTINGS])
        rows = connection.execute(
            "select name, fingerprint, shown from app.known_settings where service = %s", [service]
        ).fetchall()
        known = {name: _Known(fingerprint, shown) for name, fingerprint, shown in rows}
        changed = [
            name
            for name in sorted(known.keys() | current.keys())
            if name not in known or name not in current or not _is_same(current[name], known[name].fingerprint)
        ]
        for name in changed:
            before, now = known.get(name), _remember(name, current[name]) if name in current else None
            _store(connection, service, name, now)
            details = {"from": _shown(before), "to": _shown(now)}
            actor = f"{service} on {socket.gethostname()}"
            audit.record(connection, Entry(actor, Action.SETTING_CHANGE, "setting", _variable(name), details))
    return [_variable(name) for name in changed]


def _not_default(settings: Settings) -> dict[str, bytes]:
    """The value of each setting that is not at its default, as bytes; without what is made up at each start."""
    found = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value == field.get_default(call_default_factory=True):
            continue
        text = settings.as_environment()[_variable(name)]
        if not text.startswith(MADE_UP):
            found[name] = text.encode()
    return found


def _remember(name: str, value: bytes) -> _Known:
    if _is_plain(name):
        return _Known(f"sha256:{hashlib.sha256(value).hexdigest()}", value.decode())
    salt = secrets.token_bytes(SALT_BYTES)
    return _Known(f"scrypt:{salt.hex()}:{_slow(value, salt)}", None)


def _is_same(value: bytes, fingerprint: str) -> bool:
    kind, _, rest = fingerprint.partition(":")
    if kind == "sha256":
        return hashlib.sha256(value).hexdigest() == rest
    salt, _, digest = rest.partition(":")
    return secrets.compare_digest(_slow(value, bytes.fromhex(salt)), digest)


def _slow(value: bytes, salt: bytes) -> str:
    return hashlib.scrypt(value, salt=salt, **SCRYPT).hex()


def _is_plain(name: str) -> bool:
    """Whether values of this setting can be shown: numbers, choices, dates, paths; and texts known to be plain."""
    return name in PLAIN_TEXTS or not _holds_text(Settings.model_fields[name].annotation)


def _holds_text(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return False
    if get_origin(annotation) in (Union, UnionType, list):
        return any(_holds_text(each) for each in get_args(annotation))
    return not (
        isinstance(annotation, type) and annotation.__name__ in ("int", "float", "bool", "date", "Path", "NoneType")
    )


def _shown(known: _Known | None) -> str:
    if known is None:
        return "default"
    return HIDDEN if known.shown is None else known.shown


def _store(connection: psycopg.Connection, service: str, name: str, known: _Known | None) -> None:
    connection.execute("delete from app.known_settings where service = %s and name = %s", [service, name])
    if known is not None:
        connection.execute(
            "insert into app.known_settings (service, name, fingerprint, shown) values (%s, %s, %s, %s)",
            [service, name, known.fingerprint, known.shown],
        )


def _variable(name: str) -> str:
    return f"TUTORQ_{name.upper()}"
