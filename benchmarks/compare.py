"""`python -m benchmarks.compare BASE`: is this commit slower than another one? `make bench-compare BASE=…` calls it.

Each commit has a git worktree of its own in a temporary folder, and runs its code there with the installed packages.
The measuring code is that of the head for both: its `benchmarks/` replaces that of the base. Where the base lacks what
the measuring code calls, the task fails and says so, and the other tasks go on.

Both commits measure once a round, in turns: what slows the machine down hits both. The ratio of a figure is the mean of
log(head ÷ base) over all rounds, with a t interval. By Bonferroni's rule, the chance that any interval of a comparison
misses its ratio is 5%.
"""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import psutil
import typer
from pydantic import TypeAdapter
from rich import box
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks.harness import TABLE_WIDTH, Rounds, alternate, number
from benchmarks.tasks import SIZES, TASKS, Figures

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

CHANCE_OF_A_MISS = 0.05
# What nobody notices: a ratio of 1.05, or its inverse.
TOLERANCE = 1.05
LEAST_ROUNDS = 3
# What was raised, below its traceback.
EXCEPTION = re.compile(r"\w[\w.]*: ")


class CompareError(Exception):
    """The comparison cannot be made; the message says why."""


class Verdict(StrEnum):
    SLOWER = "slower"
    FASTER = "faster"
    ALIKE = "alike"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True)
class Figure:
    """Medians of both commits in the unit that `figure` names, and head ÷ base: above 1, the head costs more."""

    task: str
    figure: str
    base: float
    head: float
    ratio: float
    low: float
    high: float
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """A line of the history: two commits by their hashes, and the reason of each task that failed."""

    at: datetime
    base: str
    head: str
    size: str
    rounds: int
    figures: list[Figure]
    failed: dict[str, str]


@dataclass(frozen=True)
class Commit:
    """A commit in a worktree of its own; `name` is "base" or "head"."""

    name: str
    sha: str
    tree: Path


def verdict(low: float, high: float) -> Verdict:
    """What an interval of the ratio says."""
    if low > 1 / TOLERANCE and high < TOLERANCE:
        return Verdict.ALIKE
    if low > 1:
        return Verdict.SLOWER
    return Verdict.FASTER if high < 1 else Verdict.UNKNOWN


def interval(base: Sequence[float], head: Sequence[float], chance_of_a_miss: float) -> tuple[float, float, float]:
    """Ratio head ÷ base of paired costs, and its interval: a t interval of the logarithms."""
    logarithms = np.log(np.asarray(head) / np.asarray(base))
    mean = float(logarithms.mean())
    error = float(logarithms.std(ddof=1)) / math.sqrt(len(logarithms))
    reach = float(stats.t.ppf(1 - chance_of_a_miss / 2, len(logarithms) - 1)) * error
    return math.exp(mean), math.exp(mean - reach), math.exp(mean + reach)


def judge(measured: Mapping[str, Rounds]) -> list[Figure]:
    """Every figure of every task; costs are by task, and there by (`base` or `head`, figure).

    A cost of 0, such as processor time too short for the clock of the system, has no ratio: it is left out.
    """
    pairs = [
        (task, name.removeprefix("base "), costs, rounds["head " + name.removeprefix("base ")])
        for task, rounds in measured.items()
        for name, costs in rounds.items()
        if name.startswith("base ")
    ]
    pairs = [pair for pair in pairs if min(*pair[2], *pair[3]) > 0]
    figures = []
    for task, name, base, head in pairs:
        ratio, low, high = interval(base, head, CHANCE_OF_A_MISS / len(pairs))
        medians = float(np.median(base)), float(np.median(head))
        figures.append(Figure(task, name, *medians, ratio, low, high, verdict(low, high)))
    return figures


@contextmanager
def worktrees(repository: Path, base: str, head: str) -> Iterator[tuple[Commit, Commit]]:
    """Both commits, until the block is left; the base with the benchmarks of the head.

    Raises:
        CompareError: git does not know one of them.
    """
    shas = [_commit(repository, ref) for ref in (base, head)]
    with tempfile.TemporaryDirectory(prefix="tutorq-compare-") as folder, ExitStack() as stack:
        theirs, ours = (
            Commit(name, sha, Path(folder).resolve() / name) for name, sha in zip(("base", "head"), shas, strict=True)
        )
        for commit in (theirs, ours):
            _git(repository, "worktree", "add", "--quiet", "--detach", str(commit.tree), commit.sha)
            stack.callback(_git, repository, "worktree", "remove", "--force", str(commit.tree))
        shutil.rmtree(theirs.tree / "benchmarks", ignore_errors=True)
        shutil.copytree(ours.tree / "benchmarks", theirs.tree / "benchmarks")
        yield theirs, ours


