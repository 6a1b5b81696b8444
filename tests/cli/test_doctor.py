"""What `tutorq doctor` says of logins, on a server that asks for passwords."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cli.doctor.examine import _home as home
from cli.doctor.examine import examine
from cli.doctor.finding import Finding
from core.database import Database, DatabaseRole
from core.migrate import migrate
from core.process_logins import migrate_with_logins
from core.settings import Settings
from tests.servers import Server, documented_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with documented_server(tmp_path_factory.mktemp("doctor")) as server:
        yield server


def findings() -> dict[str, Finding]:
    return {finding.what: finding for finding in examine()}


@pytest.mark.slow
def test_the_advice_lets_every_process_in(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(Database(Settings(home=tmp_path, database_url=server.owner)))
    settings = Settings(
        home=tmp_path,
        database_url=server.owner,
        dagster_database_url=server.url("dagster:secret-d", "dagster"),
        **{role.setting: server.url(f"{role[7:]}:secret-{role[7:]}", "tutorq") for role in DatabaseRole},
    )
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    before = findings()
    assert not before["roles"].ok
    assert "There is no login api: `tutorq db migrate --logins` makes it." in str(before["roles"].advice)
    assert "`tutorq db migrate --logins` makes the login" in str(before["Dagster's database"].advice)
    migrate_with_logins(Database(settings))
    assert findings()["roles"].ok
    assert "Dagster's database" not in findings()

    for statement, advice in {
        "alter role api password 'another'": "Is the password of api in TUTORQ_API_DATABASE_URL the right one?",
        "revoke tutorq_transform from transform granted by tutorq": "transform is no member of tutorq_transform",
        "alter role ingest nologin": "ingest has no login",
    }.items():
        server.as_superuser(statement)
        found = findings()["roles"]
        assert advice in str(found.advice)
        assert "secret-" not in found.found
        migrate_with_logins(Database(settings))
        assert findings()["roles"].ok


@pytest.mark.slow
def test_half_a_database_is_no_traceback(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(Settings(home=tmp_path, database_url=server.owner))
    migrate(database)
    monkeypatch.setenv("TUTORQ_HOME", str(tmp_path))
    monkeypatch.setenv("TUTORQ_DATABASE_URL", server.owner)
    monkeypatch.chdir(tmp_path)
    assert findings()["tables and rights"].ok

    with psycopg.connect(server.owner) as connection:
        connection.execute("drop table raw.changes")
        connection.execute("create table marts.tutor_scores ()")
    whole = findings()["tables and rights"]
    assert not whole.ok
    assert "there is no table raw.changes; marts.tutor_scores belongs to tutorq" in whole.found
    assert "tutorq db restore FILE --replace" in str(whole.advice)

    with psycopg.connect(server.owner) as connection:
        connection.execute("drop table app.alembic_version")
    assert "tutorq db restore FILE --replace" in str(findings()["schema"].advice)


def test_with_the_database_elsewhere_the_home_may_be_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container, where folders in it are volumes."""
    closed = {tmp_path}
    monkeypatch.setattr("os.access", lambda path, _: Path(path) not in closed)
    for name in ("landing", "models", "dagster"):
        (tmp_path / name).mkdir()
    elsewhere = Settings(home=tmp_path, database_url="postgresql://tutorq@db/tutorq")
    here = Settings(home=tmp_path)

    assert home(elsewhere, Database(elsewhere)).ok
    assert not home(here, Database(here)).ok
    closed.add(tmp_path / "models")
    found = home(elsewhere, Database(elsewhere))
    assert not found.ok
    assert f"cannot write to {tmp_path / 'models'};" in str(found.advice)
    in_a_bucket = elsewhere.model_copy(update={"model_store": "s3://bucket/models"})
    assert home(in_a_bucket, Database(in_a_bucket)).ok
