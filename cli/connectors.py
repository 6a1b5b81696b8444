"""`tutorq sync`."""

from typing import Annotated

import typer

from cli.terminal import JsonFlag, open_platform, out, plain, print_json, tells_errors
from core.database import DatabaseRole
from core.errors import TutorqError
from core.words import plural

app = typer.Typer()


@app.command()
@tells_errors
def sync(
    name: Annotated[str, typer.Argument(help="Name of a connector in TUTORQ_HOME/connectors.yml.")],
    load: Annotated[
        bool,
        typer.Option(help="Load the fetched files now. With --no-load, the watcher of the landing directory does."),
    ] = True,
    delete_anyway: Annotated[
        bool,
        typer.Option("--delete-anyway", help="Delete sessions missing from the source, even if they are many."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Fetch new rows from a source, such as your booking tool, and load them. A rerun loads nothing twice."""
    from connectors.configuration import MISSING, connector_of, landing_of

    settings, database = open_platform(DatabaseRole.INGEST, is_first=True)
    connector = connector_of(settings, name)
    try:
        from connectors.pull.run import pull
    except ModuleNotFoundError as error:
        raise TutorqError(f"{error.name} is not installed: {MISSING}") from None
    from ingest import load_folder, take_files
    from ingest.contract import ENTITIES

    if load:
        # What an earlier call has loaded moves away now; what one has left is loaded.
        for entity in ENTITIES:
            take_files(database, settings.landing, entity, timezone=settings.timezone, is_strict=settings.strict_files)
    report = pull(name, connector, settings, database, delete_anyway=delete_anyway)
    loaded = None
    if load and report.files:
        loaded = load_folder(database, landing_of(settings, name), timezone=settings.timezone)
    if as_json:
        print_json({**report.to_dict(), "loaded": loaded.to_dict() if loaded else None})
    else:
        rows = ", ".join(f"{count:,} {entity}" for entity, count in report.rows.items()) or "nothing new"
        out.print(f"{name}: {rows}; {plural(len(report.files), 'file')}", soft_wrap=True)
        for word, what in (
            ("new columns", report.new_columns),
            ("missing columns", report.removed_columns),
            ("note", report.notes),
        ):
            for text in what:
                out.print(f"  {word}: {plain(text)}", soft_wrap=True, highlight=False)
        if report.gone:
            out.print(f"  deleted: {report.deleted:,} of {plural(report.gone, 'session')} missing from the source")
        for file in loaded.files if loaded else ():
            out.print(
                f"  {plain(file.source)}: {file.inserted:,} new, {file.updated:,} changed, "
                f"{file.unchanged + file.stale:,} known, {file.quarantined:,} refused",
                soft_wrap=True,
            )
    for failure in loaded.errors if loaded else ():
        raise TutorqError(failure.message)
