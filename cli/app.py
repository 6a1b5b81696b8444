"""The `tutorq` command: its verbs, put together.

Every verb says one clear line on error, and has `--json` where a script would read the answer. Verbs import what they
need when they run, so that `--help` is quick.
"""

import logging
from importlib.metadata import version
from typing import Annotated

import typer

from cli import (
    audit,
    backup,
    connectors,
    database,
    demo,
    doctor,
    keys,
    load,
    matching,
    mcp,
    people,
    person,
    policy,
    reports,
    scores,
    services,
    what_if,
)
from core.processes import keep_files_private


def _print_version(wanted: bool) -> None:
    if wanted:
        print(version("tutorq"))
        raise typer.Exit


app = typer.Typer(
    help="tutorq turns sessions into fair, explained tutor scores.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for verbs in (
    services.app,
    people.login_app,
    load.app,
    connectors.app,
    scores.app,
    what_if.app,
    matching.app,
    policy.app,
    demo.app,
    doctor.app,
    mcp.app,
):
    app.add_typer(verbs)
database.app.add_typer(backup.app)
app.add_typer(database.app, name="db")
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")
app.add_typer(people.app, name="people")
app.add_typer(person.app, name="person")
app.add_typer(reports.app, name="reports")
app.add_typer(what_if.settings_app, name="settings")


@app.callback()
def main(
    _: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    keep_files_private()
    # After Ctrl-C or a lost connection it would tell of the rollback, too, with the connection's address.
    logging.getLogger("psycopg").setLevel(logging.ERROR)


if __name__ == "__main__":
    app()
