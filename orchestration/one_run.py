"""Imported after `warm` by the process that runs are forked from; not by workers, whose processes make one instance of
Dagster after the other."""

from orchestration.dagster_internals import keep_connections

keep_connections()
