"""Imported by the process that runs are forked from: all that a run needs, the definitions loaded."""

import gc

import dagster_postgres  # noqa: F401

from core.dbt_internals import warm_up as warm_up_dbt
from core.dbt_runner import DBT_PROJECT_DIR, PARSED_PATH
from orchestration.dagster_internals import warm_up
from orchestration.definitions import defs

warm_up()
warm_up_dbt(DBT_PROJECT_DIR, PARSED_PATH)
defs()
# Of what is here nothing becomes garbage: runs need not look through it.
gc.collect()
gc.freeze()
