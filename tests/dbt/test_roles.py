"""Who may do what: the catalog after two builds, and what each role can and cannot do."""

from __future__ import annotations

import re
import textwrap
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from core.database import Database, DatabaseRole
from core.dbt_runner import build_events
from core.migrate import migrate
from core.settings import Settings
from tests.dbt.conftest import PROJECT, Dbt
from tests.marts import DATA_OF_BEFORE

if TYPE_CHECKING:
    from tests.conftest import Postgres

EXPECTED = Path(__file__).parent / "roles.txt"

# In every place where a person may be named, and nowhere else.
SECRET = "Hortensia"
NAMES = f"""
update raw.tutors set name = '{SECRET} T', email = '{SECRET}@example.org';
update raw.students set name = '{SECRET} S', learning_goals = 'to be like {SECRET}';
update raw.reschedules set reason = '{SECRET} is ill';
update app.excuses set reason = '{SECRET} was ill', created_by = '{SECRET}';
insert into app.people (name, email, role) values ('{SECRET} P', 'p@example.org', 'coach');
update app.cases set opened_by = '{SECRET}', owner_id = (select max(person_id) from app.people);
insert into raw.quarantine (entity, source, line, reason, content) values ('tutors', 'tutors.csv', 2, 'x', '{SECRET}');
insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload)
values ('alert', 't', 'k', '{SECRET}@example.org', '{SECRET}', '{{}}');
"""

ROLES = """
select rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication, (
    select array_agg(roleid::regrole::text) from pg_auth_members where member = pg_roles.oid
)
from pg_roles where rolname like 'tutorq\\_%' order by 1
"""

# (who, what, schema, name) of all that is granted to others than the owner of the thing, and of all owners.
GRANTS = """
with things as (
    select
        'schema' as kind, nspname::text as schema, nspname::text as name, nspowner as owner,
        coalesce(nspacl, acldefault('n', nspowner)) as acl
    from pg_namespace
    union all
    select
        case relkind when 'S' then 'sequence' else 'table' end, relnamespace::regnamespace::text, relname::text,
        relowner, coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner))
    from pg_class where relkind in ('r', 'p', 'v', 'm', 'S')
    union all
    select 'column', relnamespace::regnamespace::text, relname || '(' || attname || ')', relowner, attacl
    from pg_attribute inner join pg_class on attrelid = pg_class.oid where attacl is not null
    union all
    select
        'function', pronamespace::regnamespace::text, proname || '()', proowner,
        coalesce(proacl, acldefault('f', proowner))
    from pg_proc
    union all
    select 'database', '', '', datdba, coalesce(datacl, acldefault('d', datdba))
    from pg_database where datname = current_database()
),

ours as (
    select * from things where schema !~ '^pg_|^information_schema$'
),

granted as (
    select
        case each.grantee when 0 then 'everybody' else each.grantee::regrole::text end as who, kind, schema, name,
        string_agg(lower(each.privilege_type), ', ' order by each.privilege_type)
        || case when bool_or(each.is_grantable) then ', and may grant it' else '' end as what
    from ours cross join aclexplode(acl) as each
    where each.grantee <> owner
    group by 1, 2, 3, 4
    union all
    select owner::regrole::text, kind, schema, name, 'owns' from ours where kind not in ('column', 'database')
)

select case who when session_user then 'the owner' when 'pg_database_owner' then 'the owner' else who end,
    kind, schema, what, name
from granted
order by 1, 3, kind <> 'schema', 2, 4, 5
"""
DEFAULTS = """
select
    defaclrole::regrole::text, defaclobjtype,
    array_agg(case each.grantee when 0 then 'everybody' else each.grantee::regrole::text end order by 1)
from pg_default_acl cross join aclexplode(defaclacl) as each
where defaclnamespace = 0 group by 1, 2 order by 1, 2
"""


@pytest.fixture(scope="module")
def database(database: Database) -> Database:
    """Built once, and with names in it."""
    with database.connect() as connection:
        connection.execute(NAMES)
    return database


