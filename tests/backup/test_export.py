"""The marts as Parquet: the rows that analysts see, of one moment, whole or not at all."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from backup import export
from backup.export import MANIFEST, export_marts
from cli.app import app
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import PROJECT_ROOT
from tests.conftest import PUBLISHED, Postgres

# What CSV takes for something else: line breaks, quotes, nothing, and the word for it.
SUBJECTS = ['a,"b"', "line\nbreak", "", "NULL", "\\."]
# Postgres has more digits of these than Python's decimals, or another order of their keys.
AS_TEXT = ("jsonb", "real", "uuid")


@pytest.fixture(scope="module")
def marts(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    database = postgres.new_database(tmp_path_factory.mktemp("home"), PUBLISHED)
    with database.connect() as connection:
        connection.execute("update marts.dim_tutors set subjects = %s where external_id = 'T-1'", [SUBJECTS])
        connection.execute("update marts.dim_tutors set hired_at = 'infinity' where external_id = 'T-2'")
    return database


@pytest.fixture(scope="module")
def exported(marts: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "marts"
    export_marts(marts, folder)
    return folder


def manifest(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    return content


def comparable(value: object) -> object:
    """A value of Postgres or of Arrow, as text that is the same for both."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value


def test_every_mart_has_the_rows_that_analysts_see(marts: Database, exported: Path) -> None:
    tables = manifest(exported)["tables"]
    with marts.as_role(DatabaseRole.TRANSFORM).connect() as connection:
        views = connection.execute(
            "select relname from pg_class where relnamespace = 'analytics'::regnamespace order by relname"
        ).fetchall()
        assert [table["name"] for table in tables] == [name for (name,) in views]
        for table in tables:
            kept = {column["name"]: column["type"] for column in table["columns"] if column["type"] not in AS_TEXT}
            infinite = [name for name, kind in kept.items() if kind in ("date", "timestamp with time zone")]
            selected = ", ".join(
                f"case when isfinite({name}) then {name} end" if name in infinite else name for name in kept
            )
            stored = connection.execute(f"select {selected} from analytics.{table['name']}".encode()).fetchall()
            found = ds.dataset(exported / table["name"], partitioning="hive").to_table(columns=list(kept)).to_pylist()
            assert len(found) == table["rows"] == len(stored)
            wanted = sorted(repr([comparable(value) for value in row]) for row in stored)
            assert sorted(repr([comparable(value) for value in row.values()]) for row in found) == wanted, table["name"]
    assert sum(table["rows"] for table in tables) > 5_000, "there is something to compare"


def test_types_and_texts_stay(exported: Path) -> None:
    tutors = pq.read_table(exported / "dim_tutors" / "part-0.parquet")
    assert tutors.schema.field("subjects").type == pa.list_(pa.string())
    assert tutors.schema.field("hired_at").type == pa.date32()
    rows = {row["external_id"]: row for row in tutors.to_pylist()}
    assert rows["T-1"]["subjects"] == SUBJECTS
    assert rows["T-2"]["hired_at"] is None, "a day that never comes is none in Parquet"
    assert {row["name"] for row in rows.values()} <= {"***", None}, "and nobody is named"
    assert tutors.schema.field("subjects").metadata[b"description"]


def test_sessions_are_cut_by_month(exported: Path) -> None:
    sessions = ds.dataset(exported / "fct_sessions", partitioning="hive")
    found = sessions.to_table(columns=["month", "scheduled_on"]).to_pylist()
    assert len({row["month"] for row in found}) == 6
    assert all(f"{row['scheduled_on']:%Y-%m}" == row["month"] for row in found)
    assert len(sessions.files) == 6
    january = sessions.to_table(filter=ds.field("month") == "2026-01")
    assert 0 < january.num_rows < len(found)


def test_the_manifest_says_what_is_there(marts: Database, exported: Path) -> None:
    content = manifest(exported)
    assert (content["as_of"], content["generation"]) == ("2026-01-31", 7)
    named = {file["path"]: file for table in content["tables"] for file in table["files"]}
    there = {path.relative_to(exported).as_posix() for path in exported.rglob("*.parquet")}
    assert named.keys() == there
    for path, file in named.items():
        written = (exported / path).read_bytes()
        assert (len(written), hashlib.sha256(written).hexdigest()) == (file["bytes"], file["sha256"])
        assert pq.read_metadata(exported / path).num_rows == file["rows"]


def test_another_one_takes_its_place(marts: Database, tmp_path: Path) -> None:
    folder = tmp_path / "marts"
    export_marts(marts, folder)
    (folder / "left-over").touch()
    export_marts(marts, folder)
    assert not (folder / "left-over").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["marts"], "nothing is left beside it"


