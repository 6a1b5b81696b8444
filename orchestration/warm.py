"""Imported by the process that runs are forked from: all that a run needs, the definitions loaded."""

import dagster._grpc.impl  # noqa: F401
import dagster_postgres  # noqa: F401
import dbt.adapters.postgres.impl
import dbt.cli.main  # noqa: F401

from orchestration.definitions import defs

defs()
