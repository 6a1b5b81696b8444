"""Alembic environment: migrations are plain SQL, run one transaction each under an advisory lock."""

from alembic import context
from sqlalchemy import text

from core import locks
from core.migrate import schema_version

with context.config.attributes["engine"].connect() as connection:
    # Two processes may start at once; the second waits and then finds nothing to do.
    connection.execute(text("select pg_advisory_lock(:key)"), {"key": locks.MIGRATION})
    connection.execute(text("create schema if not exists app"))
    context.config.attributes["version_before"] = schema_version(connection)
    connection.commit()
    context.configure(connection=connection, version_table_schema="app", transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
