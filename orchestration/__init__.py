"""The Dagster code location, and the `tutorq` command."""
