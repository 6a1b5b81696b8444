"""`tutorq score` and `verify`."""

import time
from typing import Annotated

import typer
from psycopg import Connection
from psycopg.rows import dict_row

from cli.old_data import old_data
from cli.terminal import JsonFlag, err, open_platform, out, print_json, tells_errors
from core.database import DatabaseRole
from core.errors import TutorqError
from core.words import plural

NO_TUTORS = "No tutors yet: load data first, with `tutorq load DIR`."

app = typer.Typer()


@app.command()
@tells_errors
def score(
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Rebuild all marts from the raw tables.")
    ] = False,
    new_reference: Annotated[
        bool,
        typer.Option("--new-reference", help="Use today's tutors as the new reference for quality scores."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Update all marts from the raw tables. Under `tutorq up`, Dagster does this."""
    from core import dbt_runner

    settings, database = open_platform(DatabaseRole.TRANSFORM, is_first=True)
    with database.connect() as connection:
        before = _newest_reference(connection)
    started = time.monotonic()
    with err.status("Building the marts …"):
        dbt_runner.build(settings, database, full_refresh=full_refresh, new_reference=new_reference)
    with database.connect() as connection:
        reference = _newest_reference(connection)
        generation, as_of = connection.execute("select generation, as_of from marts.publication").fetchone() or ("", "")
        statuses = dict(
            connection.execute("select risk_status, count(*) from marts.tutor_scores group by 1 order by 1").fetchall()
        )
    seconds = time.monotonic() - started
    if as_json:
        result = {"generation": generation, "as_of": as_of, "tutors": statuses, "seconds": round(seconds, 2)}
        print_json({**result, "new_reference": reference} if new_reference else result)
    else:
        out.print(f"Published generation {generation}, scores as of {as_of}, in {seconds:.1f} s.")
        out.print(", ".join(f"{count:,} {status}" for status, count in statuses.items()) or NO_TUTORS)
        if warning := old_data(settings, database):
            out.print(warning, soft_wrap=True, highlight=False)
        elif statuses:
            out.print("To see which tutors and why, run `tutorq up`.")
    if new_reference and reference == before:
        raise TutorqError("no new reference set: a reference needs 20 tutors with 5 sessions in 90 days")
    if reference and new_reference and not as_json:
        quality = (
            plural(reference["quality_tutors"], "tutor") if reference["quality_tutors"] else "the previous reference"
        )
        out.print(
            f"New reference of {plural(reference['tutors'] or 0, 'tutor')}; quality scores compare with {quality}."
        )


def _newest_reference(connection: Connection) -> dict[str, int | None] | None:
    """Key of the newest reference, and how many tutors it was taken from."""
    with connection.cursor(row_factory=dict_row) as cursor:
        query = "select reference_id, tutors, quality_tutors from app.score_reference order by 1 desc limit 1"
        return cursor.execute(query).fetchone()


@app.command()
@tells_errors
def verify(as_json: JsonFlag = False) -> None:
    """Recompute the scores from the raw tables with pandas and SciPy and compare them with the marts."""
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
        causes = report.notes if report.ok else [f"A likely cause: {note}" for note in report.notes]
        for line in (*report.errors(), *causes, *report.limits()):
            out.print(line, soft_wrap=True, highlight=False, markup=False)
    if not report.ok:
        raise typer.Exit(1)
