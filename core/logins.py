"""One-time links to the dashboard, kept in `app.login_tokens` until the API exchanges them for a cookie.

The token stands behind the `#` of the link, so browsers send it to no server and no log has it.
"""

import secrets
from datetime import timedelta

import psycopg

from core import audit, keys
from core.audit import Action
from core.keys import Role
from core.settings import Settings

LINK_LASTS = timedelta(minutes=10)
RANDOM_BYTES = 32
DEFAULT_NAME = "one-time link"


def create_link(
    connection: psycopg.Connection,
    settings: Settings,
    role: Role,
    name: str = DEFAULT_NAME,
    *,
    actor: str | None = None,
) -> str:
    """A link that logs one browser in, once, within ten minutes. `role` is read or admin: what the browser may do.

    `actor` is who the audit log names; by default the operator.
    """
    token = secrets.token_urlsafe(RANDOM_BYTES)
    with connection.transaction():
        connection.execute("delete from app.login_tokens where expires_at < now()")
        connection.execute(
            "insert into app.login_tokens (token_hash, name, role, expires_at) values (%s, %s, %s, now() + %s)",
            (keys.digest(token), name, role.value, LINK_LASTS),
        )
        details = {"role": role.value, "seconds": int(LINK_LASTS.total_seconds())}
        audit.record(
            connection,
            audit.Entry(actor or audit.operator(), Action.LOGIN_LINK_CREATE, "login_link", name, details),
        )
    return f"{settings.dashboard}/login#token={token}"
