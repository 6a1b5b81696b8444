"""`tutorq db`: where the database is, its schema, a shell on it."""

import os
import shlex
import shutil
import subprocess
from typing import Annotated

import typer

from cli.terminal import err, open_platform, out, tells_errors
from core.database import Database
from core.errors import TutorqError

app = typer.Typer(help="The database: where it is, its schema, a shell on it.", no_args_is_help=True)


@app.command("url")
@tells_errors
def url() -> None:
    """Print the URL of the database, for psql and others. Starts the embedded server and leaves it on."""
    _, database = open_platform()
    _keep_for_others(database)
    print(database.login_url)


@app.command("env")
@tells_errors
def env() -> None:
    """Print PG* variables: after `eval "$(tutorq db env)"` plain `psql` and `dbt` find the database."""
    _, database = open_platform()
    _keep_for_others(database)
    for name, value in database.libpq_environment().items():
        print(f"export {name}={shlex.quote(value)}")


@app.command("shell", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@tells_errors
def shell(context: typer.Context) -> None:
    """Open psql on the database; further arguments go to psql (`tutorq db shell -c 'select 1'`)."""
    _, database = open_platform()
    psql = shutil.which("psql") or str(database.embedded.psql)
    # The connection goes through the environment: a password on a command line is there for all to see.
    environment = {**os.environ, **database.libpq_environment()}
    raise typer.Exit(subprocess.run([psql, *context.args], env=environment, check=False).returncode)


@app.command("migrate")
@tells_errors
def migrate(
    logins: Annotated[
        bool,
        typer.Option("--logins", help="Also make the logins of TUTORQ_INGEST_, _TRANSFORM_, _API_DATABASE_URL."),
    ] = False,
) -> None:
    """Bring the schemas raw, app and ml to the newest version."""
    from core.process_logins import migrate_with_logins

    _, database = open_platform(migrated=not logins)
    made = migrate_with_logins(database) if logins else []
    out.print("The schema is up to date.")
    if made:
        out.print(f"Logins: {', '.join(made)}.", highlight=False)


@app.command("stop")
@tells_errors
def stop() -> None:
    """Stop the embedded server that `db url` or `db env` left on."""
    _, database = open_platform(migrated=False)
    if not database.is_embedded:
        raise TutorqError("TUTORQ_DATABASE_URL names an external server; stop it where it runs")
    database.embedded.stop()
    out.print("The embedded server is stopped.")


def _keep_for_others(database: Database) -> None:
    if database.is_embedded and database.embedded.keep_running():
        err.print("The embedded server stays on; `tutorq db stop` stops it.", highlight=False)
