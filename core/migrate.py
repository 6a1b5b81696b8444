"""Bring the schemas that tutorq owns (`raw`, `app`, `ml`) to the newest version."""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg.errors import DuplicateSchema, InsufficientPrivilege
from sqlalchemy.exc import ProgrammingError

from core.database import Database
from core.errors import TutorqError

if TYPE_CHECKING:
    from sqlalchemy import Connection

MIGRATIONS_DIR = Path(__file__).parent / "migrations"
ROLES_VERSION = "0012"


def migrate(database: Database, revision: str = "head", *, with_dagster: bool = True) -> str | None:
    """Run Alembic up to `revision`; running it again changes nothing. Safe to call from several processes.

    Databases that are missing are made, Dagster's too unless its login is still to be made.

    Returns:
        The older version that the schema had before; None if it was up to date, or not there.

    Raises:
        TutorqError: this login is not the owner of the database, or may not do what the roles need, or a schema of
            somebody else has the name of one of tutorq's, or the schema is of a newer tutorq.
    """
    if with_dagster:
        database.ensure_databases()
    else:
        database.ensure_database()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    config.attributes["engine"] = database.sqlalchemy_engine()
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        if newer := newer_schema(config.attributes["version_before"]):
            raise TutorqError(newer) from error
        raise
    except ProgrammingError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            raise TutorqError(f"the database could not be migrated: {error.orig.diag.message_primary}") from error
        if isinstance(error.orig, DuplicateSchema):
            raise TutorqError(
                f"the database could not be migrated: {error.orig.diag.message_primary}, and tutorq needs one of that "
                "name for itself; rename it first (`alter schema … rename to …`)"
            ) from error
        raise
    before: str | None = config.attributes["version_before"]
    return before if before != newest_version() else None


def schema_version(connection: "Connection") -> str | None:
    """The version that the schema has; None if it is not there."""
    return MigrationContext.configure(connection, opts={"version_table_schema": "app"}).get_current_revision()


def newest_version() -> str | None:
    """The version that this code brings the schema to."""
    return ScriptDirectory(str(MIGRATIONS_DIR)).get_current_head()


def newer_schema(present: str | None) -> str | None:
    """Why this code cannot work with a schema of this version: a newer tutorq made it. None if it can."""
    if present is None or present in known_versions():
        return None
    return (
        f"the schema of the database is of a newer tutorq (schema {present}) than this one ({version('tutorq')}, "
        f"schema {newest_version()}); install the newer one"
    )


def known_versions() -> set[str]:
    """All versions of the schema that this code can bring to the newest one, and that one."""
    return {script.revision for script in ScriptDirectory(str(MIGRATIONS_DIR)).walk_revisions()}


def ensure_roles(connection: psycopg.Connection) -> None:
    """Make the roles, which belong to the server and not to the database, as the migration makes them.

    Raises:
        TutorqError: this login may not, or an administrator has to grant it one of them.
    """
    roles = ScriptDirectory(str(MIGRATIONS_DIR)).get_revision(ROLES_VERSION).module.ROLES
    try:
        connection.execute(roles)
    except psycopg.errors.InsufficientPrivilege as error:
        raise TutorqError(f"the roles could not be made: {error.diag.message_primary}") from error
