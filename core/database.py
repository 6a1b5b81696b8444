"""Where the database is, and how to talk to it (psycopg 3)."""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

import psycopg
from psycopg import pq, sql

from core import postgres_urls
from core.embedded import EmbeddedPostgres
from core.errors import DatabaseUnreachableError, TutorqError
from core.server import server_problem
from core.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

DATABASE_NAME = "tutorq"
DAGSTER_DATABASE_NAME = "dagster"
APPLICATION_NAME = "tutorq"


class DatabaseRole(StrEnum):
    """What a process may do in the database (migrations 0001 and 0012; a table of them is in docs/operations.md).

    Analysts have a role, too, but no process of ours connects as one.
    """

    INGEST = "tutorq_ingest"
    TRANSFORM = "tutorq_transform"
    API = "tutorq_api"

    @property
    def setting(self) -> str:
        """The setting that gives processes of this role a login of their own."""
        return f"{self.removeprefix('tutorq_')}_database_url"


class Database:
    """The platform's database: external if a URL is set, else embedded.

    Without a role it is connected to as its owner, who migrates and hands out keys. With one, connections take that
    role at their start, be the login one of their own or the owner's; then all that they make belongs to the role.

    Making one connects to nothing; `url` starts the embedded server when it is first read and holds
    it until this process ends.
    """

    def __init__(self, settings: Settings, role: DatabaseRole | None = None) -> None:
        self._settings = settings
        self.role = role
        self._owner = Database(settings) if role else self
        self._embedded: EmbeddedPostgres | None = None
        self._url: str | None = None

    def as_role(self, role: DatabaseRole) -> "Database":
        """The same database, connected to as this role."""
        database = Database(self._settings, role)
        database._owner = self._owner  # one handle on the embedded server for all roles
        return database

    @property
    def settings(self) -> Settings:
        """Those that say where it is."""
        return self._settings

    @property
    def is_embedded(self) -> bool:
        return self._settings.database_url is None and not self.own_logins and self._settings.embedded == "on"

    @property
    def has_owner(self) -> bool:
        """Whether this process could connect as the owner; with logins of their own most need not be able to."""
        return self._settings.database_url is not None or self.is_embedded

    @property
    def own_logins(self) -> dict[DatabaseRole, str]:
        """URL of the login of its own that each role has, as the settings say."""
        return {role: url for role in DatabaseRole if (url := self._own_login(role))}

    @property
    def embedded(self) -> EmbeddedPostgres:
        """The embedded server of this home, whether or not it runs."""
        if self._owner is not self:
            return self._owner.embedded
        if self._embedded is None:
            self._embedded = EmbeddedPostgres(self._settings.home, self._settings.embedded_port)
        return self._embedded

    @property
    def url(self) -> str:
        """URL of the platform's database for connections of ours, as psycopg, asyncpg and psql take it.

        Raises:
            TutorqError: no setting says how to connect so, only how as others.
        """
        return postgres_urls.render(postgres_urls.for_session(postgres_urls.parse(self.login_url), self.role))

    @property
    def read_url(self) -> str:
        """URL of the standby that is read from, connected to as this role. Only where the settings name one."""
        assert self._settings.read_database_url is not None
        return postgres_urls.render(
            postgres_urls.for_session(postgres_urls.parse(self._settings.read_database_url), self.role)
        )

    @property
    def dagster_url(self) -> str:
        """URL of Dagster's own database: same server, separate database."""
        if url := self._settings.dagster_database_url:
            parameters = postgres_urls.parse(url)
        else:
            parameters = postgres_urls.parse(self._owner.login_url if self.has_owner else self.login_url)
            parameters["dbname"] = DAGSTER_DATABASE_NAME
        return postgres_urls.render(postgres_urls.for_session(parameters))

    def sqlalchemy_engine(self) -> "Engine":
        """An engine of SQLAlchemy on psycopg 3, without a pool (Alembic)."""
        from sqlalchemy import NullPool, create_engine

        # SQLAlchemy reads URLs in its own way, several hosts among them; libpq has read this one.
        return create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(self.url), poolclass=NullPool)

    def libpq_environment(self) -> dict[str, str]:
        """`PG*` variables for programs that read them: psql, and dbt through the shipped profile, which takes its role
        by itself. As a variable, the role would hold for Dagster's connections in the same process, too."""
        parameters = postgres_urls.for_session(postgres_urls.parse(self.login_url))
        if not {"host", "user"} <= parameters.keys() or "," in parameters["host"]:
            # dbt wants one host and one port, and has other defaults than libpq.
            parameters.pop("hostaddr", None)
            with self.connect() as connection:
                info = connection.info
                parameters |= {"host": info.host, "port": str(info.port), "user": info.user}
        return {
            option.envvar.decode(): str(parameters[option.keyword.decode()])
            for option in pq.Conninfo.get_defaults()
            if option.envvar and parameters.get(option.keyword.decode())
        }

    @contextmanager
    def connect(self, *, autocommit: bool = False) -> Iterator[psycopg.Connection]:
        """A connection in one transaction (or autocommit), closed on leaving.

        Raises:
            DatabaseUnreachableError: the server cannot be reached.
        """
        try:
            connection = psycopg.connect(self.url, autocommit=autocommit, application_name=APPLICATION_NAME)
        except psycopg.OperationalError as error:
            raise _unreachable(error) from error
        with connection:
            yield connection

    def ensure_database(self) -> None:
        """Create the platform's database if it is missing.

        Raises:
            TutorqError: tutorq cannot use it: the server is too old or a standby, or the database is read-only or not
                in UTF8.
        """
        _ensure_database(self.url)

    def ensure_databases(self) -> None:
        """Create the platform's and Dagster's database where they are missing; raises what `ensure_database` does."""
        self.ensure_database()
        _ensure_database(self.dagster_url)

    def release(self) -> None:
        """Let go of the embedded server, if this process holds it."""
        if self._owner is not self:
            self._owner.release()
        elif self._embedded is not None:
            self._embedded.release()
            self._url = None

    def check_settings(self) -> None:
        """Whether the settings say which database to connect to; connects to nothing and starts nothing.

        Raises:
            TutorqError: they do not; names those that are missing.
        """
        if self.has_owner or (self.role is not None and self._own_login(self.role)):
            return
        own = f"TUTORQ_{self.role.setting.upper()} or " if self.role else ""
        why = "the login of the database's owner"
        if not self.own_logins:
            why = "as TUTORQ_EMBEDDED=off keeps it from starting a database of its own"
        raise TutorqError(f"this needs {own}TUTORQ_DATABASE_URL, {why}")

    @property
    def login_url(self) -> str:
        """The URL as people and other programs take it: without the role that is taken on top, and with their own
        ways to write dates."""
        if self.role is not None and (own := self._own_login(self.role)):
            return own
        self.check_settings()
        if self.role is not None:
            return self._owner.login_url
        if self._url is None:
            self._url = self._settings.database_url or self._start_embedded(DATABASE_NAME)
        return self._url

    def _own_login(self, role: DatabaseRole) -> str | None:
        url: str | None = getattr(self._settings, role.setting)
        return url

    def _start_embedded(self, database: str) -> str:
        base = self.embedded.start()
        atexit.register(self.release)
        url = postgres_urls.render({**postgres_urls.parse(base), "dbname": database})
        _ensure_database(url)
        return url


