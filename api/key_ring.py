"""The API keys, as a running API knows them."""

import asyncio
import hmac
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import asyncpg
import structlog

from api.database import with_app_tables
from api.reloaded import Reloaded
from core import keys
from core.roles import Role

# A revoked key ends within that time; a key that expires, at that moment.
KNOWN_SECONDS = 10
LAST_USED_EVERY_SECONDS = 60

# Also those that ended not long ago, whose holders are told why they are refused.
LOAD = """
select
    key_id, name, role, prefix, key_hash, revoked_at is not null as is_revoked,
    extract(epoch from expires_at - now())::float8 as seconds_left
from app.api_keys
where coalesce(revoked_at, expires_at, 'infinity') > now() - interval '90 days'
"""
NOTE_USE = """
update app.api_keys set last_used_at = now()
where key_id = $1 and (last_used_at is null or last_used_at < now() - make_interval(secs => $2))
"""

log = structlog.get_logger("api")


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that a request came with."""

    key_id: int
    name: str
    role: Role

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return self.name

    @property
    def counted_as(self) -> tuple[str, Hashable]:
        """Whose share of the server it takes: that of its key, also at browsers."""
        return "key", self.key_id


class Why(StrEnum):
    """Why a credential is refused."""

    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"
    # A cookie: closed, too old or made up; once it is over, nothing tells which.
    NO_SESSION = "no session"
    # A token of the OpenID provider: another one's, too old, not for us, without a role.
    NO_PROGRAM = "no program"
    # A log-in at the provider that came back with something else.
    NO_IDENTITY = "no identity"


@dataclass(frozen=True, slots=True)
class Refused:
    """A credential that lets nobody in. `name` is that of the key, if it was one."""

    why: Why
    name: str | None = None

    @property
    def detail(self) -> str:
        """In words, for who sent the key."""
        match self.why:
            case Why.UNKNOWN:
                return "The key is unknown or revoked."
            case Why.REVOKED:
                return f"The key {self.name!r} was revoked. `tutorq keys create` makes another one."
            case Why.EXPIRED:
                return f"The key {self.name!r} has expired. `tutorq keys create` makes another one."
            case Why.NO_SESSION:
                return "The log-in is over; log in again."
            case Why.NO_PROGRAM:
                return "The token is not one of the provider's for this API with a role, or it has expired."
            case Why.NO_IDENTITY:
                return "The log-in at the provider was not completed."


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    digest: bytes
    is_revoked: bool
    # By the clock of the ring, so that the clocks of two machines need not agree.
    expires_at: float


class KeyRing:
    """Holds all keys, so a request costs no query, and neither does a flood of made-up keys.

    A key that is not known waits for one more look, which it shares with all others: a new key works at once.

    Raises (every coroutine):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._keys = Reloaded(self._load, clock)
        self._noted_at: dict[int, float] = {}
        self._notes: set[asyncio.Task[None]] = set()

    async def find(self, secret: str) -> Caller | Refused:
        """The caller with this key, or why there is none."""
        prefix = keys.prefix_of(secret)
        if prefix is None:
            return Refused(Why.UNKNOWN)
        digest = keys.digest(secret)
        known = self._keys.recent(KNOWN_SECONDS)
        found = _match(known.get(prefix, ()), digest) if known is not None else None
        if found is None:
            found = _match((await self._keys.now()).get(prefix, ()), digest)
        if found is None:
            return Refused(Why.UNKNOWN)
        now = self._clock()
        if found.is_revoked:
            return Refused(Why.REVOKED, found.caller.name)
        if found.expires_at <= now:
            return Refused(Why.EXPIRED, found.caller.name)
        self._note_use(found.caller.key_id, now)
        return found.caller

    async def close(self) -> None:
        """Wait for the notes of last use that are still under way."""
        await asyncio.gather(*self._notes)

    async def _load(self) -> Mapping[str, Sequence[_Known]]:
        """The keys by prefix."""
        began_at = self._clock()
        rows = await with_app_tables(self._pool, lambda connection: connection.fetch(LOAD))
        known: dict[str, list[_Known]] = {}
        for row in rows:
            caller = Caller(row["key_id"], row["name"], Role(row["role"]))
            left = row["seconds_left"]
            expires_at = float("inf") if left is None else began_at + left
            known.setdefault(row["prefix"], []).append(
                _Known(caller, row["key_hash"], row["is_revoked"], expires_at)
            )  # fmt: skip
        return known

    def _note_use(self, key_id: int, now: float) -> None:
        if now - self._noted_at.get(key_id, float("-inf")) < LAST_USED_EVERY_SECONDS:
            return
        self._noted_at[key_id] = now
        task = asyncio.create_task(self._write_use(key_id))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _write_use(self, key_id: int) -> None:
        try:
            await with_app_tables(
                self._pool, lambda connection: connection.execute(NOTE_USE, key_id, LAST_USED_EVERY_SECONDS)
            )
        except Exception as error:  # nobody waits for this task, and the request it came from is answered
            log.warning("last use of a key not noted", key_id=key_id, error=type(error).__qualname__)


def _match(known: Sequence[_Known], digest: bytes) -> _Known | None:
    found = None
    for each in known:
        if hmac.compare_digest(each.digest, digest):
            found = each
    return found
