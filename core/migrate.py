"""Bring the schemas that tutorq owns (`raw`, `app`, `ml`) to the newest version."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from core.database import Database

MIGRATIONS_DIR = Path(__file__).parent / "migrations"


def migrate(database: Database, revision: str = "head") -> None:
    """Run Alembic up to `revision`; running it again changes nothing. Safe to call from several processes."""
    database.ensure_databases()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_DIR))
    config.attributes["url"] = database.sqlalchemy_url()
    command.upgrade(config, revision)
