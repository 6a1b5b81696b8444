"""What processes of ours do first."""

import os

from core.settings import Settings, settings_of_process

# Files hold names, addresses and models: they are for this user alone, whatever the shell's habit is.
UMASK = 0o077


def keep_files_private() -> None:
    """What this process and its children make from now on is readable by this user only."""
    os.umask(UMASK)


def prepare_dagster() -> Settings:
    """For the processes of Dagster: private files, and the address of its database where `dagster.yaml` reads it.

    Under `tutorq up` it is in the environment; a container may have it in a file (`TUTORQ_SECRETS_DIR`).
    """
    keep_files_private()
    settings = settings_of_process()
    if settings.dagster_database_url:
        os.environ["TUTORQ_DAGSTER_DATABASE_URL"] = settings.dagster_database_url
    return settings