@pytest.fixture(scope="module")
def dbt(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    return Dbt(database, tmp_path_factory.mktemp("target"))


@pytest.fixture(scope="module")
def built_twice(dbt: Dbt) -> Dbt:
    dbt("run")
    return dbt


@contextmanager
def acting_as(database: Database, role: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(f"{database.url}&options=--role%3D{role}", autocommit=True) as connection:
        yield connection


def catalog(connection: psycopg.Connection) -> str:
    """The catalog as text, a paragraph per role; things that are granted alike stand together."""
    lines: dict[str, list[str]] = defaultdict(list)
    for who, *can, member_of in connection.execute(ROLES):
        attributes = ("log in", "be superuser", "make roles", "make databases", "bypass row security", "replicate")
        able = [attribute for attribute, is_set in zip(attributes, can, strict=True) if is_set]
        lines[who].append(f"may {', '.join(able) or 'not log in'}; member of {', '.join(member_of or ['none'])}")
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for who, kind, schema, what, name in connection.execute(GRANTS):
        alike[(who, schema, kind, what)].append(name)
    for (who, schema, kind, what), names in alike.items():
        things = {
            "schema": f"schema {schema}: {what}",
            "database": f"this database: {what}",
        }.get(kind, f"{schema} {kind}s: {what}: {', '.join(names)}")
        lines[who].extend(textwrap.wrap(things, 112, subsequent_indent="    "))
    for who, kind, grantees in connection.execute(DEFAULTS):
        made = {"f": "functions", "r": "tables"}[kind]
        lines[who].append(f"new {made} are for: {', '.join(grantees)}")
    return "\n".join(f"{who}\n" + "".join(f"    {line}\n" for line in lines[who]) for who in sorted(lines))


def test_the_catalog_after_two_builds(built_twice: Dbt, database: Database, tmp_path: Path) -> None:
    with database.connect() as connection:
        found = catalog(connection)
    (tmp_path / EXPECTED.name).write_text(found)
    assert found == EXPECTED.read_text(), f"if this is as it should be: cp {tmp_path / EXPECTED.name} {EXPECTED}"


def test_analysts_read_every_mart_and_no_names(built_twice: Dbt, database: Database) -> None:
    with database.connect() as connection:
        marts = dict(connection.execute(COLUMNS, ["marts"]).fetchall())
        shown = dict(connection.execute(COLUMNS, ["analytics"]).fetchall())
    assert shown == marts, "the same names, columns and types"
    assert len(marts) > 15
    seen = {role: read_everything(database, role) for role in ("tutorq_analyst", "tutorq_api")}
    assert {f"analytics.{name}" for name in marts} <= seen["tutorq_analyst"].keys()
    assert not [name for name, rows in seen["tutorq_analyst"].items() if SECRET in rows]
    assert SECRET in seen["tutorq_api"]["marts.fct_moves"], "there is something to hide"
    for name in ("dim_tutors", "dim_students", "tutor_scores", "match_tutors", "match_students", "fct_moves"):
        assert "***" in seen["tutorq_analyst"][f"analytics.{name}"], name


def test_queries_of_the_overview_run_for_analysts(built_twice: Dbt, database: Database) -> None:
    overview = (PROJECT / "models" / "overview.md").read_text()
    queries = re.findall(r"```sql\n(.*?)```", overview, flags=re.DOTALL)
    assert len(queries) == 5
    with acting_as(database, "tutorq_analyst") as analyst:
        for query in queries:
            analyst.execute(query.encode())


def test_every_column_tells_its_meaning_in_the_database(built_twice: Dbt, database: Database) -> None:
    with acting_as(database, "tutorq_analyst") as analyst:
        described = analyst.execute(
            """
            select count(*), count(col_description(attrelid, attnum))
            from pg_attribute inner join pg_class on attrelid = pg_class.oid
            where relnamespace = 'analytics'::regnamespace and attnum > 0
            """
        ).fetchone()
    assert described is not None
    assert described[0] == described[1] > 150


def test_who_may_see_names_sees_them(built_twice: Dbt, database: Database) -> None:
    query = "select name, email from analytics.dim_tutors where not is_stub limit 1"
    with database.connect(autocommit=True) as connection:
        connection.execute("create role ada login in role tutorq_analyst")
        try:
            with acting_as(database, "ada") as ada:
                assert ada.execute(query).fetchone() == ("***", "***")
                connection.execute("grant tutorq_analyst_names to ada")
                assert ada.execute(query).fetchone() == (f"{SECRET} T", f"{SECRET}@example.org")
                assert ada.execute("select count(*) from analytics.dim_tutors where name is null").fetchone() == (0,)
        finally:
            connection.execute("drop role ada")


COLUMNS = """
select table_name, array_agg((column_name || ' ' || udt_name)::text order by column_name)
from information_schema.columns where table_schema = %s group by 1
"""


def read_everything(database: Database, role: str) -> dict[str, str]:
    """All rows that a role can read, by table."""
    with acting_as(database, role) as connection:
        readable = connection.execute(
            """
            select c.oid::regclass::text from pg_class as c
            where relkind in ('r', 'p', 'v', 'm') and relnamespace::regnamespace::text !~ '^pg_|^information_schema$'
                and has_schema_privilege(relnamespace, 'usage') and has_any_column_privilege(c.oid, 'select')
            """
        ).fetchall()
        return {
            # As text: Python has no such time as -infinity.
            name: str(connection.execute(f"select t::text from {name} as t".encode()).fetchall())
            for (name,) in readable
        }


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("tutorq_ingest", "select * from marts.tutor_scores"),
        ("tutorq_ingest", "select * from analytics.tutor_scores"),
        ("tutorq_ingest", "select * from app.api_keys"),
        ("tutorq_ingest", "delete from raw.sessions"),
        ("tutorq_ingest", "delete from raw.changes"),
        ("tutorq_ingest", "create table raw.mine ()"),
        ("tutorq_ingest", "drop table raw.loads"),
        ("tutorq_transform", "update raw.sessions set rating = 5"),
        ("tutorq_transform", "insert into raw.sessions default values"),
        ("tutorq_transform", "delete from raw.tutors"),
        ("tutorq_transform", "select * from app.api_keys"),
        ("tutorq_transform", "select * from app.browser_sessions"),
        ("tutorq_transform", "delete from app.email_reports"),
        ("tutorq_transform", "update app.excuses set reason = 'x'"),
        ("tutorq_transform", "create schema mine"),
        ("tutorq_transform", "create role mine"),
        ("tutorq_api", "update marts.tutor_scores set is_high_risk = false"),
        ("tutorq_api", "drop table marts.tutor_scores"),
        ("tutorq_api", "truncate raw.sessions"),
        ("tutorq_api", "delete from raw.tutors"),
        ("tutorq_api", "select * from intermediate.int_session_facts"),
        ("tutorq_api", "insert into app.api_keys (name, role, prefix, key_hash) values ('x', 'admin', 'x', '')"),
        ("tutorq_api", "update app.api_keys set role = 'admin'"),
        ("tutorq_api", "update ml.models set is_champion = true"),
        ("tutorq_api", "delete from app.audit_log"),
        ("tutorq_api", "update app.audit_log set actor = 'x'"),
        ("tutorq_api", "truncate app.audit_log"),
        ("tutorq_api", "alter table app.audit_log disable trigger append_only"),
        ("tutorq_transform", "select * from app.audit_log"),
        ("tutorq_transform", "delete from app.audit_log"),
        ("tutorq_ingest", "insert into app.audit_log default values"),
        ("tutorq_api", "create table marts.mine ()"),
        ("tutorq_analyst", "select name from marts.tutor_scores"),
        ("tutorq_analyst", "select * from marts.dim_tutors"),
        ("tutorq_analyst", "select * from raw.sessions"),
        ("tutorq_analyst", "select * from app.email_reports"),
        ("tutorq_analyst", "select * from staging.stg_raw__tutors"),
        ("tutorq_analyst", "update analytics.tutor_scores set is_high_risk = false"),
        ("tutorq_analyst", "select marts.refresh_sessions(array[]::uuid[])"),
        ("tutorq_analyst", "set role tutorq_analyst_names; select * from analytics.dim_tutors"),
    ],
)
def test_what_is_none_of_its_business(built_twice: Dbt, database: Database, role: str, statement: str) -> None:
    login = f"{role}_login"
    with database.connect(autocommit=True) as connection:
        connection.execute(f"create role {login} login in role {role}".encode())
        try:
            # With a login of its own, as `set role` would be allowed to the owner.
            with psycopg.connect(database.url.replace("postgres@", f"{login}@"), autocommit=True) as own:
                assert own.execute("select session_user::text").fetchone() == (login,)
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    own.execute(statement.encode())
        finally:
            connection.execute(f"drop role {login}".encode())


