"""Open sessions of browsers (`app.browser_sessions`): which are open, how long, and who ends them.

The SQL has numbered parameters, as asyncpg wants them in the API, and psycopg's `RawCursor` here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import class_row

from core import audit
from core.audit import Action
from core.people import Person

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
SUBJECT = "browser_session"

EXPIRES_AT = "least(session.last_seen_at + $2::interval, session.created_at + $3::interval)"
# Who it is and what they may do, as of now: a person who is shut out, or a key that has ended, ends it.
LIVE = f"""
select
    session.browser_session_id,
    coalesce(person.name, opener.name) as name,
    coalesce(person.role, opener.role) as role,
    session.person_id,
    session.api_key_id,
    {EXPIRES_AT} as expires_at
from app.browser_sessions as session
left join app.people as person on session.person_id = person.person_id
left join app.api_keys as opener on session.api_key_id = opener.key_id
where {EXPIRES_AT} > now()
    and (
        person.is_active
        or (opener.revoked_at is null and coalesce(opener.expires_at, 'infinity') > now() and session.person_id is null)
    )
"""
# $1 and $4: whose, a person's or a key's; $5: which one. Null: any.
CHOSEN = f"""
with live as ({LIVE}),

chosen as (
    select live.*, session.opened_by, session.created_at, session.last_seen_at, session.address, session.user_agent
    from live
    inner join app.browser_sessions as session on live.browser_session_id = session.browser_session_id
    where ($1::bigint is null or live.person_id = $1)
        and ($4::bigint is null or live.api_key_id = $4)
        and ($5::bigint is null or live.browser_session_id = $5)
)
"""
LIST = f"{CHOSEN} select * from chosen order by last_seen_at desc, browser_session_id"
END = f"""
{CHOSEN}

delete from app.browser_sessions as session
using chosen
where session.browser_session_id = chosen.browser_session_id
returning session.browser_session_id, chosen.name, chosen.person_id
"""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A browser that is logged in: for a person, or by a key. Address and user agent are those at log-in."""

    browser_session_id: int
    name: str
    role: str
    person_id: int | None
    api_key_id: int | None
    expires_at: datetime
    opened_by: str
    created_at: datetime
    last_seen_at: datetime
    address: str | None
    user_agent: str | None


def list_open(connection: psycopg.Connection, person: Person | None = None) -> Sequence[OpenSession]:
    """Open sessions of one person, or everybody's; the one used last first."""
    with psycopg.RawCursor(connection, row_factory=class_row(OpenSession)) as cursor:
        return cursor.execute(LIST, values(person.person_id if person else None)).fetchall()


def end(
    connection: psycopg.Connection,
    person: Person | None = None,
    *,
    session_id: int | None = None,
    actor: str | None = None,
) -> int:
    """End the open sessions of one person, one session, or, without either, all. Returns how many ended."""
    with connection.transaction(), psycopg.RawCursor(connection) as cursor:
        ended = cursor.execute(END, values(person.person_id if person else None, session_id=session_id)).fetchall()
        for number, name, person_id in ended:
            audit.record(connection, ended_entry(actor or audit.operator(), number, name, person_id))
    return len(ended)


def values(person_id: int | None, key_id: int | None = None, session_id: int | None = None) -> tuple[object, ...]:
    """Arguments of `LIST` and `END`."""
    return person_id, IDLE, LONGEST, key_id, session_id


def ended_entry(actor: str, session_id: int, name: str, person_id: int | None) -> audit.Entry:
    """What the audit log tells of a session that somebody ended."""
    return audit.Entry(actor, Action.LOG_IN_END, SUBJECT, str(session_id), {"name": name, "person_id": person_id})
