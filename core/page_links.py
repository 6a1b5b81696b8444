"""Links to tutors' own pages, kept in `app.page_links` until they expire or somebody revokes them.

The token stands behind the `#` of the link, as that of a log-in link does, so browsers send it to no server and no log
has it. The SQL has numbered parameters, as asyncpg wants them in the API, and psycopg's `RawCursor` here.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from core import audit, keys
from core.audit import Action
from core.errors import TutorqError
from core.settings import Settings

SUBJECT = "tutor"
PATH = "/my/open"
RANDOM_BYTES = 32

FORGET_EXPIRED = "delete from app.page_links where expires_at < now()"
# Of a row of raw.tutors: whether their page opens. Who was made inactive can still read for a while why, and appeal.
OPENS = """(
    tutors.is_active
    or exists (
        select from app.departed_tutors as departed
        where departed.tutor_id = tutors.tutor_id and departed.left_at > now() - {left_for}::interval
    )
)"""
# Nobody gets a link who is gone: the page would not open.
INSERT = f"""
insert into app.page_links (token_hash, tutor_id, made_by, expires_at)
select $1, tutors.tutor_id, $3, now() + $4::interval
from raw.tutors as tutors
where tutors.tutor_id = $2 and {OPENS.format(left_for="$5")}
returning expires_at
"""
REVOKE = "delete from app.page_links where tutor_id = $1 returning expires_at > now() as was_valid"


@dataclass(frozen=True, slots=True)
class PageLink:
    """A link, which cannot be had again, and until when it opens the page."""

    url: str
    expires_at: datetime


def new_token() -> str:
    """A token of 256 bits, as it stands in the link."""
    return secrets.token_urlsafe(RANDOM_BYTES)


def lifetime(settings: Settings) -> timedelta:
    """How long a new link opens the page."""
    return timedelta(days=settings.page_link_days)


def left_for(settings: Settings) -> timedelta:
    """How long the page opens after its tutor was made inactive."""
    return timedelta(days=settings.page_days_after_leaving)


def url_of(settings: Settings, token: str) -> str:
    """The link with this token: at the address by which the API is reached from outside, if there is one."""
    return f"{(settings.public_url or settings.dashboard).rstrip('/')}{PATH}#token={token}"


def made_entry(actor: str, tutor_id: UUID, expires_at: datetime) -> audit.Entry:
    """What the audit log tells of a new link."""
    return audit.Entry(actor, Action.PAGE_LINK_CREATE, SUBJECT, str(tutor_id), {"expires_at": expires_at})


def create(connection: psycopg.Connection, settings: Settings, tutor_id: UUID, actor: str) -> PageLink:
    """A link that opens the tutor's own page until it expires.

    Raises:
        TutorqError: there is no such tutor, or they have not been active for too long.
    """
    token = new_token()
    with connection.transaction(), psycopg.RawCursor(connection) as cursor:
        cursor.execute(FORGET_EXPIRED)
        values = (keys.digest(token), tutor_id, actor, lifetime(settings), left_for(settings))
        row = cursor.execute(INSERT, values).fetchone()
        if row is None:
            raise TutorqError("there is no such tutor, or their page does not open any more")
        audit.record(connection, made_entry(actor, tutor_id, row[0]))
    return PageLink(url_of(settings, token), row[0])
