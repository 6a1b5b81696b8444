"""`tutorq db`: where the database is, its schema, a shell on it."""

import os
import shlex
import shutil
import subprocess
from enum import StrEnum
from typing import Annotated

import typer

from cli.terminal import JsonFlag, err, open_platform, out, print_json, tells_errors
from core import postgres_urls
from core.database import Database
from core.embedded import LOOPBACK
from core.errors import TutorqError

app = typer.Typer(help="Manage the database: URL, schema, shell, backups.", no_args_is_help=True)


class ShellRole(StrEnum):
    """Role whose rights the shell has."""

    ANALYST = "analyst"
    INGEST = "ingest"
    TRANSFORM = "transform"
    API = "api"


@app.command("url")
@tells_errors
def url() -> None:
    """Print the database URL for psql and other tools. Starts the embedded server and leaves it running."""
    _, database = open_platform()
    _keep_for_others(database)
    print(database.login_url)


@app.command("env")
@tells_errors
def env() -> None:
    """Print PG* variables. After `eval "$(tutorq db env)"`, `psql` and `dbt` find the database."""
    _, database = open_platform()
    _keep_for_others(database)
    for name, value in database.libpq_environment().items():
        print(f"export {name}={shlex.quote(value)}")


@app.command("shell", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@tells_errors
def shell(
    context: typer.Context,
    role: Annotated[
        ShellRole | None, typer.Option("--role", help="Role whose rights to use. Default: the owner.")
    ] = None,
) -> None:
    """Open psql on the database. Further arguments go to psql: `tutorq db shell -c 'select 1'`.

    The analyst role sees the tables of `analytics`, with names masked.
    """
    _, database = open_platform()
    psql = shutil.which("psql") or str(database.embedded.psql)
    # The connection goes through the environment: a password on a command line is there for all to see.
    environment = {**os.environ, **database.libpq_environment()}
    if role is not None:
        environment["PGOPTIONS"] += f" --role=tutorq_{role}"
    if role is ShellRole.ANALYST:
        environment["PGOPTIONS"] += " -c search_path=analytics"
    raise typer.Exit(subprocess.run([psql, *context.args], env=environment, check=False).returncode)


@app.command("analyst")
@tells_errors
def analyst(
    login: Annotated[str, typer.Argument(metavar="LOGIN", help="Name of a person or a BI tool, such as metabase.")],
    names: Annotated[bool, typer.Option("--names", help="Also show names and e-mail addresses.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the login.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Create a login that reads `analytics` and print its URL once. For an existing login, change the password."""
    from core.analysts import make_analyst, remove_analyst

    _, database = open_platform()
    with database.connect() as connection:
        if remove:
            remove_analyst(connection, login)
            out.print(f"The login {login} is removed.", highlight=False, markup=False)
            return
        password = make_analyst(connection, login, names=names)
    parameters = {**postgres_urls.parse(database.login_url), "user": login, "password": password}
    port = database.embedded.tcp_port if database.is_embedded else None
    if port is not None:
        parameters |= {"host": LOOPBACK, "port": str(port)}
    url = postgres_urls.render(parameters)
    if as_json:
        print_json({"login": login, "names": names, "url": url})
        return
    print(url)
    err.print("Save the URL now: tutorq does not show it again.", highlight=False)
    if database.is_embedded and port is None:
        err.print("Programs of other users need TCP: set TUTORQ_EMBEDDED_PORT and start again.", highlight=False)


@app.command("migrate")
@tells_errors
def migrate(
    logins: Annotated[
        bool,
        typer.Option("--logins", help="Also create the logins of TUTORQ_INGEST_, _TRANSFORM_ and _API_DATABASE_URL."),
    ] = False,
) -> None:
    """Migrate the schemas raw, app and ml to the newest version."""
    from core.process_logins import migrate_with_logins

    _, database = open_platform(migrated=not logins, is_first=True)
    made = migrate_with_logins(database) if logins else []
    out.print("The schema is up to date.")
    if made:
        out.print(f"Logins: {', '.join(made)}.", highlight=False)


@app.command("stop")
@tells_errors
def stop() -> None:
    """Stop the embedded server that `db url` or `db env` left running."""
    _, database = open_platform(migrated=False)
    if not database.is_embedded:
        raise TutorqError("TUTORQ_DATABASE_URL names an external server, which tutorq cannot stop")
    database.embedded.stop()
    out.print("The embedded server has stopped.")


def _keep_for_others(database: Database) -> None:
    if database.is_embedded and database.embedded.keep_running():
        err.print("The embedded server keeps running. Stop it with `tutorq db stop`.", highlight=False)
