"""`app.audit_log`: who did what by hand, from where, and who was refused. Entries are added; `redact` empties some.

Each entry is a link of a chain of hashes (`app.audit_chain`, decision 87), which a trigger adds at the commit and
`verify` walks. Everything that writes an entry does so here (psycopg) or in `api/audit_writer.py` (asyncpg), in the
transaction of the deed itself, so that there is neither a deed without an entry nor an entry without a deed.
"""

import hashlib
import json
import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.rows import class_row

from core.errors import TutorqError


class Action(StrEnum):
    """Kinds of log entries. A value is never renamed: old entries keep it."""

    KEY_CREATE = "key.create"
    KEY_ROTATE = "key.rotate"
    KEY_REVOKE = "key.revoke"
    KEY_REFUSED = "key.refused"
    PERSON_ADD = "person.add"
    PERSON_CHANGE = "person.change"
    PERSON_REMOVE = "person.remove"
    PERSON_TEAM = "person.team"
    LOGIN_LINK_CREATE = "login_link.create"
    LOG_IN = "log_in"
    LOG_IN_REFUSED = "log_in.refused"
    LOG_OUT = "log_out"
    LOG_IN_END = "log_in.end"
    SESSION_OVERRIDE = "session.override"
    RESCHEDULE_OVERRIDE = "reschedule.override"
    SESSION_DELETE = "session.delete"
    SESSION_CORRECT = "session.correct"
    QUARANTINE_DISMISS = "quarantine.dismiss"
    EXCUSE_ADD = "excuse.add"
    EXCUSE_REMOVE = "excuse.remove"
    CASE_OPEN = "case.open"
    CASE_CHANGE = "case.change"
    CASE_NOTE = "case.note"
    CASE_CONTACT = "case.contact"
    CASE_STAND_IN = "case.stand_in"
    APPEAL_OPEN = "appeal.open"
    APPEAL_DECIDE = "appeal.decide"
    APPEAL_WITHDRAW = "appeal.withdraw"
    PAGE_LINK_CREATE = "page_link.create"
    PAGE_LINK_REVOKE = "page_link.revoke"
    PAGE_LINK_REFUSED = "page_link.refused"
    STUDENT_ADD = "student.add"
    STUDENT_CHANGE = "student.change"
    TUTOR_ADD = "tutor.add"
    TUTOR_CHANGE = "tutor.change"
    ASSIGNMENT_COMPUTE = "assignment.compute"
    ASSIGNMENT_ACCEPT = "assignment.accept"
    OFFER_ACCEPT = "offer.accept"
    PREDICTIONS_START = "predictions.start"
    MODEL_TRAIN = "model.train"
    EXPORT = "export"
    ANALYST_ADD = "analyst.add"
    ANALYST_REMOVE = "analyst.remove"
    MAIL_OPTED_OUT = "mail.opted_out"
    NOTIFICATIONS_CHANGE = "notifications.change"
    WEBHOOK_ADD = "webhook.add"
    WEBHOOK_CHANGE = "webhook.change"
    WEBHOOK_REMOVE = "webhook.remove"
    WEBHOOK_SECRET = "webhook.secret"  # noqa: S105
    WEBHOOK_TEST = "webhook.test"
    WEBHOOK_REPLAY = "webhook.replay"
    MAIL_TEST = "mail.test"
    DATA_EXPORT = "data.export"
    DATA_ERASE = "data.erase"
    DATA_ALLOW = "data.allow"
    SETTING_CHANGE = "setting.change"
    SCORING_APPLY = "scoring.apply"
    SECRETS_ROTATE = "secrets.rotate"
    AUDIT_REDACT = "audit.redact"
    AUDIT_FORGET = "audit.forget"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be written. `details` says the rest, as JSON; it never holds a secret. `address` is the client's."""

    actor: str
    action: Action
    subject_kind: str
    subject_id: str
    details: Mapping[str, Any] = field(default_factory=dict)
    address: str | None = None


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One row of the log."""

    entry_id: int
    happened_at: datetime
    actor: str
    action: str
    subject_kind: str
    subject_id: str
    details: Mapping[str, Any]
    address: str | None


# For one parameter: the entries as a JSON array.
INSERT = """
insert into app.audit_log (actor, action, subject_kind, subject_id, details, address)
select actor, action, subject_kind, subject_id, details, address
from jsonb_to_recordset({parameter}::text::jsonb)
    as entry (actor text, action text, subject_kind text, subject_id text, details jsonb, address text)
"""
FIND = """
select entry_id, happened_at, actor, action, subject_kind, subject_id, details, address
from app.audit_log
where (%(actor)s::text is null or strpos(lower(actor), lower(%(actor)s)) > 0)
    and (%(actions)s::text[] is null or action = any(%(actions)s))
    and (%(since)s::timestamptz is null or happened_at >= %(since)s)
    and (%(until)s::timestamptz is null or happened_at < %(until)s)
order by entry_id desc
limit %(limit)s
"""

START = bytes(32)
# Put together by the server, because Python writes JSON differently; hashed here, whatever functions the database has.
# One statement, so that one state is looked at while entries are added.
LINKS = """
with redacted as (
    select subject_id, array_agg(details ->> 'sha256') as digests
    from app.audit_log
    where action = 'audit.redact'
    group by subject_id
)

select
    chain.place, chain.entry_id, chain.digest, chain.hash,
    case when entry.entry_id is not null then
        jsonb_build_array(
            entry.entry_id, (extract(epoch from entry.happened_at) * 1000000)::bigint, entry.actor, entry.action,
            entry.subject_kind, entry.subject_id, entry.details, entry.address, entry.salt
        )::text
    end as written,
    redacted.digests as redacted,
    case when chain.place = (select min(place) from app.audit_chain) then (
        select array_agg(details ->> 'hash') from app.audit_log
        where action = 'audit.forget' and subject_kind = 'audit_log' and subject_id = (chain.place - 1)::text
    ) end as hangs_on
