"""Workflows run what somebody has looked at: actions are pinned by hash, and get no more rights than they need."""

import re
from pathlib import Path

import pytest
import yaml

from core.settings import PROJECT_ROOT

WORKFLOWS = sorted((PROJECT_ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_rights_are_few(path: Path) -> None:
    text = path.read_text()
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")


def test_one_action_has_one_version() -> None:
    used = {each for path in WORKFLOWS for each in re.findall(r"uses: (\S+)@(\S+)", path.read_text())}
    assert len({action for action, _ in used}) == len(used)


def test_advisories_are_looked_up_every_day() -> None:
    [text] = [path.read_text() for path in WORKFLOWS if path.stem == "advisories"]
    assert re.search(r"cron: \"\d+ \d+ \* \* \*\"", text)
    assert "make advisories" in text
    assert "pip-audit --requirement $$lock --require-hashes" in (PROJECT_ROOT / "Makefile").read_text()
