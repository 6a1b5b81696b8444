"""The `tutorq` command on an installation of another version, or where there is none."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from cli.doctor.examine import examine
from core.database import Database
from core.migrate import migrate, newest_version
from core.settings import Settings

OLDER = "0056"


def tutorq(*arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == exit_code, result.output
    return result


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("verb", [("people", "list"), ("score",), ("load", "."), ("db", "shell"), ("db", "migrate")])
def test_a_schema_of_a_newer_tutorq_is_told_in_one_line(database: Database, verb: tuple[str, ...]) -> None:
    with database.connect() as connection:
        connection.execute("update app.alembic_version set version_num = '9999'")
    told = tutorq(*verb, exit_code=1).stderr
    assert told.startswith("error: the schema of the database is of a newer tutorq (schema 9999) than this one (")
    assert told.endswith(f", schema {newest_version()}); install the newer one\n")
    assert told.count("\n") == 1
    [found] = [finding for finding in examine() if finding.what == "schema"]
    assert not found.ok
    assert "newer tutorq (schema 9999)" in found.found
    assert found.advice is None  # to migrate would not help


@pytest.mark.slow
def test_a_verb_says_that_it_updates_the_schema(
    environment: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = Database(environment.model_copy(update={"database_url": database.url.replace("/test_", "/older_")}))
    migrate(older, OLDER)
    monkeypatch.setenv("TUTORQ_DATABASE_URL", older.login_url)

    result = tutorq("people", "list", "--json")
    assert result.stderr == f"Updated the schema from {OLDER} to {newest_version()}.\n"
    assert result.stdout == "[]\n"
    assert tutorq("people", "list", "--json").stderr == ""


@pytest.mark.parametrize("verb", [("people", "list"), ("db", "url"), ("keys", "create", "--name", "k"), ("doctor",)])
def test_a_mistyped_home_is_not_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUTORQ_HOME", str(tmp_path / "hoem"))
    result = tutorq(*verb, exit_code=1)
    assert f"nothing is installed in {tmp_path / 'hoem'}" in result.output
    assert "`tutorq up` or `tutorq load" in result.output
    assert not (tmp_path / "hoem").exists()