from app.audit_chain as chain
left join app.audit_log as entry on entry.entry_id = chain.entry_id
left join redacted on redacted.subject_id = chain.entry_id::text
where chain.place > (
    select coalesce(max(place) - coalesce(%(last)s::bigint, max(place)), 0) from app.audit_chain
)
order by chain.place
"""
UNCHAINED = """
select min(entry.entry_id) from app.audit_log as entry
where not exists (select from app.audit_chain as chain where chain.entry_id = entry.entry_id)
"""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain. Whoever has noted one elsewhere can tell later that nothing before it was replaced."""

    place: int
    hash: str

    def __str__(self) -> str:
        return f"{self.place}:{self.hash}"


class BrokenChainError(TutorqError):
    """An entry was changed, deleted or put in, or the chain was; says which one is the first."""


@dataclass(frozen=True, slots=True)
class _Link:
    """A link, its entry as it is (None if it is gone), the digests it was redacted to, and, of the first link that is
    left, the hashes that entries `audit.forget` say it hangs on."""

    place: int
    entry_id: int
    digest: bytes
    hash: bytes
    written: str | None
    redacted: list[str] | None
    hangs_on: list[str] | None

    def check(self, before: "_Link | None") -> None:
        """
        Raises:
            BrokenChainError: it does not fit the link before it, or its entry.
        """
        if before is None and self.place > 1:
            hung = any(self._hash_on(bytes.fromhex(each)) == self.hash for each in self.hangs_on or ())
            if not hung:
                raise BrokenChainError(f"what was before {self} is missing, and no entry `audit.forget` says so")
        elif before is not None and self.place != before.place + 1:
            raise BrokenChainError(f"links between {before} and {self} are missing")
        elif self._hash_on(before.hash if before else START) != self.hash:
            raise BrokenChainError(f"{self} does not fit the link before it")
        if self.written is None:
            raise BrokenChainError(f"the entry of {self} was deleted")
        found = hashlib.sha256(self.written.encode())
        if found.digest() != self.digest and found.hexdigest() not in (self.redacted or ()):
            raise BrokenChainError(f"the entry of {self} was changed")

    def _hash_on(self, before: bytes) -> bytes:
        return hashlib.sha256(before + self.place.to_bytes(8) + self.digest).digest()

    def __str__(self) -> str:
        return f"link {self.place} (entry {self.entry_id})"


def as_json(entries: Sequence[Entry]) -> str:
    """What `INSERT` takes."""
    return json.dumps([asdict(entry) for entry in entries], ensure_ascii=False, default=str)


def record(connection: psycopg.Connection, *entries: Entry) -> None:
    """Write entries in the transaction of the connection."""
    connection.execute(INSERT.format(parameter="%s"), [as_json(entries)])


def find(
    connection: psycopg.Connection,
    *,
    actor: str | None = None,
    actions: Sequence[Action] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
) -> list[StoredEntry]:
    """The newest entries that fit; `actor` is any part of the name, `until` is exclusive."""
    values = {"actor": actor, "actions": list(actions) or None, "since": since, "until": until, "limit": limit}
    with connection.cursor(row_factory=class_row(StoredEntry)) as cursor:
        return cursor.execute(FIND, values).fetchall()


def verify(connection: psycopg.Connection, *, last: int | None = None, noted: Head | None = None) -> Head:
    """Walk the chain, and return its end.

    Args:
        last: only so many links at the end, and no search for entries without a link.
        noted: an end of before; the link at its place must have the same hash.

    Raises:
        BrokenChainError: the first entry that does not fit.
    """
    head, before = Head(0, START.hex()), None
    with connection.transaction(), connection.cursor("links", row_factory=class_row(_Link)) as links:
        links.itersize = 5_000
        for link in links.execute(LINKS, {"last": last}):
            if before is None and last is not None and link.place > 1:
                before = link  # taken as it is
            else:
                link.check(before)
                before = link
            if noted and link.place == noted.place and link.hash.hex() != noted.hash:
                raise BrokenChainError(f"{link} is not the one that was noted")
            head = Head(link.place, link.hash.hex())
    if noted and noted.place > head.place:
        raise BrokenChainError(f"the chain ends at link {head.place}, before the one that was noted")
    if last is None:
        (unchained,) = connection.execute(UNCHAINED).fetchone() or (None,)
        if unchained is not None:
            raise BrokenChainError(f"entry {unchained} has no link: it was put in past the trigger")
    return head


def redact(
    connection: psycopg.Connection,
    entry_ids: Sequence[int],
    *,
    by: str,
    actor: str | None = None,
    subject_id: str | None = None,
) -> int:
    """Empty details and address of these entries, because they are about a person who is to be forgotten.

    For each, an entry `audit.redact` notes its new digest, so the chain still holds. Only the owner of the database
    may.

    Args:
        by: who does it, as the log names them.
        actor: instead of who did it, if that is the person.
        subject_id: instead of what it was done to, if that names the person.

    Returns:
        How many entries were redacted.
    """
    row = connection.execute(
        "select app.redact_audit(%s, %s, %s, %s)", [list(entry_ids), by, actor, subject_id]
    ).fetchone()
    assert row is not None
    return int(row[0])


def operator() -> str:
    """Who is at the command line, as the log names them."""
    return f"command line ({operator_name()})"


def operator_name() -> str:
    """The user of the process, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need not have a name
        return f"uid-{os.getuid()}"
