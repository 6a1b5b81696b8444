"""Where the database is, and how to talk to it (psycopg 3)."""

import atexit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

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


class Database:
    """The platform's database: external if `TUTORQ_DATABASE_URL` is set, else embedded.

    Making one connects to nothing; `url` starts the embedded server when it is first read and holds
    it until this process ends.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._embedded: EmbeddedPostgres | None = None
        self._url: str | None = None

    @property
    def is_embedded(self) -> bool:
        return self._settings.database_url is None

    @property
    def embedded(self) -> EmbeddedPostgres:
        """The embedded server of this home, whether or not it runs."""
        if self._embedded is None:
            self._embedded = EmbeddedPostgres(self._settings.home)
        return self._embedded

    @property
    def url(self) -> str:
        """URL of the platform's database, as psycopg, asyncpg and psql take it."""
        if self._url is None:
            self._url = self._settings.database_url or self._start_embedded(DATABASE_NAME)
        return self._url

    @property
    def dagster_url(self) -> str:
        """URL of Dagster's own database: same server, separate database."""
        if self._settings.dagster_database_url:
            return self._settings.dagster_database_url
        parameters = conninfo_to_dict(self.url)
        parameters["dbname"] = DAGSTER_DATABASE_NAME
        return _url_from(parameters)

    def sqlalchemy_url(self) -> URL:
        """The same URL for SQLAlchemy on psycopg 3 (Alembic)."""
        from sqlalchemy.engine import make_url

        return make_url(self.url).set(drivername="postgresql+psycopg")

    def libpq_environment(self) -> dict[str, str]:
        """`PG*` variables for programs that read them: psql, and dbt through the shipped profile."""
        parameters = conninfo_to_dict(self.url)
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

    def ensure_databases(self) -> None:
        """Create the platform's and Dagster's database where they are missing."""
        for url in (self.url, self.dagster_url):
            _ensure_database(url)

    def release(self) -> None:
        """Let go of the embedded server, if this process holds it."""
        if self._embedded is not None:
            self._embedded.release()
            self._url = None

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
    text = url.render_as_string(hide_password=False)
    return text.replace("%2F", "/") if is_socket else text  # readable, and taken by all drivers


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
