"""Logins that people and BI tools connect to the database with: they read `analytics`, and change nothing."""

import re
import secrets

import psycopg
from psycopg import sql

from core import audit
from core.errors import TutorqError

ANALYST, WITH_NAMES = "tutorq_analyst", "tutorq_analyst_names"
# Needs no quotes in SQL and no escapes in a URL.
LOGIN = re.compile(r"[a-z_][a-z0-9_]{0,62}")
KNOWN = """
select pg_has_role(oid, 'tutorq_analyst', 'member') and not rolsuper and rolcanlogin from pg_roles where rolname = %s
"""


def make_analyst(connection: psycopg.Connection, login: str, *, names: bool) -> str:
    """Make a login of the role `tutorq_analyst`, or give it a new password; returns the password.

    With `names` it sees names, e-mail addresses and reasons, too; without, it sees them masked.

    Raises:
        TutorqError: the name will not do or belongs to somebody else, or the owner may not make logins.
    """
    if not LOGIN.fullmatch(login):
        raise TutorqError(f"{login!r} is no login: use small letters, digits and _, 63 characters at most")
    password = secrets.token_urlsafe(24)
    # Encrypted here, so that the password is in no log of the server.
    secret = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    verb = "alter" if _is_analyst(connection, login) else "create"
    change = "grant {names} to {login}" if names else "revoke {names} from {login}"
    statements = (
        f"{verb} role {{login}} login password {{secret}}",
        "alter role {login} in database {database} set search_path = analytics",
        "grant {analyst} to {login}",
        change,
    )
    parts = {
        "login": sql.Identifier(login), "secret": sql.Literal(secret), "analyst": sql.Identifier(ANALYST),
        "names": sql.Identifier(WITH_NAMES), "database": sql.Identifier(connection.info.dbname),
    }  # fmt: skip
    try:
        for statement in statements:
            connection.execute(sql.SQL(statement).format(**parts))
    except psycopg.errors.InsufficientPrivilege as error:
        granted = f"{ANALYST}, {WITH_NAMES}" if names else ANALYST
        raise TutorqError(
            f"the owner of the database may not make this login ({error.diag.message_primary}); let an administrator "
            f"run: create role {login} login password '…' in role {granted}"
        ) from error
    _record(connection, audit.Action.ANALYST_ADD, login, names=names)
    return password


def remove_analyst(connection: psycopg.Connection, login: str) -> None:
    """
    Raises:
        TutorqError: there is no such analyst, something belongs to them, or the owner may not remove them.
    """
    if not _is_analyst(connection, login):
        raise TutorqError(f"there is no analyst {login}")
    try:
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.DependentObjectsStillExist) as error:
        raise TutorqError(f"{login} cannot be removed: {error.diag.message_primary}") from error
    _record(connection, audit.Action.ANALYST_REMOVE, login)


def _is_analyst(connection: psycopg.Connection, login: str) -> bool:
    """
    Raises:
        TutorqError: it is the login of somebody else, which must not get another password.
    """
    known = connection.execute(KNOWN, [login]).fetchone()
    if known == (False,):
        raise TutorqError(f"{login} is a role of this server that is no analyst; choose another name")
    return known is not None


def _record(connection: psycopg.Connection, action: audit.Action, login: str, **details: bool) -> None:
    audit.record(connection, audit.Entry(audit.operator(), action, "analyst", login, details))