def free_locks_of_vanished_hosts(connection: psycopg.Connection) -> None:
    """Have the server notice within half a minute that the machine at the other end is gone, and free what it holds;
    by default that takes hours. A process that ends is noticed at once."""
    for setting, value in (("idle", 15), ("interval", 5), ("count", 3)):
        connection.execute("select set_config(%s, %s, false)", [f"tcp_keepalives_{setting}", str(value)])


def _ensure_database(url: str) -> None:
    """Create the database that `url` names, unless it can be connected to and used."""
    parameters = postgres_urls.parse(url)
    name = parameters["dbname"]
    try:
        connection = psycopg.connect(url)
    except psycopg.OperationalError as error:
        if f'database "{name}" does not exist' not in str(error):
            raise _unreachable(error) from error
    else:
        with connection:
            if problem := server_problem(connection):
                raise TutorqError(problem)
        return
    try:
        with psycopg.connect(postgres_urls.render({**parameters, "dbname": "postgres"}), autocommit=True) as connection:
            create_database(connection, name)
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        pass  # another process was faster
    except psycopg.errors.InsufficientPrivilege as error:
        raise TutorqError(f"this database user may not create the database {name}; create it for them") from error
    except psycopg.Error as error:
        raise TutorqError(f"the database {name} does not exist and could not be created: {_one_line(error)}") from error
    _ensure_database(url)


def create_database(connection: psycopg.Connection, name: str) -> None:
    """In UTF8, of template0, which fits every encoding; template1 has that of the server, and what an administrator put
    there."""
    connection.execute(sql.SQL("create database {} encoding 'UTF8' template template0").format(sql.Identifier(name)))


def _unreachable(error: psycopg.OperationalError) -> DatabaseUnreachableError:
    reason = _one_line(error)
    if "unsupported startup parameter" in reason:
        reason += "; a pooler must pass the parameter `options` on: connect past it, or see docs/operations.md"
    return DatabaseUnreachableError(f"cannot reach the database: {reason}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
