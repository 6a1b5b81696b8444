"""What is another in an installation from a wheel than in a checkout (tests/e2e/test_wheel.py installs one)."""

from pathlib import Path

import pytest

from core import dbt_internals, dbt_runner, settings
from core.settings import PROJECT_ROOT, Settings


@pytest.mark.parametrize(("data_home", "expected"), [(None, ".local/share/tutorq"), ("data", "data/tutorq")])
def test_the_home_is_the_users_wherever_it_is_started(
    data_home: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings().home == PROJECT_ROOT / "var"
    monkeypatch.setattr(settings, "IS_CHECKOUT", False)
    monkeypatch.setenv("HOME", str(tmp_path))
    if data_home is None:
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / data_home))
    for folder in (tmp_path, Path("/")):
        monkeypatch.chdir(folder)
        assert Settings().home == tmp_path / expected


def test_what_was_parsed_holds_whatever_the_times_of_files_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parsed = tmp_path / "partial_parse.msgpack"
    parsed.touch()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "newer.sql").write_text("select 1")
    monkeypatch.setattr(dbt_runner, "DBT_PROJECT_DIR", tmp_path)
    monkeypatch.setattr(dbt_runner, "PARSED_PATH", parsed)
    monkeypatch.setattr(dbt_runner, "read_parsed", lambda *_: "parsed")
    monkeypatch.setenv("PGDATABASE", "any")
    monkeypatch.setattr(dbt_runner, "IS_CHECKOUT", False)
    assert dbt_runner.parsed_by_install() == "parsed"


def test_what_another_version_of_dbt_parsed_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before anything else of it is read, which may have another form."""
    import msgpack

    other = tmp_path / "partial_parse.msgpack"
    other.write_bytes(msgpack.packb({"metadata": {"dbt_version": "1.11.0a1"}, "nodes": "of another form"}))
    assert dbt_internals.read_parsed(other, "any") is None
