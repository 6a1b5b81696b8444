"""Names and values of settings that somebody got wrong."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.settings import PROJECT_ROOT, Settings, misspelt, settings_problem

# Of everything that reads the environment of people and containers.
READERS = ("docker-compose.yml", ".env.example", "Makefile", "deploy", "docs", "tests", "cli", "orchestration", "tools")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "meant"), [("TIMEZON", "TIMEZONE"), ("RISK_TRESHOLD", "RISK_THRESHOLD"), ("API_PROT", "API_PORT")]
)
def test_a_misspelt_name_is_told(name: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = [f"TUTORQ_{name} is not a setting; did you mean TUTORQ_{meant}?"]
    assert misspelt() == []
    monkeypatch.setenv(f"TUTORQ_{name}", "x")
    assert misspelt() == told
    monkeypatch.delenv(f"TUTORQ_{name}")
    (tmp_path / ".env").write_text(f"TUTORQ_{meant}=x\nTUTORQ_{name}=x\n")
    assert misspelt() == told


def test_no_variable_that_something_reads_is_taken_for_misspelt(monkeypatch: pytest.MonkeyPatch) -> None:
    files = (
        path
        for name in READERS
        for path in (PROJECT_ROOT / name, *(PROJECT_ROOT / name).rglob("*"))
        if path.suffix in (".py", ".md", ".yml", ".yaml", ".sh", ".tpl", ".example", "") and path.is_file()
        and path != Path(__file__)
    )  # fmt: skip
    names = {name for path in files for name in re.findall(r"TUTORQ_[A-Z0-9_]+\b", path.read_text(errors="replace"))}
    assert len(names) > 100
    for name in names:
        monkeypatch.setenv(name, "x")
    assert misspelt() == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"risk_threshold": 15}, "TUTORQ_RISK_THRESHOLD: Input should be less than 1 (a share: 15% is 0.15)"),
        ({"reliability_counts": "no_shows,moves"}, "TUTORQ_RELIABILITY_COUNTS: entry 2: Input should be 'reschedules'"),
        ({"watch_probability": 0.9}, "TUTORQ_WATCH_PROBABILITY must not be above TUTORQ_HIGH_RISK_PROBABILITY"),
    ],
)
def test_a_problem_names_the_variable_and_what_would_do(values: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**values)
    assert settings_problem(caught.value).startswith(told)


def test_a_line_that_is_no_setting_is_told_with_its_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / ".env").write_text("TUTORQ_TIMEZONE=UTC\nTUTORQ AS OF: latest\n")
    assert Settings().timezone == "UTC"
    assert caplog.messages == [".env: cannot read the setting starting at line 2"]