def test_views_of_analysts_are_never_away(built_twice: Dbt, database: Database) -> None:
    over = threading.Event()
    seen: dict[str, set[int]] = defaultdict(set)
    faults: list[str] = []

    def read(name: str) -> None:
        with acting_as(database, "tutorq_analyst") as connection:
            while not over.is_set():
                try:
                    row = connection.execute(f"select count(*) from analytics.{name}".encode()).fetchone()
                    seen[name].update(row or ())
                except psycopg.Error as error:
                    faults.append(f"{name}: {error}")

    names = ("tutor_scores", "dim_tutors", "dim_students", "publication", "match_students", "fct_sessions")
    readers = [threading.Thread(target=read, args=[name], daemon=True) for name in names]
    for reader in readers:
        reader.start()
    try:
        built_twice("run")
    finally:
        over.set()
        for reader in readers:
            reader.join(60)
    assert not any(reader.is_alive() for reader in readers)
    assert faults == []
    assert {name: len(counts) for name, counts in seen.items()} == dict.fromkeys(names, 1)


def test_a_build_that_is_given_up_ends_its_sessions(built_twice: Dbt, database: Database, tmp_path: Path) -> None:
    """They belong to the login, and not to the role that has to end them."""
    settings = Settings(home=tmp_path, database_url=database.url)
    waiting = (
        "select count(*) from pg_stat_activity "
        "where application_name = 'dbt' and wait_event_type = 'Lock' and datname = current_database()"
    )
    with database.connect() as blocker, database.connect(autocommit=True) as looker:
        blocker.execute("lock table raw.students in access exclusive mode")
        events = build_events(settings, database.as_role(DatabaseRole.TRANSFORM), ["--select", "dim_students"])
        assert any(event["info"]["name"] == "LogStartLine" for event in events)
        deadline = time.monotonic() + 60
        while looker.execute(waiting).fetchone() == (0,):
            assert time.monotonic() < deadline, "the build does not come to the table"
            time.sleep(0.1)
        giving_up = threading.Thread(target=events.close)
        giving_up.start()
        giving_up.join(30)
        left = looker.execute(waiting).fetchone()
        blocker.rollback()
        giving_up.join()
    assert left == (0,)


