"""The `tutorq` command. Every verb: one clear line on error, `--json` where a script would read the answer."""

import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.matching import matching_app
from cli.terminal import JsonFlag, err, open_platform, out, plain_table, print_json, tells_errors
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import Settings

if TYPE_CHECKING:
    from ingest import FolderSummary

app = typer.Typer(
    help="tutorq: sessions in, fair and explained tutor scores out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
db_app = typer.Typer(help="The database: where it is, its schema, a shell on it.", no_args_is_help=True)
keys_app = typer.Typer(help="Keys of the API.", no_args_is_help=True)
app.add_typer(db_app, name="db")
app.add_typer(keys_app, name="keys")
reports_app = typer.Typer(help="Report mail: look at it, and send what is due.", no_args_is_help=True)
app.add_typer(reports_app, name="reports")
app.add_typer(matching_app)


@app.command()
@tells_errors
def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Fill an empty installation with a made-up marketplace.")
    ] = False,
) -> None:
    """Start everything in the foreground: database, scores, API, Dagster. Ctrl-C stops all of it."""
    from cli import up as services

    services.run(Settings(), demo=demo, console=out)


@app.command()
@tells_errors
def watch(
    once: Annotated[bool, typer.Option("--once", help="Look once, for cron; exit code 1 if it is silent.")] = False,
) -> None:
    """Mail an alert when the Dagster daemon is silent: nobody within Dagster can. `tutorq up` does it by itself."""
    from reports import watch as watching

    settings, database = open_platform(DatabaseRole.TRANSFORM)
    if not once:
        out.print("Looking after the Dagster daemon; Ctrl-C ends it.", highlight=False)
        watching.keep_watch(settings, database, time.sleep)
    if troubles := watching.silence(settings, database):
        watching.tell(settings, database, troubles)
        raise TutorqError(troubles[0].title)


@app.command("login-link")
@tells_errors
def login_link(
    role: Annotated[str, typer.Option(metavar="ROLE", help="read or admin")] = "admin",
    name: Annotated[str, typer.Option(metavar="TEXT", help="Who it is for; the audit log names them so.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Print a link that logs one browser in to the dashboard: once, and within ten minutes."""
    from core import logins
    from core.keys import Role

    if role not in (Role.READ, Role.ADMIN):
        raise TutorqError(f"role {role!r} is not one of read, admin")
    settings, database = open_platform()
    with database.connect() as connection:
        link = logins.create_link(connection, settings, Role(role), name.strip() or logins.DEFAULT_NAME)
    if as_json:
        print_json({"link": link, "role": role, "seconds": int(logins.LINK_LASTS.total_seconds())})
    else:
        out.print(link, soft_wrap=True, highlight=False, markup=False)


def newest_quarantined(database: Database, summary: "FolderSummary") -> list[tuple[str, int, str]]:
    """(file, line, reason) of rows that this load, the newest one, put into quarantine; five at most."""
    with database.connect() as connection:
        return connection.execute(
            """
            select source, line, reason from raw.quarantine
            where source = any(%s)
            order by last_seen_at desc, source, line
            limit %s
            """,
            [[file.source for file in summary.files], min(5, summary.quarantined)],
        ).fetchall()


@app.command()
@tells_errors
def load(
    folder: Annotated[Path, typer.Argument(help="Folder with tutors.*, students.*, sessions.*, reschedules.*")],
    as_json: JsonFlag = False,
) -> None:
    """Load landing files: CSV, gzipped CSV or Parquet. Bad rows go to quarantine, each with its reason."""
    from ingest import Progress as FileProgress
    from ingest import load_folder

    settings, database = open_platform(DatabaseRole.INGEST)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rows]:,} rows"), TimeElapsedColumn(),
        console=err, transient=True, disable=not err.is_terminal,
    ) as bars:  # fmt: skip
        tasks: dict[str, Any] = {}

        def show(step: FileProgress) -> None:
            if step.source not in tasks:
                tasks[step.source] = bars.add_task(step.source, total=step.bytes_total, rows=0)
            bars.update(
                tasks[step.source],
                completed=step.bytes_done,
                rows=step.rows_done,
                description=f"{step.source} ({step.phase})",
            )

        summary = load_folder(database, folder, timezone=settings.timezone, on_progress=show)
    if as_json:
        print_json(summary.to_dict())
    else:
        if summary.files:
            columns = ("read", "inserted", "updated", "unchanged", "quarantined")
            table = plain_table("file", *columns, "s")
            for file in summary.files:
                counts = [f"{getattr(file, column):,}" for column in columns]
                table.add_row(file.source, *counts, f"{file.seconds:.1f}")
            out.print(table)
        for file in summary.files:
            if file.unknown_columns:
                out.print(f"{file.source}: columns not known here, left out: {', '.join(file.unknown_columns)}")
        if summary.ignored:
            out.print(f"not landing files, left alone: {', '.join(summary.ignored)}")
        if summary.quarantined:
            for source, line, reason in newest_quarantined(database, summary):
                out.print(f"quarantined: {source} line {line}: {reason}", soft_wrap=True, highlight=False, markup=False)
            out.print("All quarantined rows are in raw.quarantine, each with line and reason: `tutorq db shell`.")
    problems = [failure.message for failure in summary.errors]
    problems += [
        f"{file.source}: none of its {file.read:,} rows could be taken" for file in summary.files if file.is_lost
    ]
    for problem in problems:
        err.print(f"[red]error:[/] {problem}", soft_wrap=True, highlight=False)
    if problems:
        raise typer.Exit(1)