def test_what_fails_leaves_the_last_one(marts: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "marts"
    export_marts(marts, folder)
    before = (folder / MANIFEST).read_text()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(TutorqError, match=r"the export failed, and \S+ is as it was: No space left on device"):
        export_marts(marts, folder)
    assert (folder / MANIFEST).read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["marts"]


def test_what_is_not_an_export_is_not_replaced(marts: Database, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("months of work")
    with pytest.raises(TutorqError, match="has other files in it"):
        export_marts(marts, tmp_path)
    with pytest.raises(TutorqError, match="is a file"):
        export_marts(marts, tmp_path / "thesis.txt")


@pytest.mark.parametrize("manifest", ["", "[]", '{"name": "a web page"}', '{"format": 1, "tables": []}'])
def test_a_manifest_of_others_is_no_export(marts: Database, tmp_path: Path, manifest: str) -> None:
    (tmp_path / MANIFEST).write_text(manifest)
    with pytest.raises(TutorqError, match="has other files in it"):
        export_marts(marts, tmp_path)
    assert (tmp_path / MANIFEST).read_text() == manifest


def test_the_last_one_comes_back_if_the_new_one_cannot_take_its_place(
    marts: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "marts"
    export_marts(marts, folder)
    before = (folder / MANIFEST).read_text()
    rename = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if target == folder and not path.name.endswith(".old"):
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(TutorqError, match=r"is as it was: Permission denied"):
        export_marts(marts, folder)
    assert (folder / MANIFEST).read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["marts"]


def test_without_marts_it_says_so(database: Database, tmp_path: Path) -> None:
    with pytest.raises(TutorqError, match="there are no marts yet: run `tutorq score` first"):
        export_marts(database, tmp_path / "marts")
    assert not (tmp_path / "marts").exists()


def test_posts_in_between_are_not_seen(marts: Database, tmp_path: Path) -> None:
    """All tables are of the moment of the first one."""

    def change(table: str) -> None:
        if table == "tutor_scores":
            with marts.connect() as connection:
                connection.execute("update marts.tutor_scores set quality_score = 1 where external_id = 'T-1'")

    export_marts(marts, tmp_path / "marts", tell=change)
    scores = pq.read_table(tmp_path / "marts" / "tutor_scores" / "part-0.parquet").to_pylist()
    assert next(row["quality_score"] for row in scores if row["external_id"] == "T-1") != 1


def test_rows_are_written_in_groups(marts: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROWS", 500)
    monkeypatch.setattr(export, "BLOCK", 1 << 16)
    done = export_marts(marts, tmp_path / "marts")
    history = next(table for table in done.tables if table.name == "score_history")
    written = pq.read_metadata(tmp_path / "marts" / "score_history" / "part-0.parquet")
    assert written.num_rows == history.rows
    assert written.num_row_groups > 1


def test_the_command_tells_what_it_wrote(marts: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORQ_DATABASE_URL", marts.login_url)
    monkeypatch.setenv("TUTORQ_HOME", str(tmp_path / "home"))
    said = CliRunner().invoke(app, ["db", "export", str(tmp_path / "marts"), "--json"])
    assert said.exit_code == 0, said.output
    tables = manifest(tmp_path / "marts")["tables"]
    assert json.loads(said.stdout)["tables"] == tables
    with marts.connect() as connection:
        entry = connection.execute(
            "select action, subject_id, details from app.audit_log order by entry_id desc limit 1"
        ).fetchone()
    assert entry == ("export", "marts", {"rows": sum(table["rows"] for table in tables), "format": "parquet"})


MANY = """
create or replace view analytics.many as
select
    n as id, md5(n::text) as text, n / 7.0::double precision as number,
    timestamptz '2026-01-01' + n * interval '1 second' as at
from generate_series(1, {rows}) as n
"""
PEAK = """
import resource, sys
from pathlib import Path
from backup.export import export_marts
from core.database import Database
from core.settings import Settings
export_marts(Database(Settings()), Path(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.soak
def test_memory_does_not_grow_with_the_rows(marts: Database, tmp_path: Path) -> None:
    environment = {**os.environ, "TUTORQ_DATABASE_URL": marts.login_url, "TUTORQ_HOME": str(tmp_path / "home")}
    peaks = []
    for rows in (300_000, 6_000_000):
        with marts.as_role(DatabaseRole.TRANSFORM).connect() as connection:
            connection.execute(MANY.format(rows=rows).encode())
        command = [sys.executable, "-c", PEAK, str(tmp_path / "marts")]
        ended = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=True)
        peaks.append(int(ended.stdout))
        assert (
            next(table["rows"] for table in manifest(tmp_path / "marts")["tables"] if table["name"] == "many") == rows
        )
    with marts.as_role(DatabaseRole.TRANSFORM).connect() as connection:
        connection.execute("drop view analytics.many")
    assert peaks[1] < peaks[0] + 100, f"peaks in MB: {peaks}"
