"""`python -m benchmarks [NAME…]`: run all benchmarks, or those named; SIZE=full for the large sizes."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import (
    abuse,
    attrition,
    burst,
    dashboard,
    effect,
    flags,
    forecast,
    freshness,
    honesty,
    ingest,
    live,
    load,
    matching,
    no_shows,
    pairs,
    policy,
    push,
    read,
    scoring,
    start,
    top,
    workers,
)
from benchmarks.harness import TABLE_WIDTH, fresh_platform
from core.database import Database

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

Benchmark = Callable[[Console, Path, Database], None]

BENCHMARKS: dict[str, dict[str, Benchmark]] = {
    "load": {"small": partial(load.run, load.SMALL), "full": partial(load.run, load.FULL)},
    "scoring": {"small": partial(scoring.run, scoring.SMALL), "full": partial(scoring.run, scoring.FULL)},
    "freshness": {"small": partial(freshness.run, freshness.SMALL), "full": partial(freshness.run, freshness.FULL)},
    "start": {"small": partial(start.run, start.SMALL), "full": partial(start.run, start.FULL)},
    "ingest": {"small": partial(ingest.run, ingest.SMALL), "full": partial(ingest.run, ingest.FULL)},
    "burst": {"small": partial(burst.run, burst.SMALL), "full": partial(burst.run, burst.FULL)},
    "abuse": {"small": partial(abuse.run, abuse.SMALL), "full": partial(abuse.run, abuse.FULL)},
    "live": {"small": partial(live.run, live.SMALL), "full": partial(live.run, live.FULL)},
    "push": {"small": partial(push.run, push.SMALL), "full": partial(push.run, push.FULL)},
    "dashboard": {"small": partial(dashboard.run, dashboard.SMALL), "full": partial(dashboard.run, dashboard.FULL)},
    "read": {"small": partial(read.run, read.SMALL), "full": partial(read.run, read.FULL)},
    "pairs": {"small": partial(pairs.run, pairs.SMALL), "full": partial(pairs.run, pairs.FULL)},
    "top": {"small": partial(top.run, top.SMALL), "full": partial(top.run, top.FULL)},
    "effect": {"small": partial(effect.run, effect.SMALL), "full": partial(effect.run, effect.FULL)},
    "forecast": {"small": partial(forecast.run, forecast.SMALL), "full": partial(forecast.run, forecast.FULL)},
    "honesty": {"small": partial(honesty.run, honesty.SMALL), "full": partial(honesty.run, honesty.FULL)},
    "flags": {"small": partial(flags.run, flags.SMALL), "full": partial(flags.run, flags.FULL)},
    "matching": {"small": partial(matching.run, matching.SMALL), "full": partial(matching.run, matching.FULL)},
    "policy": {"small": partial(policy.run, policy.SMALL), "full": partial(policy.run, policy.FULL)},
    "attrition": {"small": partial(attrition.run, attrition.SMALL), "full": partial(attrition.run, attrition.FULL)},
    "workers": {"small": partial(workers.run, workers.SMALL), "full": partial(workers.run, workers.FULL)},
    "no_shows": {"small": partial(no_shows.run, no_shows.SMALL), "full": partial(no_shows.run, no_shows.FULL)},
}
SIZES = ("small", "full")


@app.command()
def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(BENCHMARKS)}; all by default.")] = None,
    size: Annotated[str, typer.Option(envvar="SIZE", help="small, or full: the size of our claims.")] = "small",
) -> None:
    """Measure what we claim; each benchmark prints a table (benchmarks/README.md says what each answers).

    `python -m benchmarks.compare` compares two commits.
    """
    for values, known, what in ((names or [], BENCHMARKS, "benchmark"), ([size], SIZES, "size")):
        if unknown := [each for each in values if each not in known]:
            raise typer.BadParameter(f"no {what} is called {unknown[0]!r}; there are {', '.join(known)}")
    console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)
    for name in names or BENCHMARKS:
        with fresh_platform() as (home, database):
            BENCHMARKS[name][size](console, home, database)


if __name__ == "__main__":
    app()