@app.command()
@tells_errors
def score(
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Rebuild everything from the raw tables.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring every mart up to date with the raw tables (what Dagster does by itself under `tutorq up`)."""
    from core import dbt_runner

    settings, database = open_platform(DatabaseRole.TRANSFORM)
    started = time.monotonic()
    with err.status("Building the marts …"):
        dbt_runner.build(settings, database, full_refresh=full_refresh)
    with database.connect() as connection:
        generation, as_of = connection.execute("select generation, as_of from marts.publication").fetchone() or ("", "")
        statuses = dict(
            connection.execute("select risk_status, count(*) from marts.tutor_scores group by 1 order by 1").fetchall()
        )
    seconds = time.monotonic() - started
    if as_json:
        print_json({"generation": generation, "as_of": as_of, "tutors": statuses, "seconds": round(seconds, 2)})
        return
    out.print(f"Published generation {generation}, scores as of {as_of}, in {seconds:.1f} s.")
    out.print(", ".join(f"{count:,} {status}" for status, count in statuses.items()))


@app.command()
@tells_errors
def verify(as_json: JsonFlag = False) -> None:
    """Recompute the scores from the raw tables with pandas and SciPy, and compare them with the marts."""
    from verify import verify as run_verify

    settings, database = open_platform(DatabaseRole.TRANSFORM)
    with err.status("Recomputing …"):
        report = run_verify(database, settings=settings)
    if as_json:
        print_json(report.to_dict())
    else:
        out.print(report.to_table())
        if report.ok:
            out.print("[green]All scores are confirmed.[/]")
        else:
            out.print("[red]The marts differ from the recomputation.[/]")
            for note in report.notes:
                out.print(f"A likely cause: {note}", soft_wrap=True, highlight=False)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
@tells_errors
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to write the landing files to.")],
    tutors: Annotated[int, typer.Option(min=1, metavar="N", help="How many tutors.")] = 300,
    students: Annotated[int, typer.Option(min=1, metavar="N", help="How many students.")] = 3000,
    days: Annotated[int, typer.Option(min=1, metavar="N", help="Days of history, ending now.")] = 180,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed makes the same marketplace.")] = 7,
    as_json: JsonFlag = False,
) -> None:
    """Write landing files of a made-up but believable marketplace; the hidden truth goes to FOLDER/.truth."""
    from dataclasses import asdict

    from demo import write_demo

    settings = Settings()
    with err.status("Making up a marketplace …"):
        summary = write_demo(folder, tutors=tutors, students=students, days=days, seed=seed, timezone=settings.timezone)
    if as_json:
        print_json(asdict(summary))
        return
    out.print(
        f"{summary.sessions:,} sessions of {summary.tutors:,} tutors and {summary.students:,} students "
        f"since {summary.first_day} in {folder}. Load them with `tutorq load {folder}`."
    )


@app.command()
@tells_errors
def doctor(as_json: JsonFlag = False) -> None:
    """Check this installation and say what is wrong."""
    from cli.doctor import examine

    findings = examine()
    if as_json:
        print_json([finding.to_dict() for finding in findings])
    else:
        for finding in findings:
            mark = "[green]ok[/]   " if finding.ok else "[red]wrong[/]"
            out.print(f"{mark} {finding.what}: {finding.found}", soft_wrap=True, highlight=False)
            if finding.advice:
                out.print(f"      {finding.advice}", soft_wrap=True, highlight=False)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@db_app.command("url")
@tells_errors
def db_url() -> None:
    """Print the URL of the database, for psql and others. Starts the embedded server and leaves it on."""
    _, database = open_platform()
    _keep_for_others(database)
    print(database.url)


@db_app.command("env")
@tells_errors
def db_env() -> None:
    """Print PG* variables: after `eval "$(tutorq db env)"` plain `psql` and `dbt` find the database."""
    _, database = open_platform()
    _keep_for_others(database)
    for name, value in database.libpq_environment().items():
        print(f"export {name}={shlex.quote(value)}")


@db_app.command("shell", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@tells_errors
def db_shell(context: typer.Context) -> None:
    """Open psql on the database; further arguments go to psql (`tutorq db shell -c 'select 1'`)."""
    _, database = open_platform()
    psql = shutil.which("psql") or str(database.embedded.psql)
    # The connection goes through the environment: a password on a command line is there for all to see.
    environment = {**os.environ, **database.libpq_environment()}
    raise typer.Exit(subprocess.run([psql, *context.args], env=environment, check=False).returncode)


@db_app.command("migrate")
@tells_errors
def db_migrate(
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


@db_app.command("stop")
@tells_errors
def db_stop() -> None:
    """Stop the embedded server that `db url` or `db env` left on."""
    _, database = open_platform(migrated=False)
    if not database.is_embedded:
        raise TutorqError("TUTORQ_DATABASE_URL names an external server; stop it where it runs")
    database.embedded.stop()
    out.print("The embedded server is stopped.")


def _keep_for_others(database: Database) -> None:
    if database.is_embedded and database.embedded.keep_running():
        err.print("The embedded server stays on; `tutorq db stop` stops it.", highlight=False)


@keys_app.command("create")
@tells_errors
def keys_create(
    name: Annotated[str, typer.Option(metavar="TEXT", help="What the key is for.")],
    role: Annotated[str, typer.Option(metavar="ROLE", help="read, ingest or admin")] = "read",
    as_json: JsonFlag = False,
) -> None:
    """Make a key and print it once; only its hash is kept."""
    from core import keys

    try:
        wanted = keys.Role(role)
    except ValueError as error:
        raise TutorqError(f"role {role!r} is not one of {', '.join(keys.Role)}") from error
    _, database = open_platform()
    with database.connect() as connection:
        key = keys.create(connection, name, wanted)
    if as_json:
        print_json({"name": key.name, "role": key.role, "secret": key.secret})
    else:
        out.print(f"{key.secret}", highlight=False)
        err.print("Keep it: it is not shown again.", highlight=False)


@keys_app.command("list")
@tells_errors
def keys_list(as_json: JsonFlag = False) -> None:
    """List the keys, without their secrets."""
    from core import keys

    _, database = open_platform()
    with database.connect() as connection:
        rows = keys.list_keys(connection)
    if as_json:
        print_json(
            [
                {"name": key.name, "role": key.role, "prefix": key.prefix, "created_at": key.created_at,
                 "last_used_at": key.last_used_at, "revoked_at": key.revoked_at}
                for key in rows
            ]
        )  # fmt: skip
        return
    table = plain_table("name", "role", "begins with", "made", "last used", "revoked")
    for key in rows:
        moments = [f"{moment:%Y-%m-%d %H:%M}" if moment else "" for moment in
                   (key.created_at, key.last_used_at, key.revoked_at)]  # fmt: skip
        table.add_row(key.name, key.role, f"tq_{key.prefix}", *moments)
    out.print(table)


@keys_app.command("revoke")
@tells_errors
def keys_revoke(name: Annotated[str, typer.Argument(help="Name of the key.")]) -> None:
    """Revoke a key; the API refuses it within seconds."""
    from core import keys

    _, database = open_platform()
    with database.connect() as connection:
        keys.revoke(connection, name)
    out.print(f"The key {name} is revoked.")


@reports_app.command("preview")
@tells_errors
def reports_preview(
    kind: Annotated[str, typer.Argument(help="session_report, risk_alert, daily_digest, tutor_snapshot or alert")],
    tutor: Annotated[str | None, typer.Option(metavar="ID", help="The tutor it is about.")] = None,
    session: Annotated[str | None, typer.Option(metavar="ID", help="The session it is about.")] = None,
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.html", help="Where to write it; KIND.html by default.")
    ] = None,
) -> None:
    """Write a mail as it would look now, due or not, as .html. Nothing is queued, sent or opened."""
    from reports.preview import preview

    settings, database = open_platform(DatabaseRole.TRANSFORM)
    mail = preview(settings, database, kind, tutor=tutor, session=session)
    path = file or Path(f"{kind}.html")
    try:
        path.write_text(mail.html)
    except OSError as error:
        raise TutorqError(f"cannot write {path}: {error.strerror}") from error
    out.print(f"{path}: {mail.subject}", soft_wrap=True, highlight=False, markup=False)


@reports_app.command("send")
@tells_errors
def reports_send(
    failed: Annotated[
        bool, typer.Option("--failed", help="Also what was refused, given up or sent back before; it has not arrived.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Queue the mail that is due, and send what is queued (what Dagster does by itself under `tutorq up`)."""
    from reports import conditions, outbox, watch
    from reports.due import queue_due
    from reports.providers import provider_from

    settings, database = open_platform(DatabaseRole.TRANSFORM)
    provider = provider_from(settings)
    queued = queue_due(settings, database).to_dict()
    queued["alert"] = conditions.observe(settings, database, watch.silence(settings, database))
    again = outbox.requeue_failed(database) if failed else 0
    with err.status("Sending …"):
        sent = outbox.send_due(settings, database, provider, seconds=3600)
    if sent.busy:
        raise TutorqError("another sender is at work; it sends what is due")
    if as_json:
        print_json({"queued": {**queued, "failed_before": again}, **sent.to_dict()})
        return
    out.print(f"Queued {sum(queued.values()) + again:,} mails.")
    out.print(", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in sent.to_dict().items()))


if __name__ == "__main__":
    app()
