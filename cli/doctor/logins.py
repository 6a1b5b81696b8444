"""Whether every kind of process gets into the database, and if not, which statement lets it in."""

import psycopg
from psycopg.conninfo import conninfo_to_dict

from cli.doctor.finding import Finding
from core.database import Database, DatabaseRole
from core.errors import TutorqError

MAKE_LOGINS = "`tutorq db migrate --logins`"
LOGIN = """
select quote_ident(name), exists (select from pg_roles where rolname = name),
    exists (select from pg_roles where rolname = name and rolcanlogin),
    exists (select from pg_roles where rolname = %(role)s)
    and exists (select from pg_roles where rolname = name) and pg_has_role(name, %(role)s, 'member')
from (select coalesce(%(login)s, current_user) as name)
"""


def logins(connection: psycopg.Connection, database: Database) -> Finding:
    """`connection` is the owner's, who sees which logins there are."""
    refused = {role: error for role in DatabaseRole if (error := _refusal(database, role))}
    if not refused:
        own = ", ".join(database.own_logins) or "none"
        return Finding("roles", True, f"every process can connect as its own; with a login of its own: {own}")
    advice = dict.fromkeys(_advice(connection, database, role) for role in refused)
    return Finding("roles", False, "; ".join(dict.fromkeys(refused.values())), " ".join(advice))


def dagster_login(error: psycopg.OperationalError) -> Finding | None:
    """Dagster's database cannot be reached; None if there is none yet, as before the first start of Dagster."""
    reason = " ".join(str(error).split())
    if "database" in reason and "does not exist" in reason:
        return None
    if "password authentication failed" in reason or "does not exist" in reason:
        advice = f"{MAKE_LOGINS} makes the login of TUTORQ_DAGSTER_DATABASE_URL, or gives it that password."
    else:
        advice = "Check TUTORQ_DAGSTER_DATABASE_URL."
    return Finding("Dagster's database", False, f"cannot be reached: {reason}", advice)


def _refusal(database: Database, role: DatabaseRole) -> str | None:
    try:
        with database.as_role(role).connect() as connection:
            row = connection.execute("select current_user::text").fetchone()
    except TutorqError as error:
        return str(error)
    # A pooler that ignores `options` lets a process in as its login.
    return None if row == (role,) else f"connections of {role} are made as {row and row[0]}: a pooler ignores `options`"


def _advice(connection: psycopg.Connection, database: Database, role: DatabaseRole) -> str:
    """What lets processes of this role in."""
    url = database.own_logins.get(role)
    login = conninfo_to_dict(url).get("user") if url else None
    setting = f"TUTORQ_{role.setting.upper()}"
    row = connection.execute(LOGIN, {"login": login, "role": role.value}).fetchone()
    assert row is not None, "one name yields one row"
    name, exists, can_log_in, is_member = row
    if not exists:
        return f"There is no login {name}: {MAKE_LOGINS} makes it."
    if not can_log_in:
        return f"{name} has no login: {MAKE_LOGINS} gives it one."
    if not is_member and url:
        return (
            f"{name} is no member of {role}: {MAKE_LOGINS} makes it one; if this owner may not do that, let an "
            f"administrator run: grant {role} to {name};"
        )
    if not is_member:
        return f"Let an administrator run: grant {role} to {name}."
    if url:
        return f"Is the password of {name} in {setting} the right one? {MAKE_LOGINS} gives {name} that password."
    return "See the roles in docs/operations.md."
