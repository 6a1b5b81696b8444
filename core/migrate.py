"""Bring the schemas that tutorq owns (`raw`, `app`, `ml`) to the newest version."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.errors import DuplicateSchema, InsufficientPrivilege
from sqlalchemy.exc import ProgrammingError

from core.database import Database
from core.errors import TutorqError

MIGRATIONS_DIR = Path(__file__).parent / "migrations"
ROLES_VERSION = "0012"


def migrate(database: Database, revision: str = "head", *, with_dagster: bool = True) -> None:
    """Run Alembic up to `revision`; running it again changes nothing. Safe to call from several processes.

    Databases that are missing are made, Dagster's too unless its login is still to be made.

    Raises:
        TutorqError: this login is not the owner of the database, or may not do what the roles need, or a schema of
            somebody else has the name of one of tutorq's.
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
    except ProgrammingError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            raise TutorqError(f"the database could not be migrated: {error.orig.diag.message_primary}") from error
        if isinstance(error.orig, DuplicateSchema):
            raise TutorqError(
                f"the database could not be migrated: {error.orig.diag.message_primary}, and tutorq needs one of that "
                "name for itself; rename it first (`alter schema … rename to …`)"
            ) from error
        raise


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
