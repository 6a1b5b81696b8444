"""How tests run: `pytest --again N`, and the patience of Hypothesis."""

import subprocess
import sys

import hypothesis
import pytest

from core.settings import PROJECT_ROOT


@pytest.mark.slow
def test_a_test_runs_so_often_in_a_row() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", "-v", "--again=2",
         "tests/core/test_postgres_urls.py"],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    passed = [line.split("::")[1].split(" ")[0] for line in ran.stdout.splitlines() if " PASSED" in line]
    assert passed[0].endswith("1]")
    assert passed[1] == passed[0].removesuffix("1]") + "2]"
    assert len(passed) % 2 == 0


def test_no_example_is_too_slow_for_a_busy_machine() -> None:
    assert hypothesis.settings().deadline is None
