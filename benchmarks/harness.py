"""What the benchmarks share: a platform of their own, work in a fresh process, rounds, and a table of figures."""

import multiprocessing
import os
import platform
import resource
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import ParamSpec, TypeVar

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from core.database import Database
from core.migrate import migrate
from core.settings import Settings

MIB = 1 << 20
SAMPLE_SECONDS = 0.05
# Where the output is no terminal.
TABLE_WIDTH = 140

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Rounds = dict[str, list[float]]


def settings_of(home: Path, *, database_url: str | None = None, as_of: str = "now", api_port: int = 0) -> Settings:
    """Defaults but for these; neither the environment nor a `.env` file has a say in a measurement."""
    return Settings.model_construct(home=home, database_url=database_url, as_of=as_of, api_port=api_port)


@contextmanager
def fresh_platform() -> Iterator[tuple[Path, Database]]:
    """A folder that is gone afterwards, and a migrated database on an embedded server in it."""
    with tempfile.TemporaryDirectory(prefix="tutorq-bench-") as folder:
        home = Path(folder).resolve()
        database = Database(settings_of(home))
        try:
            migrate(database)
            yield home, database
        finally:
            database.release()


def run_apart(function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
    """Call a function of a module in a fresh process: its memory and its CPU time are its own."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


@contextmanager
def memory(pid: int) -> Iterator[list[int]]:
    """Resident bytes of a process, sampled until the block is left."""
    process = psutil.Process(pid)
    sizes = [process.memory_info().rss]
    over = threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            sizes.append(process.memory_info().rss)

    sampling = threading.Thread(target=sample)
    sampling.start()
    try:
        yield sizes
    finally:
        over.set()
        sampling.join()


def peak_mebibytes() -> float:
    """The most memory that this process has had."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    # Not `ru_maxrss`, which counts from the peak of the parent.
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 2**10


def alternate(contestants: Mapping[str, Callable[[], Mapping[str, float]]], rounds: int) -> Rounds:
    """Let every contestant measure once a round, in an order that turns with every round.

    What slows the machine down for a while then hits all of them. Returns the figures of every name that a
    contestant measured, one per round, in the order of rounds.
    """
    names = list(contestants)
    figures: Rounds = {}
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            for what, value in contestants[name]().items():
                figures.setdefault(what, []).append(value)
    return figures


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours divided by theirs, round by round."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def summary(values: Sequence[float]) -> str:
    """Median, and from the least to the most."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def number(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@dataclass
class Report:
    """One table of figures, and the circumstances under which they were measured."""

    title: str
    ratio: str
    sizes: str
    packages: Sequence[str]
    remarks: list[str] = field(default_factory=list)
    _rows: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    _load_before: float = field(default_factory=lambda: os.getloadavg()[0])

    def add(
        self, what: str, values: Sequence[float], unit: str, compared: Sequence[float] = (), note: str = ""
    ) -> None:
        """A line: the figure's value in every round, and the ratio of every round where there is one."""
        spread = f"{number(min(values))}-{number(max(values))}"
        median = f"{number(statistics.median(values))} {unit}"
        self._rows.append((what, median, spread, summary(compared) if compared else "", note))

    def show(self, console: Console, database: Database) -> None:
        """Print the table; the database tells its own version."""
        table = Table(title=self.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        table.add_column("what")
        table.add_column("median", justify="right", no_wrap=True)
        table.add_column("min-max", justify="right", no_wrap=True)
        table.add_column(self.ratio, justify="right")
        table.add_column("note")
        for row in self._rows:
            table.add_row(*row)
        console.print(table)
        with database.connect() as connection:
            server = connection.info.parameter_status("server_version")
        versions = [f"{name} {version(name)}" for name in ("tutorq", *self.packages)]
        load = f"load average {self._load_before:.1f} before, {os.getloadavg()[0]:.1f} after"
        facts = [
            self.sizes,
            *self.remarks,
            ", ".join([f"Python {platform.python_version()}", f"PostgreSQL {server}", *versions]),
            f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {load}",
        ]
        for fact in facts:
            console.print(f"  {fact}", style="dim", highlight=False)
