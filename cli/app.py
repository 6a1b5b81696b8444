"""The `tutorq` command: its verbs, put together.

Every verb says one clear line on error, and has `--json` where a script would read the answer. Verbs import what they
need when they run, so that `--help` is quick.
"""

import typer

from cli import audit, backup, database, demo, doctor, keys, load, matching, people, reports, scores, services
from core.processes import keep_files_private

app = typer.Typer(
    help="tutorq: sessions in, fair and explained tutor scores out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for verbs in (services.app, people.login_app, audit.app, load.app, scores.app, matching.app, demo.app, doctor.app):
    app.add_typer(verbs)
database.app.add_typer(backup.app)
app.callback()(keep_files_private)
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(people.app, name="people")
app.add_typer(reports.app, name="reports")

if __name__ == "__main__":
    app()
