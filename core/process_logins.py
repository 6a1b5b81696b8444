"""Logins for processes, each a member of one role: then a process knows no password that lets it do more.

The settings name them, by the URLs that the processes connect with.
"""

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from core import postgres_urls
from core.database import Database
from core.errors import TutorqError
from core.migrate import migrate

# What Dagster has made in its database so far, as another login.
TABLES = "select oid::regclass::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
DEFAULT_PORT = "5432"
DAGSTER = "TUTORQ_DAGSTER_DATABASE_URL"
# Of libpq's names.
WORDS = {"user": "user", "password": "password", "dbname": "database"}


def migrate_with_logins(database: Database) -> list[str]:
    """Make the logins that the settings name, or give them these passwords, and migrate; returns their names.

    Dagster's login, if it is another than the owner's, gets Dagster's database. Running it again changes nothing.

    Raises:
        TutorqError: the settings name no login, a URL lacks something, or the owner may not make any.
    """
    logins = {role: _credentials(f"TUTORQ_{role.setting.upper()}", url) for role, url in database.own_logins.items()}
    if not logins:
        raise TutorqError("no login to make: none of TUTORQ_INGEST_, _TRANSFORM_ and _API_DATABASE_URL is set")
    owner = _parameters("TUTORQ_DATABASE_URL", database.login_url, "user", "dbname")
    dagster = _parameters(DAGSTER, database.dagster_url, "user", "dbname")
    wanted = [*logins.values()]
    has_own_dagster = dagster["user"] != owner["user"] and _server(dagster) == _server(owner)
    if has_own_dagster:
        wanted.append(_credentials(DAGSTER, database.dagster_url))
    database.ensure_database()
    try:
        with database.connect(autocommit=True) as connection:
            for user, password in wanted:
                _ensure_login(connection, user, password)
            if has_own_dagster:
                _hand_over(connection, dagster["dbname"], dagster["user"])
        migrate(database)
        with database.connect() as connection:
            for role, (user, _) in logins.items():
                if user != role:
                    connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(user)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise TutorqError(f"the logins could not be made: {error.diag.message_primary}") from error
    return sorted({user for user, _ in wanted})


def _parameters(setting: str, url: str, *needed: str) -> dict[str, str]:
    """What a URL says; `needed` must be in it, because the defaults of libpq differ from machine to machine."""
    parameters = postgres_urls.parse(url)
    missing = [WORDS[name] for name in needed if name not in parameters]
    if missing:
        raise TutorqError(f"{setting} names no {' and no '.join(missing)}; `--logins` needs that in the URL")
    return parameters


def _credentials(setting: str, url: str) -> tuple[str, str]:
    parameters = _parameters(setting, url, "user", "password")
    return parameters["user"], parameters["password"]


def _server(parameters: dict[str, str]) -> tuple[str | None, str]:
    return parameters.get("host"), parameters.get("port", DEFAULT_PORT)


def _ensure_login(connection: psycopg.Connection, user: str, password: str) -> None:
    exists = connection.execute("select exists (select from pg_roles where rolname = %s)", [user]).fetchone()
    # Encrypted here, so that the password is in no log of the server.
    secret = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("{} role {} login password {}").format(
            sql.SQL("alter" if exists == (True,) else "create"), sql.Identifier(user), sql.Literal(secret)
        )
    )


def _hand_over(connection: psycopg.Connection, name: str, user: str) -> None:
    """Give Dagster's database to its login, with what is in it."""
    # Until Postgres 15 every member of a role could take it.
    is_old = connection.info.server_version < 160_000
    if connection.execute("select pg_has_role(%s, %s)", [user, "member" if is_old else "set"]).fetchone() != (True,):
        grant = "grant {} to current_user" if is_old else "grant {} to current_user with set true"
        connection.execute(sql.SQL(grant).format(sql.Identifier(user)))
    identifiers = sql.Identifier(name), sql.Identifier(user)
    if connection.execute("select from pg_database where datname = %s", [name]).fetchone() is None:
        connection.execute(
            sql.SQL("create database {} owner {} encoding 'UTF8' template template0").format(*identifiers)
        )
        return
    connection.execute(sql.SQL("alter database {} owner to {}").format(*identifiers))
    address = make_conninfo(connection.info.dsn, password=connection.info.password, dbname=name)
    with psycopg.connect(address) as dagster:
        for (table,) in dagster.execute(TABLES).fetchall():
            dagster.execute(sql.SQL("alter table {} owner to {}").format(sql.SQL(table), sql.Identifier(user)))
