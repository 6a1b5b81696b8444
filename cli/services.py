"""`tutorq up` and `watch`: what stays in the foreground."""

import time
from enum import StrEnum
from typing import Annotated

import typer

from cli.terminal import open_platform, out, tells_errors
from core.database import DatabaseRole
from core.errors import TutorqError
from core.settings import Settings

app = typer.Typer()


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


class Queue(StrEnum):
    """What a worker takes: whole runs, or steps of trainings and predictions. Runs wait for their steps."""

    RUNS = "runs"
    STEPS = "steps"


@app.command()
@tells_errors
def worker(
    queue: Annotated[Queue, typer.Option(help="What it does: whole runs, or steps of trainings and predictions.")],
    slots: Annotated[
        int | None, typer.Option(min=1, help="How many at a time; 4 runs, or a step for each processor, by default.")
    ] = None,
) -> None:
    """Do runs or steps for an installation with TUTORQ_EXECUTOR=celery, in the foreground. Ctrl-C lets the one in hand
    end."""
    import os

    from orchestration import worker as workers

    # As many as Dagster starts (max_concurrent_runs): one that finds no slot in two minutes counts as failed.
    by_default = 4 if queue is Queue.RUNS else os.cpu_count() or 1
    workers.work(Settings(), queue.value, slots or by_default)


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