def _commit(repository: Path, ref: str) -> str:
    try:
        return _git(repository, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
    except CompareError as error:
        raise CompareError(f"{ref!r} is no commit that git knows here") from error


def _git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompareError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def worker(commit: Commit, task: str, size: str) -> Iterator[Callable[[], Figures]]:
    """A process of the commit that prepares the task. What is yielded measures once, when that is done.

    It raises a CompareError if the process has ended.
    """
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.tasks", task, size],
            cwd=commit.tree,
            env={**os.environ, "PYTHONPATH": str(commit.tree)},  # before an editable installation
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        orders, answers = process.stdin, process.stdout

        def measure() -> Figures:
            with suppress(BrokenPipeError):  # the answer tells why
                orders.write("\n")
                orders.flush()
            if not (line := answers.readline()):
                process.wait()
                log.seek(0)
                raise CompareError(f"the {commit.name} ({commit.sha[:7]}) failed: {_reason(log.read())}")
            return {f"{commit.name} {figure}": cost for figure, cost in json.loads(line).items()}

        try:
            yield measure
        finally:
            # With its input it ends, and its server with it.
            with suppress(BrokenPipeError):
                orders.close()
            process.wait()


def _reason(log: str) -> str:
    """The line that names what the last traceback is of, as its message may have several; else the last line."""
    lines = log.strip().splitlines() or ["it does not say why"]
    _, traceback, rest = log.rpartition("Traceback (most recent call last):")
    return next((line for line in rest.splitlines() if traceback and EXCEPTION.match(line)), lines[-1])


def measure(commits: Sequence[Commit], task: str, size: str, rounds: int) -> Rounds:
    """Costs of each round, by (`base` or `head`, figure). A first round, for which both get ready, does not count.

    Raises:
        CompareError: one of the commits cannot do the task.
    """
    with ExitStack() as stack:
        measures = {commit.name: stack.enter_context(worker(commit, task, size)) for commit in commits}
        alternate(measures, 1)
        return alternate(measures, rounds)


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print the table."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("task")
    table.add_column("less is better")
    for name in ("base", "head", "head ÷ base (interval)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for each in figures:
        ratio = f"{each.ratio:.2f} ({each.low:.2f}-{each.high:.2f})"
        table.add_row(each.task, each.figure, number(each.base), number(each.head), ratio, each.verdict)
    console.print(table)


@app.command()
def main(
    base: Annotated[str, typer.Argument(help="The commit to compare with: a hash, a tag or a branch.")],
    tasks: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(TASKS)}; all by default.")] = None,
    head: Annotated[str, typer.Option(help="The commit in question.")] = "HEAD",
    rounds: Annotated[int, typer.Option(min=LEAST_ROUNDS, help="How often both measure.")] = 10,
    size: Annotated[str, typer.Option(help=f"{' or '.join(SIZES)}; tiny shows only that it works.")] = "small",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result here, in one line.")] = None,
) -> None:
    """Say for each figure whether HEAD is slower than BASE, faster, alike (within 5%), or whether that cannot be told.

    Exit code 1 if a figure is slower or a task could not be compared.
    """
    for values, known, what in ((tasks or [], TASKS, "task"), ([size], SIZES, "size")):
        if unknown := [each for each in values if each not in known]:
            raise typer.BadParameter(f"no {what} is called {unknown[0]!r}; there are {', '.join(known)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # worktrees are removed then, too
    console = Console(width=None if sys.stdout.isatty() else TABLE_WIDTH)
    measured: dict[str, Rounds] = {}
    failed: dict[str, str] = {}
    try:
        if sys.platform != "linux":
            raise CompareError("processor times of ended processes are known on Linux only")
        with worktrees(Path.cwd(), base, head) as commits:
            for task in tasks or TASKS:
                console.print(f"{task}: {rounds} rounds …", style="dim", highlight=False)
                try:
                    measured[task] = measure(commits, task, size, rounds)
                except CompareError as error:
                    failed[task] = str(error)
            remarks = _remarks(commits, rounds)
    except CompareError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    figures = judge(measured)
    show(figures, console)
    for remark in remarks:
        console.print(f"  {remark}", style="dim", highlight=False)
    for task, reason in failed.items():
        console.print(f"{task} could not be compared: {reason}", style="red", highlight=False, markup=False)
    if json_file is not None:
        theirs, ours = (commit.sha for commit in commits)
        comparison = Comparison(datetime.now(UTC), theirs, ours, size, rounds, figures, failed)
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_bytes(TypeAdapter(Comparison).dump_json(comparison) + b"\n")
    if failed or any(figure.verdict is Verdict.SLOWER for figure in figures):
        raise typer.Exit(1)


def _remarks(commits: tuple[Commit, Commit], rounds: int) -> list[str]:
    theirs, ours = commits
    remarks = [
        f"base {theirs.sha[:12]}, head {ours.sha[:12]}; {rounds} rounds in turns; alike: within {TOLERANCE - 1:.0%}",
        f"{psutil.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}",
    ]
    if _git(Path.cwd(), "status", "--porcelain", "--untracked-files=no"):
        remarks.append("changes that are not committed were not measured")
    locks = [commit.tree / "requirements.lock" for commit in commits]
    unpinned = [commit.name for commit, lock in zip(commits, locks, strict=True) if not lock.is_file()]
    if unpinned:
        remarks.append(f"no requirements.lock: {' and '.join(unpinned)}; both ran with the packages that are installed")
    elif len({lock.read_bytes() for lock in locks}) > 1:
        remarks.append("the commits pin other packages; both ran with those that are installed")
    return remarks


if __name__ == "__main__":
    app()
