"""A real Postgres with generated data, and dbt run in this process on one parsed manifest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from core import dbt_runner
from core.database import Database
from core.dbt_internals import runner
from core.settings import PROJECT_ROOT
from tests.marts import AS_OF, DATA, Marts

if TYPE_CHECKING:
    from uuid import UUID

    from dbt.contracts.graph.manifest import Manifest

    from tests.conftest import Postgres

PROJECT = PROJECT_ROOT / "dbt_project"
BUILT = "dbt_built"
# The tables on the way to scores, for tests that look at no others: a run of everything takes three times as long.
TO_SCORES = ("run", "--select", "+tutor_scores,config.materialized:incremental")
# As the product tells dbt what the code is.
CODE = {"models_version": dbt_runner.models_version()}


def parsed() -> Manifest:
    """The project as it was parsed when it was installed, or as it is where a file is newer."""
    os.environ.setdefault("PGDATABASE", "tutorq")  # each Dbt names its own
    manifest = dbt_runner.parsed_by_install()
    if manifest is None:
        dbt_runner.parse()
        manifest = dbt_runner.parsed_by_install()
    assert manifest is not None
    return manifest


class Dbt:
    """Runs dbt commands on the project; every one starts from the manifest as it was parsed.

    dbt writes compiled code into the manifest, and would take the code of ephemeral models from there even
    where the vars are others, so each command gets its own copy.
    """

    def __init__(self, database: Database, target_path: Path) -> None:
        self.target_path = target_path
        self._database = database
        self._libpq = database.libpq_environment()
        os.environ.update(self._libpq)
        self.manifest = parsed()

    def __call__(self, *command: str, **variables: object) -> Any:
        """Run `command`; `as_of` is AS_OF unless it is among the variables. Fails the test unless dbt succeeds."""
        # Tests of other folders, in between, have dbt build other databases.
        os.environ.update(self._libpq)
        manifest = self.manifest.deepcopy()  # type: ignore[no-untyped-call]
        everything = command[0] == "test" or "--full-refresh" in command
        with dbt_runner.making_what_is_new(self._database, {**CODE, **variables}, everything=everything) as done:
            outcome = runner(manifest).invoke([*command, *self._options(variables)])
            assert outcome.success, outcome.exception or failures(outcome.result)
            if command[0] in ("run", "build"):
                done(outcome.result)
        return outcome.result

    def _options(self, variables: Mapping[str, object]) -> list[str]:
        return [
            "--project-dir",
            str(PROJECT),
            "--profiles-dir",
            str(PROJECT),
            "--target-path",
            str(self.target_path),
            "--log-path",
            str(self.target_path),
            "--quiet",
            "--no-write-json",
            "--log-level-file",
            "none",
            "--vars",
            str({"as_of": AS_OF, **variables}),
        ]


def failures(result: Any) -> list[str]:
    return [f"{each.node.name}: {each.message}" for each in result if each.status in ("fail", "error", "warn")]


@pytest.fixture(scope="session")
def template(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database of DATA with everything built, once per gate, to be copied."""

    def built() -> Database:
        database = postgres.new_database(postgres.gate_folder)
        with database.connect() as connection:
            connection.execute(DATA)
        result = Dbt(database, tmp_path_factory.mktemp("target"))("build")
        assert not failures(result)
        assert {each.node.resource_type for each in result} >= {"model", "test", "unit_test"}
        return database

    postgres.make_template(BUILT, built)
    return BUILT


