"""One-time links to the dashboard, kept in `app.login_tokens` until the API exchanges them for a cookie.

The token stands behind the `#` of the link, so browsers send it to no server and no log has it.
"""

import secrets
from datetime import timedelta
from typing import Literal

import psycopg

from core import audit, keys
from core.audit import Action
from core.errors import TutorqError
from core.people import SUBJECT, Person
from core.settings import Settings

LINK_LASTS = timedelta(minutes=10)
RANDOM_BYTES = 32


def create_link(
    connection: psycopg.Connection,
    settings: Settings,
    person: Person,
    *,
    by: Literal["link", "mail"] = "link",
    actor: str | None = None,
    asked_from: str | None = None,
) -> str:
    """A link that logs one browser of this person in, once, within ten minutes.

    `by` says how it reaches them: given by whoever calls this, or mailed. `actor` is who the audit log names; by
    default the operator. `asked_from` is the client address that asked for a mailed one.

    Raises:
        TutorqError: the person is not active.
    """
    if not person.is_active:
        raise TutorqError(f"{person.email} is shut out; `tutorq people change {person.email} --active` lets them in")
    token = secrets.token_urlsafe(RANDOM_BYTES)
    with connection.transaction():
        connection.execute("delete from app.login_tokens where expires_at < now()")
        connection.execute(
            "insert into app.login_tokens (token_hash, person_id, opened_by, expires_at) "
            "values (%s, %s, %s, now() + %s)",
            (keys.digest(token), person.person_id, by, LINK_LASTS),
        )
        details = {"name": person.name, "role": person.role, "by": by, "seconds": int(LINK_LASTS.total_seconds())}
        if asked_from is not None:
            details["address"] = asked_from
        entry = audit.Entry(
            actor or audit.operator(), Action.LOGIN_LINK_CREATE, SUBJECT, str(person.person_id), details
        )
        audit.record(connection, entry)
    return f"{settings.dashboard}/login#token={token}"
