"""`tutorq load`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.explain import explain_file
from cli.terminal import JsonFlag, err, open_platform, out, plain, plain_table, print_json, print_table, tells_errors
from core import audit
from core.database import Database, DatabaseRole
from core.settings import Settings
from core.words import plural

if TYPE_CHECKING:
    from ingest import FileSummary, FolderSummary

# Of the newest rows in quarantine, so many are shown for each file.
SHOWN_ROWS = 5
COUNTS = ("read", "inserted", "updated", "unchanged", "stale", "quarantined", "remarks")

app = typer.Typer()


@app.command()
@tells_errors
def load(
    folder: Annotated[
        Path, typer.Argument(help="Folder with tutors.*, students.*, sessions.* and reschedules.* files.")
    ],
    override: Annotated[
        bool,
        typer.Option(
            "--override",
            help="Replace stored sessions and reschedules, even newer ones. Needs the database owner. The audit log "
            "keeps each replaced version.",
        ),
    ] = False,
    strict: Annotated[
        bool | None,
        typer.Option(
            help="Refuse files for which tutorq must guess, for example the encoding. Default: TUTORQ_STRICT_FILES.",
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            help="Mapping for files in other formats. Default: mapping.yml in the folder, if present.",
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Load nothing. Show how tutorq would read one file (given instead of FOLDER), and draft a mapping if "
            "needed.",
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Load landing files: CSV, gzipped CSV, Excel or Parquet. Invalid rows go to quarantine with a reason."""
    from ingest import Progress as FileProgress
    from ingest import load_folder

    if explain:
        explain_file(folder, Settings(), mapping, as_json=as_json)
        return
    settings, database = open_platform(None if override else DatabaseRole.INGEST, is_first=True)
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
        summary = load_folder(
            database,
            folder,
            timezone=settings.timezone,
            mapping=mapping,
            override_by=override_by,
            is_strict=settings.strict_files if strict is None else strict,
            on_progress=show,
        )
    if as_json:
        print_json(summary.to_dict())
    else:
        _tell(summary, database)
    problems = [failure.message for failure in summary.errors]
    problems += [
        f"{file.source}: nothing loaded, {plural(file.read, 'row')} refused" for file in summary.files if file.is_lost
    ]
    problems += [f"{other.source} was ignored: {other.why}" for other in summary.neglected]
    for problem in problems:
        err.print(f"[red]error:[/] {plain(problem)}", soft_wrap=True, highlight=False)
    if problems:
        raise typer.Exit(1)


def _tell(summary: "FolderSummary", database: Database) -> None:
    """The counts of each file; then, file by file, what was not plain in it."""
    if summary.files:
        shown = [name for name in COUNTS if name in COUNTS[:2] or getattr(summary, name)]
        table = plain_table("file", *shown, "s", folded=("file",))
        for file in summary.files:
            table.add_row(file.source, *(f"{getattr(file, name):,}" for name in shown), f"{file.seconds:.1f}")
        print_table(table)
    for file in summary.files:
        _paragraph(file.source, [*_about(file), *_out_of(file, database)])
    _paragraph("unknown ids", [("", str(people)) for people in summary.unknown_people])
    neglected = {other.source for other in summary.neglected}
    _paragraph("ignored", [("", str(other)) for other in summary.others if other.source not in neglected])
    if summary.quarantined or summary.remarks:
        out.print("For all lines and reasons, query raw.quarantine with `tutorq db shell`.", soft_wrap=True)


def _about(file: "FileSummary") -> Iterator[tuple[str, str]]:
    for note in file.notes:
        yield note.kind, str(note)
    if file.unknown_columns:
        yield "left out", f"unknown columns: {', '.join(file.unknown_columns)}"
    if file.stale:
        yield "left out", f"stale rows: {file.stale:,}; a newer version of them is stored"


def _out_of(file: "FileSummary", database: Database) -> Iterator[tuple[str, str]]:
    """Rows and cells that this load, the newest one, put into quarantine."""
    with database.connect() as connection:
        for is_remark, word, count in ((True, "remark", file.remarks), (False, "refused", file.quarantined)):
            if not count:
                continue
            rows = connection.execute(
                """
                select line, reason from raw.quarantine
                where source = %s and is_remark = %s
                order by last_seen_at desc, line
                limit %s
                """,
                [file.source, is_remark, min(SHOWN_ROWS, count)],
            ).fetchall()
            for line, reason in rows:
                yield word, f"line {line}: {reason}"
            if count > len(rows):
                yield word, f"and {count - len(rows):,} more"


def _paragraph(title: str, lines: Iterable[tuple[str, str]]) -> None:
    """A title, and words beside their texts, which go on below themselves if they are longer than the terminal."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for word, text in lines:
        grid.add_row(f"  {word}".rstrip(), plain(text))
    if grid.row_count:
        out.print(f"\n{plain(title)}", highlight=False)
        out.print(grid, highlight=False)
