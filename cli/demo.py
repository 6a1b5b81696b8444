"""`tutorq demo`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.terminal import JsonFlag, err, out, print_json, tells_errors
from core.settings import Settings

app = typer.Typer()


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
