"""`tutorq demo`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.terminal import JsonFlag, err, out, print_json, tells_errors
from core.settings import Settings
from core.words import plural

app = typer.Typer()


@app.command()
@tells_errors
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to write the landing files to.")],
    tutors: Annotated[int, typer.Option(min=1, metavar="N", help="Number of tutors.")] = 300,
    students: Annotated[int, typer.Option(min=1, metavar="N", help="Number of students.")] = 3000,
    days: Annotated[int, typer.Option(min=1, metavar="N", help="Days of history up to today.")] = 180,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed; the same seed gives the same marketplace.")] = 7,
    as_json: JsonFlag = False,
) -> None:
    """Generate landing files of a realistic demo marketplace. The true tutor effects go to FOLDER/.truth."""
    from dataclasses import asdict

    from demo import write_demo

    settings = Settings()
    with err.status("Generating a demo marketplace …"):
        summary = write_demo(folder, tutors=tutors, students=students, days=days, seed=seed, timezone=settings.timezone)
    if as_json:
        print_json(asdict(summary))
        return
    out.print(
        f"{plural(summary.sessions, 'session')} of {plural(summary.tutors, 'tutor')} and "
        f"{plural(summary.students, 'student')} since {summary.first_day} in {folder}. "
        f"Load them with `tutorq load {folder}`."
    )
