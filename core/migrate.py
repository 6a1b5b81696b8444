"""Bring the schemas that tutorq owns (`raw`, `app`, `ml`) to the newest version."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from psycopg.errors import DuplicateSchema, InsufficientPrivilege
from sqlalchemy.exc import ProgrammingError

from core.database import Database
from core.errors import TutorqError

MIGRATIONS_DIR = Path(__file__).parent / "migrations"


def migrate(database: Database, revision: str = "head") -> None:
    """Run Alembic up to `revision`; running it again changes nothing. Safe to call from several processes.

    Raises:
        TutorqError: this login is not the owner of the database, or may not do what the roles need, or a schema of
            somebody else has the name of one of tutorq's.
    """
    database.ensure_databases()
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
