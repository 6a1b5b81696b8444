"""Logins for processes, each a member of one role: then a process knows no password that lets it do more.

The settings name them, by the URLs that the processes connect with.
"""

from collections.abc import Mapping
from contextlib import suppress

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from core import postgres_urls
from core.database import Database, DatabaseRole, create_database
from core.errors import TutorqError
from core.migrate import migrate

# What Dagster has made in its database so far, as another login.
TABLES = """
select oid::regclass::text from pg_class
where relnamespace = 'public'::regnamespace and relkind = 'r' and relowner::regrole::text <> quote_ident(%s)
"""
# What the owner may not grant. A role that is still to be made is the owner's to grant; before version 16, so is every
# one for whoever has CREATEROLE. To a login that is not there nothing can be granted yet, so the owner needs the right.
GRANTS = """
select format(case when login_id is null then 'grant %%I to %%I with admin option' else 'grant %%I to %%I' end, role,
    case when login_id is null then current_user else login end)
from (
    select role, login, (select oid from pg_roles where rolname = role) as role_id,
        (select oid from pg_roles where rolname = login) as login_id
    from unnest(%s::text[], %s::text[]) as needed (role, login)
) as needed
cross join (select rolsuper, rolcreaterole from pg_roles where rolname = current_user) as owner
where
    role_id is not null and not coalesce(pg_has_role(login_id, role_id, 'member'), false)
    and not rolsuper and not (rolcreaterole and current_setting('server_version_num')::int < 160000)
    and not pg_has_role(current_user, role_id, 'member with admin option')
order by role
"""
DEFAULT_PORT = "5432"
DAGSTER = "TUTORQ_DAGSTER_DATABASE_URL"
# Of libpq's names.
WORDS = {"user": "user", "password": "password", "dbname": "database"}


def migrate_with_logins(database: Database) -> list[str]:
    """Migrate, and make the logins that the settings name, or give them these passwords; returns their names.

    The logins are made in one transaction, all or none. Dagster's login, if it is another than the owner's, may then
    make tables in Dagster's database, and gets those that are there. Running it again changes nothing.

    Raises:
        TutorqError: the settings name no login, a URL lacks something, or the owner may not do what it takes; told
            before anything is made, if it can be.
    """
    logins = {role: _credentials(f"TUTORQ_{role.setting.upper()}", url) for role, url in database.own_logins.items()}
    if not logins:
        raise TutorqError("no login to make: none of TUTORQ_INGEST_, _TRANSFORM_ and _API_DATABASE_URL is set")
    owner = _parameters("TUTORQ_DATABASE_URL", database.login_url, "user", "dbname")
    dagster = _parameters(DAGSTER, database.dagster_url, "user", "dbname")
    wanted = dict(logins.values())
    has_own_dagster = dagster["user"] != owner["user"] and _server(dagster) == _server(owner)
    if has_own_dagster:
        wanted.update([_credentials(DAGSTER, database.dagster_url)])
    database.ensure_database()
    so_far = "no login was made or changed"
    try:
        with database.connect(autocommit=True) as connection:
            members = {role: user for role, (user, _) in logins.items()}
            _refuse_beforehand(connection, wanted, members, dagster["dbname"] if has_own_dagster else None)
            if has_own_dagster:
                _ensure_database(connection, dagster["dbname"])
        migrate(database, with_dagster=not has_own_dagster)
        with database.connect() as connection:
            for user, password in wanted.items():
                _ensure_login(connection, user, password)
            for role, (user, _) in logins.items():
                _ensure_member(connection, role, user)
            if has_own_dagster:
                rights = sql.SQL("grant connect, create, temporary on database {} to {}")
                connection.execute(rights.format(sql.Identifier(dagster["dbname"]), sql.Identifier(dagster["user"])))
        so_far = "what was made stays, and running this again goes on from there"
        if has_own_dagster:
            with database.connect() as connection:
                _hand_over(connection, dagster["dbname"], dagster["user"])
    except psycopg.errors.InsufficientPrivilege as error:
        raise TutorqError(f"the logins are not complete: {error.diag.message_primary}; {so_far}") from error
    _try_out(database, owner, has_own_dagster=has_own_dagster)
    return sorted(wanted)


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


def _server(parameters: Mapping[str, str]) -> tuple[str | None, str]:
    return parameters.get("host"), parameters.get("port", DEFAULT_PORT)


