"""Where the database is, and how to talk to it (psycopg 3)."""

import atexit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import URL

from core.embedded import EmbeddedPostgres
from core.errors import DatabaseUnreachableError, TutorqError
from core.settings import Settings

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
    def is_embedded(self) -> bool:
        return self._settings.database_url is None and not self.own_logins

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
            self._embedded = EmbeddedPostgres(self._settings.home)
        return self._embedded

    @property
    def url(self) -> str:
        """URL of the platform's database, as psycopg, asyncpg and psql take it.

        Raises:
            TutorqError: no setting says how to connect so, only how as others.
        """
        return _taking_role(self._login_url, self.role) if self.role else self._login_url

    @property
    def dagster_url(self) -> str:
        """URL of Dagster's own database: same server, separate database."""
        if self._settings.dagster_database_url:
            return self._settings.dagster_database_url
        parameters = conninfo_to_dict(self._owner.url if self.has_owner else self._login_url)
        parameters["dbname"] = DAGSTER_DATABASE_NAME
        return _url_from(parameters)

    def sqlalchemy_url(self) -> URL:
        """The same URL for SQLAlchemy on psycopg 3 (Alembic)."""
        from sqlalchemy.engine import make_url

        return make_url(self.url).set(drivername="postgresql+psycopg")

    def libpq_environment(self) -> dict[str, str]:
        """`PG*` variables for programs that read them: psql, and dbt through the shipped profile, which takes its role
        by itself. As a variable, the role would hold for Dagster's connections in the same process, too."""
        parameters = conninfo_to_dict(self._login_url)
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
            raise DatabaseUnreachableError(f"cannot reach the database: {_one_line(error)}") from error
        with connection:
            yield connection

    def ensure_database(self) -> None:
        """Create the platform's database if it is missing."""
        _ensure_database(self.url)

    def ensure_databases(self) -> None:
        """Create the platform's and Dagster's database where they are missing."""
        self.ensure_database()
        _ensure_database(self.dagster_url)

    def release(self) -> None:
        """Let go of the embedded server, if this process holds it."""
        if self._owner is not self:
            self._owner.release()
        elif self._embedded is not None:
            self._embedded.release()
            self._url = None

    @property
    def _login_url(self) -> str:
        """URL without the role, which is taken on top."""
        if self.role is not None:
            return self._own_login(self.role) or self._owner.url
        if not self.has_owner:
            raise TutorqError("this needs TUTORQ_DATABASE_URL, the login of the database's owner")
        if self._url is None:
            self._url = self._settings.database_url or self._start_embedded(DATABASE_NAME)
        return self._url

    def _own_login(self, role: DatabaseRole) -> str | None:
        url: str | None = getattr(self._settings, role.setting)
        return url

    def _start_embedded(self, database: str) -> str:
        base = self.embedded.start()
        atexit.register(self.release)
        parameters = conninfo_to_dict(base)
        parameters["dbname"] = database
        url = _url_from(parameters)
        _ensure_database(url)
        return url


def _ensure_database(url: str) -> None:
    """Create the database that `url` names, unless it can be connected to."""
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError as error:
        if "does not exist" not in str(error):
            raise DatabaseUnreachableError(f"cannot reach the database: {_one_line(error)}") from error
    else:
        return
    parameters = conninfo_to_dict(url)
    name = str(parameters["dbname"])
    parameters["dbname"] = "postgres"
    with psycopg.connect(_url_from(parameters), autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # another process was faster
        except psycopg.errors.InsufficientPrivilege as error:
            raise TutorqError(f"this database user may not create the database {name}; create it for them") from error


def _taking_role(url: str, role: DatabaseRole) -> str:
    """The same URL, but connections take a role at their start: no statement of its own, and `reset role` keeps it."""
    parameters = conninfo_to_dict(url)
    parameters["options"] = f"{parameters.get('options', '')} --role={role}".strip()
    return _url_from(parameters)


def _url_from(parameters: Mapping[str, object]) -> str:
    """A URL from libpq parameters; a socket directory and options such as sslmode go into the query."""
    given = {name: str(value) for name, value in parameters.items() if value is not None}
    host = given.pop("host", "")
    is_socket = host.startswith("/")
    port = given.pop("port", None)
    url = URL.create(
        "postgresql",
        username=given.pop("user", "postgres"),
        password=given.pop("password", None),
        host=None if is_socket else host or None,
        port=int(port) if port and not is_socket else None,
        database=given.pop("dbname"),
        query={**({"host": host} if is_socket else {}), **given},
    )
    address, mark, query = url.render_as_string(hide_password=False).partition("?")
    # libpq takes a plus for a plus, and slashes are readable and taken by all drivers.
    return address + mark + query.replace("+", "%20").replace("%2F", "/" if is_socket else "%2F")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
