"""Two commits are compared: their own code runs, the verdicts are rarely wrong, and no worktree stays behind."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app as benchmarks
from benchmarks.compare import CHANCE_OF_A_MISS, Verdict, _reason, app, interval, judge, verdict
from core.settings import PROJECT_ROOT

HEAD, START = "def load_folder(", ") -> FolderSummary:\n"


def compare(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.compare", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "clone", "--quiet", str(PROJECT_ROOT), "clone")
    return tmp_path / "clone"


def test_what_hits_both_widens_no_interval() -> None:
    base = [1.0, 7.0, 2.0, 4.0]
    ratio, low, high = interval(base, [1.1 * cost for cost in base], 0.05)
    assert (ratio, low, high) == pytest.approx((1.1, 1.1, 1.1))
    # Logarithms -d, 0 and d have the standard error d / sqrt(3), and Student's t with 2 degrees of freedom is 4.303.
    spread = [math.exp(-0.1), 1.0, math.exp(0.1)]
    assert interval([1.0] * 3, spread, 0.05)[1:] == pytest.approx((math.exp(-0.2484), math.exp(0.2484)), rel=1e-3)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.99, 1.04, Verdict.ALIKE),
        (1.01, 1.04, Verdict.ALIKE),  # told apart, and too little to matter
        (1.02, 1.30, Verdict.SLOWER),
        (0.70, 0.98, Verdict.FASTER),
        (0.90, 1.04, Verdict.UNKNOWN),
        (0.99, 1.30, Verdict.UNKNOWN),
    ],
)
def test_an_interval_says(low: float, high: float, said: Verdict) -> None:
    assert verdict(low, high) is said


def test_equal_commits_are_rarely_told_apart() -> None:
    chance = np.random.default_rng(1)
    wrong = 0
    for _ in range(400):
        machine = chance.lognormal(0, 0.5, 10)  # slow and fast rounds, of both
        costs = {
            f"{who} {name}": list(machine * chance.lognormal(0, 0.2, 10))
            for who in ("base", "head")
            for name in "abcde"
        }
        figures = judge({"task": costs})
        assert len(figures) == 5
        wrong += any(each.verdict in (Verdict.SLOWER, Verdict.FASTER) for each in figures)
    assert wrong / 400 < 2 * CHANCE_OF_A_MISS


def test_a_cost_below_the_clock_has_no_ratio() -> None:
    costs = {"base a": [1.0, 1.1, 1.2], "head a": [2.0, 2.1, 2.2], "base b": [0.0, 0.01, 0.01], "head b": [0.01] * 3}
    (figure,) = judge({"load": costs})
    assert (figure.task, figure.figure, figure.base, figure.head) == ("load", "a", 1.1, 2.1)
    assert figure.ratio == pytest.approx(1.913, abs=0.001)
    assert figure.verdict is Verdict.SLOWER


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing-of-the-kind"], "'nothing-of-the-kind' is no commit that git knows here"),
        (["--head=--upload-pack=x", "HEAD"], "'--upload-pack=x' is no commit"),
        (["HEAD", "lode"], "no task is called 'lode'"),
        (["HEAD", "--size", "huge"], "no size is called 'huge'"),
        (["HEAD", "--rounds", "2"], "--rounds"),
    ],
)
def test_what_cannot_be_compared_is_told(arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT_ROOT)
    # The command wants to be told when it is to end; pytest is not.
    monkeypatch.setattr("signal.signal", lambda *_: None)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert told in done.stderr


def test_benchmarks_have_help_and_name_what_there_is() -> None:
    done = CliRunner().invoke(benchmarks, ["--help"])
    assert done.exit_code == 0
    assert "no_shows" in done.stdout
    assert "--size" in done.stdout
    done = CliRunner().invoke(benchmarks, ["lode"])
    assert done.exit_code == 2
    assert "no benchmark is called 'lode'" in done.stderr


@pytest.mark.soak
def test_a_commit_is_compared_with_itself(clone: Path, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    done = compare(clone, "HEAD", "load", "--size", "tiny", "--rounds", "3", "--json", str(result))
    assert done.returncode in (0, 1), done.stderr  # of three tiny rounds, one in twenty is wrong
    (line,) = result.read_text().splitlines()
    found = json.loads(line)
    assert found["base"] == found["head"] == git(clone, "rev-parse", "HEAD").strip()
    assert found["failed"] == {}
    first, *_ = found["figures"]
    assert (first["task"], first["figure"]) == ("load", "a row, µs")
    assert 0 < first["low"] <= first["ratio"] <= first["high"]
    assert "a row, µs" in done.stdout
    assert len(git(clone, "worktree", "list").splitlines()) == 1


def commit_line(clone: Path, line: str) -> None:
    """A commit in which `load_folder` begins with this line."""
    path = clone / "ingest" / "load.py"
    text = path.read_text()
    body = text.index(START, text.index(HEAD)) + len(START)
    path.write_text(f"{text[:body]}    {line}\n{text[body:]}")
    git(clone, "commit", "--quiet", "--all", "--message", "change")


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", "it does not say why"),
        ("killed\n", "killed"),
        (
            "Traceback (most recent call last):\n  File x\nValueError: one\n\nTraceback (most recent call last):\n"
            '  File "x.py", line 1\npsycopg.errors.UniqueViolation: a key is there twice\nDETAIL:  Key (id)=(1)\n',
            "psycopg.errors.UniqueViolation: a key is there twice",
        ),
    ],
)
def test_the_reason_is_what_was_raised(log: str, reason: str) -> None:
    assert _reason(log) == reason


@pytest.mark.soak
def test_a_commit_that_is_slower_is_found_so(clone: Path) -> None:
    commit_line(clone, "import time; time.sleep(5)")
    done = compare(clone, "HEAD~1", "load", "--size", "tiny", "--rounds", "4")
    assert done.returncode == 1, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if "a row, µs" in line)
    assert line.rstrip().endswith("slower")


@pytest.mark.soak
def test_a_task_that_the_base_cannot_do_fails_alone(clone: Path, tmp_path: Path) -> None:
    commit_line(clone, 'raise RuntimeError("out of order")')
    git(clone, "revert", "--no-edit", "HEAD")
    result = tmp_path / "result.json"
    done = compare(clone, "HEAD~1", "load", "ingest", "--size", "tiny", "--rounds", "3", "--json", str(result))
    assert done.returncode == 1
    found = json.loads(result.read_text())
    assert found["failed"] == {"load": f"the base ({found['base'][:7]}) failed: RuntimeError: out of order"}
    assert {figure["task"] for figure in found["figures"]} == {"ingest"}