def _refuse_beforehand(
    connection: psycopg.Connection, wanted: Mapping[str, str], members: Mapping[DatabaseRole, str], dagster: str | None
) -> None:
    """Raises TutorqError with what an administrator has to run, while nothing is half made."""
    row = connection.execute(
        """
        select
            quote_ident(current_user), quote_ident(%s), rolsuper or rolcreaterole, rolsuper or rolcreatedb,
            array(select name from unnest(%s::text[]) as name where name not in (select rolname from pg_roles)),
            exists (select from pg_database where datname = %s)
        from pg_roles where rolname = current_user
        """,
        [dagster, list(wanted), dagster],
    ).fetchone()
    assert row is not None, "whoever is connected is a role"
    owner, database, makes_roles, makes_databases, new, has_dagster = row
    statements = [f"alter role {owner} createrole"] if new and not makes_roles else []
    statements += [grant for (grant,) in connection.execute(GRANTS, [[*members], [*members.values()]])]
    if statements:
        raise TutorqError(
            f"{owner} may not make the logins {', '.join(wanted)} members of their roles, or make them at all; nothing "
            f"was changed; let an administrator run: {'; '.join(statements)};"
        )
    if dagster and not has_dagster and not makes_databases:
        raise TutorqError(
            f"there is no database {dagster}, and {owner} may not make it; let an administrator run: "
            f"create database {database} owner {owner} encoding 'UTF8' template template0"
        )


def _ensure_database(connection: psycopg.Connection, name: str) -> None:
    if connection.execute("select from pg_database where datname = %s", [name]).fetchone() is None:
        create_database(connection, name)


def _ensure_login(connection: psycopg.Connection, user: str, password: str) -> None:
    """Make a login, or give it this password. One that an administrator made, and this owner may not change, stays."""
    identifier = sql.Identifier(user)
    # Encrypted here, so that the password is in no log of the server.
    secret = sql.Literal(
        connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
    )
    if connection.execute("select from pg_roles where rolname = %s", [user]).fetchone() is None:
        connection.execute(sql.SQL("create role {} login password {}").format(identifier, secret))
        return
    with suppress(psycopg.errors.InsufficientPrivilege), connection.transaction():
        connection.execute(sql.SQL("alter role {} login password {}").format(identifier, secret))


def _ensure_member(connection: psycopg.Connection, role: DatabaseRole, user: str) -> None:
    if connection.execute("select pg_has_role(%s, %s, 'member')", [user, role]).fetchone() != (True,):
        connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(user)))


def _hand_over(connection: psycopg.Connection, name: str, user: str) -> None:
    """Let Dagster's login make tables in Dagster's database, and give it those that another login has made so far.

    The database stays the owner's: to give that away takes CREATEDB.
    """
    identifier = sql.Identifier(user)
    address = make_conninfo(connection.info.dsn, password=connection.info.password, dbname=name)
    with psycopg.connect(address) as dagster:
        may_create = dagster.execute("select has_schema_privilege(%s, 'public', 'create')", [user]).fetchone()
        if may_create != (True,):
            dagster.execute(sql.SQL("grant usage, create on schema public to {}").format(identifier))
        if tables := dagster.execute(TABLES, [user]).fetchall():
            dagster.execute(sql.SQL("grant {} to current_user").format(identifier))
        for (table,) in tables:
            dagster.execute(sql.SQL("alter table {} owner to {}").format(sql.SQL(table), identifier))


def _try_out(database: Database, owner: Mapping[str, str], *, has_own_dagster: bool) -> None:
    """Whether everybody gets in. Logins at another address are for processes elsewhere, which may not be reached here.

    Raises:
        TutorqError: names the setting whose login is refused, and what to do.
    """
    for role, url in database.own_logins.items():
        if _server(_parameters(role.setting, url)) == _server(owner):
            try:
                with database.as_role(role).connect():
                    pass
            except TutorqError as error:
                raise TutorqError(
                    f"the login of TUTORQ_{role.setting.upper()} is refused, and this owner may not change it: {error}"
                ) from error
    if has_own_dagster:
        try:
            psycopg.connect(database.dagster_url).close()
        except psycopg.OperationalError as error:
            reason = " ".join(str(error).split())
            raise TutorqError(f"the login of {DAGSTER} is refused: {reason}") from error