@pytest.fixture(scope="module")
def database(postgres: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A copy of the template for the tests of one file."""
    return postgres.new_database(tmp_path_factory.mktemp("dbt"), template)


@pytest.fixture
def alone(postgres: Postgres, template: str, tmp_path: Path) -> Iterator[Database]:
    """A copy for one test, which may leave in it what it likes: cheaper than a run that puts things right."""
    database = postgres.new_database(tmp_path, template)
    yield database
    postgres.drop(database)


@pytest.fixture(scope="module")
def built(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """dbt, with everything built, unit tests and data tests included."""
    return Dbt(database, tmp_path_factory.mktemp("target"))


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    with database.connect(autocommit=True) as connection:
        yield connection


@pytest.fixture
def marts(connection: psycopg.Connection) -> Marts:
    return Marts(connection)


class Tutor:
    """A tutor of the generated data, in a transaction that is taken back."""

    def __init__(self, connection: psycopg.Connection, tutor_id: UUID) -> None:
        self._connection = connection
        self.tutor_id = tutor_id

    def has(self, *raised: str, superseded: str | None = None) -> None:
        """As if scores had just found so; what is not named is ok."""
        self._connection.execute(
            """
            update marts.tutor_concerns
            set
                status = case when concern = any(%(raised)s) then 'raised' else 'ok' end,
                superseded = concern is not distinct from %(superseded)s::text,
                raised_on = as_of
            where tutor_id = %(tutor)s
            """,
            {"tutor": self.tutor_id, "raised": [*raised, superseded], "superseded": superseded},
        )
        self.keep()

    def keep(self) -> None:
        self._connection.execute("select marts.keep_cases(array[%s]::uuid[])", [self.tutor_id])

    def set(self, **columns: object) -> None:
        """As people change the case."""
        values = ", ".join(f"{name} = %({name})s" for name in columns)
        self._connection.execute(
            f"update app.cases set {values} where tutor_id = %(tutor)s".encode(), {"tutor": self.tutor_id, **columns}
        )

    def close(self, reason: str = "improved", *, days_ago: int = 1) -> None:
        state = "resolved" if reason in ("improved", "no_effect") else "dismissed"
        self._connection.execute(
            """
            update app.cases set state = %s, reason = %s, closed_at = now() - %s * interval '1 day'
            where tutor_id = %s and closed_at is null
            """,
            [state, reason, days_ago, self.tutor_id],
        )

    def contacted(self, day: str) -> None:
        """As people log a contact."""
        self._connection.execute(
            """
            insert into app.case_events (case_id, kind, actor, version, happened_on)
            select case_id, 'contact', 'Ann Lee', version, %s from app.cases where tutor_id = %s
            """,
            [day, self.tutor_id],
        )

    @property
    def cases(self) -> list[dict[str, Any]]:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            query = "select * from app.cases where tutor_id = %s order by opened_at, case_id"
            return cursor.execute(query, [self.tutor_id]).fetchall()

    @property
    def case(self) -> dict[str, Any]:
        (case,) = self.cases
        return case

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Kinds, and what they name."""
        rows = self._connection.execute(
            """
            select events.kind, coalesce(
                jsonb_path_query_array(events.details, '$.concerns[*].concern'), '[]'
            ) || jsonb_path_query_array(events.details, '$.concerns[*] ? (@.type() == "string")')
            from app.case_events as events inner join app.cases using (case_id)
            where cases.tutor_id = %s order by event_id
            """,
            [self.tutor_id],
        )
        return [(kind, tuple(names)) for kind, names in rows]

    @property
    def details(self) -> list[dict[str, Any]]:
        """What else the events say."""
        rows = self._connection.execute(
            """
            select events.details - 'concerns'
            from app.case_events as events inner join app.cases using (case_id)
            where cases.tutor_id = %s order by event_id
            """,
            [self.tutor_id],
        )
        return [details for (details,) in rows]


@pytest.fixture
def tutor(built: Dbt, connection: psycopg.Connection) -> Iterator[Tutor]:
    """One without a case, of whom every concern is ok and nothing is told: runs of other tests may have told some."""
    with connection.transaction(force_rollback=True):
        row = connection.execute(
            "select tutor_id from marts.tutor_scores order by sessions_90d desc limit 1"
        ).fetchone()
        assert row is not None
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            "delete from app.case_events where case_id in (select case_id from app.cases where tutor_id = %s)", row
        )
        connection.execute("delete from app.cases where tutor_id = %s", row)
        connection.execute("set local session_replication_role = origin")
        tutor = Tutor(connection, row[0])
        tutor.has()
        connection.execute("delete from app.events where tutor_id = %s", row)
        assert tutor.cases == []
        yield tutor
