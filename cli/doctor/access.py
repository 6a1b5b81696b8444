"""Checks of `tutorq doctor`: keys, the audit log, encryption and proxies."""

from datetime import timedelta
from ipaddress import ip_address, ip_network
from shlex import quote

import psycopg

from cli.doctor.finding import Finding
from core import audit, keys
from core.errors import TutorqError
from core.keys import Key, State
from core.sealing import NO_KEY, SECRETS, TEXTS, text_sealer
from core.settings import Settings
from core.words import plural

# Enough time to rotate a key and tell its users.
ENDS_SOON = timedelta(days=14)
UNUSED = timedelta(days=90)
PROXY_SEEN_WITHIN = timedelta(days=1)
NAMED = 5
NEWEST_LINKS = 200
LOOKED_AT = 200


def keys_in_use(connection: psycopg.Connection) -> Finding:
    """How many keys are in use, which of them end soon, and which nobody has used lately."""
    (now,) = connection.execute("select now()").fetchone() or ()
    in_use = [key for key in keys.list_keys(connection) if key.state in (State.IN_USE, State.REPLACED)]
    ending = [
        key for key in in_use if key.state == State.IN_USE and key.expires_at and key.expires_at - now < ENDS_SOON
    ]
    unused = [key for key in in_use if now - (key.last_used_at or key.created_at) > UNUSED]
    found = [f"{len(in_use)} in use"]
    advice = None
    if unused:
        found.append(f"not used for {UNUSED.days} days: {_names(unused)}")
        advice = f"If nobody needs the key, run `tutorq keys revoke {quote(unused[0].name)}`."
    if ending:
        found.append(f"ending within {ENDS_SOON.days} days: {_names(ending)}")
        advice = (
            f"`tutorq keys rotate {quote(ending[0].name)}` creates a new key; the old one keeps working for a while."
        )
    return Finding("keys", not ending, "; ".join(found), advice)


def audit_log(connection: psycopg.Connection) -> Finding:
    """Whether the newest entries match their hashes. `tutorq audit verify` checks the whole chain."""
    try:
        head = audit.verify(connection, last=NEWEST_LINKS)
    except audit.BrokenChainError as error:
        return Finding(
            "audit log", False, str(error), "Somebody changed the log. For details, run `tutorq audit verify`."
        )
    return Finding(
        "audit log", True, f"{plural(head.place, 'entry', 'entries')}; the newest {NEWEST_LINKS} match their hashes"
    )


def encryption(connection: psycopg.Connection, settings: Settings) -> Finding:
    """Whether the key for secrets and texts is set, and decrypts a sample of the stored values."""
    what = "encryption"
    try:
        box = text_sealer(settings)
    except TutorqError as error:
        return Finding(what, False, str(error), "Restore the file from your copy.")
    if box is None:
        advice = f"Set TUTORQ_SECRETS_KEY, then run `tutorq keys rotate-encryption`. {NO_KEY}."
        return Finding(
            what, True, "TUTORQ_SECRETS_KEY is not set: texts and rows in quarantine are not encrypted", advice
        )
    unreadable = sum(
        not box.is_readable(column, stored)
        for column in (*SECRETS, *TEXTS)
        for (stored,) in connection.execute(
            f"select {column.name} from {column.table} where {column.name} is not null limit {LOOKED_AT}"
        )
    )
    if unreadable:
        advice = "Append the previous key to TUTORQ_SECRETS_KEY. Only these values need it."
        return Finding(
            what, False, f"{plural(unreadable, 'value')} cannot be decrypted: TUTORQ_SECRETS_KEY lacks the key", advice
        )
    return Finding(what, True, "secrets and texts can be read")


def undeclared_proxies(connection: psycopg.Connection, settings: Settings) -> Finding:
    """Which proxies forward requests but are not trusted to name the client. All clients behind such a proxy share the
    limits of one address."""
    rows = connection.execute(
        "select address from app.undeclared_proxies where last_seen_at > now() - %s order by last_seen_at desc",
        [PROXY_SEEN_WITHIN],
    ).fetchall()
    addresses = [address for (address,) in rows if not _is_trusted(address, settings.trusted_proxies)]
    if not addresses:
        return Finding("proxies", True, "no undeclared proxy")
    # Anybody on the internet can send the header. From a private address, the sender is a proxy.
    inside = [address for address in addresses if _is_inside(address)]
    found = f"X-Forwarded-For came from {', '.join((inside or addresses)[:NAMED])}, not in TUTORQ_TRUSTED_PROXIES"
    advice = (
        "If this is your proxy, add its address there and restart the API. Until then, limits and the audit log treat "
        "all clients behind it as one address."
    )
    return Finding("proxies", not inside, found, advice)


def _names(some: list[Key]) -> str:
    names = [f"{key.name} (on {key.expires_at:%Y-%m-%d})" if key.expires_at else key.name for key in some]
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _is_trusted(address: str, trusted: list[str]) -> bool:
    try:
        return any(ip_address(address) in ip_network(each) for each in trusted)
    except ValueError:  # a unix socket
        return False


def _is_inside(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return True
    return parsed.is_private or parsed.is_link_local
