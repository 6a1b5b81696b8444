"""What was measured night by night is kept on a branch, and shown on a page."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.settings import PROJECT_ROOT
from tools.docs import speed

SCRIPT = PROJECT_ROOT / ".ci" / "history"


def night(day: int, head: float, verdict: str) -> dict[str, Any]:
    figure = {
        "task": "load",
        "figure": "a row, µs",
        "base": 10.0,
        "head": head,
        "ratio": head / 10,
        "low": 0.9,
        "high": 1.4,
    }
    return {
        "at": f"2026-05-{day:02}T02:30:00Z",
        "base": "a" * 40,
        "head": "b" * 40,
        "size": "small",
        "rounds": 10,
        "figures": [figure | {"verdict": verdict}],
        "failed": {},
    }


def write(path: Path, *nights: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in nights))
    return path


def test_without_a_night_the_page_says_so(tmp_path: Path) -> None:
    text = speed.page(speed.history(tmp_path / "history.jsonl"))
    assert speed.NONE in text
    assert "<svg" not in text


def test_the_page_has_the_last_night_and_a_curve(tmp_path: Path) -> None:
    path = write(tmp_path / "h", night(1, 10, "alike"), night(2, 13, "slower"), night(3, 12, "cannot tell"))
    text = speed.page(speed.history(path))
    assert "## Night of 2026-05-03" in text
    assert "| load: a row, µs | 12 | 1.20 (0.90 to 1.40) | cannot tell |" in text
    assert "a row, µs: 12, at most 13" in text
    (curve,) = (line for line in text.splitlines() if "<svg" in line)
    assert curve.count("<circle") == 2
    assert "<title>2026-05-02: 13, slower</title>▲</text>" in curve
    # From 0 at the bottom to the most at the top.
    assert 'points="12.0,27.2 320.0,12.0 628.0,17.1"' in curve


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "h", night(1, 10, "alike"), night(2, 13, "quicker"))
    with pytest.raises(ValueError, match=r"h, line 2: figures\.0\.verdict: "):
        speed.history(path)


def test_nights_are_added_to_a_branch(tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)

    def history(verb: str, line: str = "", of: Path = remote) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(SCRIPT), verb, str(of)], input=line, capture_output=True, text=True, check=False)

    assert (history("get").returncode, history("get").stdout) == (0, "")
    for number in (1, 2):
        added = history("add", f'{{"night": {number}}}\n')
        assert added.returncode == 0, added.stderr
    assert history("get").stdout == '{"night": 1}\n{"night": 2}\n'
    assert history("get", of=tmp_path / "nowhere").returncode not in (0, 2)
    assert history("delete").returncode == 2


def test_what_is_measured_has_no_right_to_write() -> None:
    workflow = yaml.safe_load((PROJECT_ROOT / ".github" / "workflows" / "nightly.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    (writing,) = (job for job in workflow["jobs"].values() if "permissions" in job)
    runs = [step["run"] for step in writing["steps"] if "run" in step]
    assert not any("make" in run or "python" in run for run in runs)
    assert any(".ci/history add" in run for run in runs)
