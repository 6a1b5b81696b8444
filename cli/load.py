"""`tutorq load`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.terminal import JsonFlag, err, open_platform, out, plain_table, print_json, tells_errors
from core import audit
from core.database import Database, DatabaseRole

if TYPE_CHECKING:
    from ingest import FolderSummary


app = typer.Typer()


@app.command()
@tells_errors
def load(
    folder: Annotated[Path, typer.Argument(help="Folder with tutors.*, students.*, sessions.*, reschedules.*")],
    override: Annotated[
        bool,
        typer.Option(
            "--override",
            help="These sessions and reschedules replace what is stored, even if that is newer. Needs the owner of the "
            "database; each replaced version is kept in the audit log.",
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Load landing files: CSV, gzipped CSV or Parquet. Bad rows go to quarantine, each with its reason."""
    from ingest import Progress as FileProgress
    from ingest import load_folder

    settings, database = open_platform(None if override else DatabaseRole.INGEST)
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

        override_by = audit.operator() if override else None
        summary = load_folder(database, folder, timezone=settings.timezone, override_by=override_by, on_progress=show)
    if as_json:
        print_json(summary.to_dict())
    else:
        if summary.files:
            columns = ("read", "inserted", "updated", "unchanged", "stale", "quarantined", "remarks")
            table = plain_table("file", *columns, "s")
            for file in summary.files:
                counts = [f"{getattr(file, column):,}" for column in columns]
                table.add_row(file.source, *counts, f"{file.seconds:.1f}")
            out.print(table)
        for file in summary.files:
            if file.unknown_columns:
                out.print(f"{file.source}: columns not known here, left out: {', '.join(file.unknown_columns)}")
        if summary.stale:
            out.print(f"{summary.stale:,} stale rows were left out: a newer version of them is stored.")
        if summary.ignored:
            out.print(f"not landing files, left alone: {', '.join(summary.ignored)}")
        if summary.quarantined:
            for source, line, reason in newest_quarantined(database, summary):
                out.print(f"quarantined: {source} line {line}: {reason}", soft_wrap=True, highlight=False, markup=False)
            out.print("All quarantined rows are in raw.quarantine, each with line and reason: `tutorq db shell`.")
        if summary.remarks:
            out.print(
                f"{summary.remarks:,} rows were taken without a cell that could not be read: "
                "remarks in raw.quarantine, each with line and reason."
            )
    problems = [failure.message for failure in summary.errors]
    problems += [
        f"{file.source}: none of its {file.read:,} rows could be taken" for file in summary.files if file.is_lost
    ]
    for problem in problems:
        err.print(f"[red]error:[/] {problem}", soft_wrap=True, highlight=False)
    if problems:
        raise typer.Exit(1)


def newest_quarantined(database: Database, summary: "FolderSummary") -> list[tuple[str, int, str]]:
    """(file, line, reason) of rows that this load, the newest one, put into quarantine; five at most."""
    with database.connect() as connection:
        return connection.execute(
            """
            select source, line, reason from raw.quarantine
            where source = any(%s) and not is_remark
            order by last_seen_at desc, source, line
            limit %s
            """,
            [[file.source for file in summary.files], min(5, summary.quarantined)],
        ).fetchall()
