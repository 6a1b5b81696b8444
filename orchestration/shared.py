"""What several machines have to have in common to do the work of one installation."""

from core.code_version import code_version
from core.database import Database
from core.erased import NOT_SET
from core.errors import TutorqError
from core.settings import Settings


def check_shared(settings: Settings, database: Database) -> None:
    """Whether the settings name a database, a model store and a key of erasures that other machines can have, too;
    connects to nothing.

    Raises:
        TutorqError: one of them is of this machine alone.
    """
    if database.is_embedded:
        raise TutorqError(
            "workers need TUTORQ_DATABASE_URL (or the logins of their own): the embedded Postgres is one machine's"
        )
    if settings.model_store is None:
        raise TutorqError(
            "workers need TUTORQ_MODEL_STORE, s3://bucket/prefix or a folder that all machines mount: what one trains, "
            "the others predict by"
        )
    if settings.erasure_key is None:
        raise TutorqError(f"workers need the same key: {NOT_SET}")


def note_code_version(database: Database) -> None:
    """Tell workers which code the code location has."""
    with database.connect() as connection:
        connection.execute(
            """
            insert into app.code_location (code_version) values (%s)
            on conflict (only_row) do update set code_version = excluded.code_version, started_at = now()
            """,
            [code_version()],
        )


def check_code_version(database: Database) -> None:
    """Raises TutorqError if the code location has other code than this process."""
    with database.connect() as connection:
        row = connection.execute("select code_version from app.code_location").fetchone()
    if row is None:
        raise TutorqError("no code location has been started on this database yet; start it first")
    if row[0] != code_version():
        raise TutorqError(
            f"this is tutorq {code_version()}, the code location is {row[0]}; start both from one version"
        )
