"""Imported by the process that runs are forked from: all that a run needs, the definitions loaded."""

import dagster_postgres  # noqa: F401

from core.dbt_internals import warm_up as warm_up_dbt
from orchestration.dagster_internals import warm_up
from orchestration.definitions import defs

warm_up()
warm_up_dbt()
defs()