@pytest.mark.soak
def test_what_an_earlier_version_has_built_changes_hands(
    postgres: Postgres, dbt: Dbt, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    old = Database(Settings(home=tmp_path, database_url=postgres.url("before_roles")))
    migrate(old, "0008")
    with old.connect() as connection:
        connection.execute(DATA_OF_BEFORE)
        connection.execute(
            """
            create schema marts;
            create schema staging;
            create table marts.tutor_scores (tutor_id uuid, name text);
            create table ml.match_predictions_03_next (like ml.match_predictions);
            create view staging.stg_raw__tutors as select * from raw.tutors;
            create function marts.refresh_sessions(sessions uuid[]) returns integer language sql
                security definer as 'select 1';
            grant usage on schema marts to tutorq_analyst, tutorq_api;
            grant select on marts.tutor_scores to tutorq_analyst, tutorq_api;
            """
        )
    migrate(old)
    Dbt(old, tmp_path_factory.mktemp("target"))("build", "--exclude-resource-type", "test", "unit_test")
    with old.connect() as connection:
        strangers = connection.execute(
            """
            select oid::regclass::text from pg_class
            where (relnamespace::regnamespace::text in ('staging', 'intermediate', 'marts', 'analytics')
                or relname ~ '^match_predictions')
                and relowner::regrole::text <> 'tutorq_transform'
            union all
            select oid::regprocedure::text from pg_proc
            where pronamespace = 'marts'::regnamespace and proowner::regrole::text <> 'tutorq_transform'
            """
        ).fetchall()
    assert strangers == []
    with acting_as(old, DatabaseRole.API) as api:
        assert api.execute("select marts.refresh_sessions(array[]::uuid[])").fetchone() is not None
    with acting_as(old, "tutorq_analyst") as analyst:
        assert analyst.execute("select count(*) from analytics.tutor_scores").fetchone() == (30,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            analyst.execute("select * from marts.tutor_scores")
