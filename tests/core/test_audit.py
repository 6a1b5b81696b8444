"""The audit log is only ever added to, whoever is connected."""

import os
import pwd
from datetime import timedelta

import psycopg
import pytest

from core import audit, keys, logins, people
from core.audit import Action, Entry
from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.roles import Role
from core.settings import Settings

ENTRY = Entry("Ann", Action.EXCUSE_ADD, "session", "s-1", {"reason": "Storm: “all” roofs; \\u0041 100%"})


@pytest.fixture
def written(database: Database) -> Database:
    with database.connect() as connection:
        audit.record(connection, ENTRY)
    return database


@pytest.mark.parametrize("role", [None, *DatabaseRole])
@pytest.mark.parametrize(
    "statement",
    [
        "update app.audit_log set actor = 'nobody'",
        "update app.audit_log set details = '{}' where false",
        "delete from app.audit_log",
        "delete from app.audit_log where entry_id < 0",
        "truncate app.audit_log",
        "insert into app.audit_log overriding system value select * from app.audit_log "
        "on conflict (entry_id) do update set actor = 'nobody'",
    ],
)
def test_nobody_changes_an_entry(written: Database, role: DatabaseRole | None, statement: str) -> None:
    database = written.as_role(role) if role else written
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"append-only|permission denied"),
        database.connect() as connection,
    ):
        connection.execute(statement.encode())
    with written.connect() as connection:
        (entry,) = audit.find(connection, limit=10)
    assert (entry.actor, entry.action, entry.details) == ("Ann", "excuse.add", ENTRY.details)


@pytest.mark.parametrize(
    ("role", "may"), [(DatabaseRole.API, True), (DatabaseRole.TRANSFORM, True), (DatabaseRole.INGEST, False)]
)
def test_who_may_add(written: Database, role: DatabaseRole, may: bool) -> None:
    with written.as_role(role).connect() as connection:
        try:
            audit.record(connection, ENTRY)
        except psycopg.errors.InsufficientPrivilege:
            assert not may
        else:
            assert may


@pytest.mark.parametrize("role", [DatabaseRole.API, DatabaseRole.TRANSFORM])
def test_nobody_says_when_it_happened(database: Database, role: DatabaseRole) -> None:
    columns = "actor, action, subject_kind, subject_id"
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.as_role(role).connect() as connection:
        connection.execute(
            f"insert into app.audit_log ({columns}, happened_at) values ('a', 'b', 'c', 'd', '2001-01-01')".encode()
        )


def test_a_deed_that_fails_leaves_no_entry(database: Database) -> None:
    with database.connect() as connection:
        keys.create(connection, "twice", Role.READ)
        with pytest.raises(TutorqError):
            keys.create(connection, "twice", Role.READ)
        assert len(audit.find(connection, limit=10)) == 1


def test_keys_and_links_leave_a_trail_without_secrets(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "forged")
    settings = Settings()
    with database.connect() as connection:
        key = keys.create(connection, "nightly", Role.INGEST, lasts=timedelta(days=90))
        old, new = keys.rotate(connection, "nightly", overlap=timedelta(days=7))
        keys.revoke(connection, "nightly")
        ann = people.add(connection, "ann@example.org", "Ann", Role.READ)
        link = logins.create_link(connection, settings, ann)
        trail = list(reversed(audit.find(connection, limit=10)))
    assert [entry.action for entry in trail] == [
        "key.create",
        "key.rotate",
        "key.revoke",
        "key.revoke",
        "person.add",
        "login_link.create",
    ]
    assert {entry.actor for entry in trail} == {f"command line ({pwd.getpwuid(os.getuid()).pw_name})"}
    made, rotated, *_, linked = trail
    assert (made.subject_id, made.details["name"], made.details["role"]) == (str(key.key_id), "nightly", "ingest")
    assert (rotated.subject_id, rotated.details["replaces"]) == (str(new.key_id), old.prefix)
    assert (linked.subject_id, linked.details["role"]) == (str(ann.person_id), "read")
    for secret in (key.secret, new.secret, link.partition("#token=")[2]):
        assert secret
        assert secret not in str(trail)


def test_find_filters(database: Database) -> None:
    with database.connect() as connection:
        audit.record(connection, ENTRY, Entry("Bob (browser session 3)", Action.LOG_IN, "browser_session", "3"))

        def actors(**filters: object) -> list[str]:
            return [entry.actor for entry in audit.find(connection, limit=10, **filters)]  # type: ignore[arg-type]

        assert actors() == ["Bob (browser session 3)", "Ann"]
        assert actors(actor="BOB") == ["Bob (browser session 3)"]
        assert actors(actor="%") == []
        assert actors(actions=[Action.EXCUSE_ADD]) == ["Ann"]
        assert len(audit.find(connection, limit=1)) == 1
