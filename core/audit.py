"""`app.audit_log`: who did what by hand, and who was refused. Entries are added and never changed.

Everything that writes an entry does so here (psycopg) or in `api/audit_writer.py` (asyncpg), in the transaction of the
deed itself, so that there is neither a deed without an entry nor an entry without a deed.
"""

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


class Action(StrEnum):
    """What the log tells of. A value is never renamed: old entries keep it."""

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
    SETTING_CHANGE = "setting.change"
    SCORING_APPLY = "scoring.apply"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be written. `details` says the rest, as JSON; it never holds a secret."""

    actor: str
    action: Action
    subject_kind: str
    subject_id: str
    details: Mapping[str, Any] = field(default_factory=dict)


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


# For one parameter: the entries as a JSON array.
INSERT = """
insert into app.audit_log (actor, action, subject_kind, subject_id, details)
select actor, action, subject_kind, subject_id, details
from jsonb_to_recordset({parameter}::text::jsonb)
    as entry (actor text, action text, subject_kind text, subject_id text, details jsonb)
"""
FIND = """
select entry_id, happened_at, actor, action, subject_kind, subject_id, details
from app.audit_log
where (%(actor)s::text is null or strpos(lower(actor), lower(%(actor)s)) > 0)
    and (%(actions)s::text[] is null or action = any(%(actions)s))
    and (%(since)s::timestamptz is null or happened_at >= %(since)s)
    and (%(until)s::timestamptz is null or happened_at < %(until)s)
order by entry_id desc
limit %(limit)s
"""


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


def operator() -> str:
    """Who is at the command line, as the log names them."""
    return f"command line ({operator_name()})"


def operator_name() -> str:
    """The user of the process, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need not have a name
        return f"uid-{os.getuid()}"
