"""What was parsed at the installation is used until a file of the project is newer."""

import os
from pathlib import Path

import pytest
import yaml

from core import dbt_runner


def test_every_folder_that_dbt_reads_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = yaml.safe_load((dbt_runner.DBT_PROJECT_DIR / "dbt_project.yml").read_text())
    folders = [name for key, names in project.items() if key.endswith("-paths") for name in names]
    assert sorted(folders) == sorted(dbt_runner.SOURCES)

    parsed = tmp_path / "partial_parse.msgpack"
    parsed.touch()
    monkeypatch.setattr(dbt_runner, "DBT_PROJECT_DIR", tmp_path)
    monkeypatch.setattr(dbt_runner, "PARSED_PATH", parsed)
    monkeypatch.setattr(dbt_runner, "read_parsed", lambda *_: "parsed")
    monkeypatch.setenv("PGDATABASE", "any")
    for name in folders:
        (tmp_path / name).mkdir()
        source = tmp_path / name / "one.sql"
        source.write_text("select 1")
        for path in (source, source.parent):
            os.utime(path, (0, 0))
    assert dbt_runner.parsed_by_install() == "parsed"
    for name in folders:
        source = tmp_path / name / "one.sql"
        os.utime(source, (2**32, 2**32))
        assert dbt_runner.parsed_by_install() is None, name
        os.utime(source, (0, 0))
