"""The audit log is only ever added to, whoever is connected."""

import os
import pwd
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

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


@pytest.fixture
def chained(database: Database) -> Database:
    with database.connect() as connection:
        for number in range(5):
            audit.record(
                connection, Entry("Ann", Action.EXCUSE_ADD, "session", f"s-{number}", {"n": number}, "192.0.2.7")
            )
    return database


def tamper(database: Database, *statements: str) -> None:
    """As the owner who has switched the triggers off."""
    with database.connect() as connection:
        for table in ("audit_log", "audit_chain"):
            connection.execute(f"alter table app.{table} disable trigger all".encode())
        for statement in statements:
            connection.execute(statement.encode())
        for table in ("audit_log", "audit_chain"):
            connection.execute(f"alter table app.{table} enable trigger all".encode())


def entry_ids(database: Database) -> list[int]:
    with database.connect() as connection:
        return [entry.entry_id for entry in reversed(audit.find(connection, limit=1000))]


def check(database: Database, **options: Any) -> audit.Head:
    with database.connect() as connection:
        return audit.verify(connection, **options)


def test_the_chain_holds_and_its_end_can_be_noted(chained: Database) -> None:
    noted = check(chained)
    assert noted.place == 5
    with chained.as_role(DatabaseRole.API).connect() as connection:
        audit.record(connection, ENTRY, ENTRY)
    assert check(chained, noted=noted).place == 7
    assert check(chained, last=3).place == 7


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("update app.audit_log set actor = 'Bob' where subject_id = 's-2'", r"the entry of link 3 .* was changed"),
        ("update app.audit_log set details = '{}' where subject_id = 's-4'", r"the entry of link 5 .* was changed"),
        ("update app.audit_log set happened_at = '2001-01-01' where subject_id = 's-0'", "link 1 .* was changed"),
        ("update app.audit_log set address = null where subject_id = 's-1'", "link 2 .* was changed"),
        ("delete from app.audit_log where subject_id = 's-3'", "the entry of link 4 .* was deleted"),
        ("update app.audit_chain set digest = sha256('x') where place = 2", "link 2 .* does not fit the link before"),
        ("delete from app.audit_chain where place = 3", "links between link 2 .* and link 4 .* are missing"),
        ("delete from app.audit_chain where place < 3", "what was before link 3 .* is missing"),
        (
            "insert into app.audit_log (actor, action, subject_kind, subject_id) values ('a', 'b', 'c', 'd')",
            "has no link",
        ),
    ],
)  # fmt: skip
def test_a_tampered_entry_is_found(chained: Database, statement: str, problem: str) -> None:
    check(chained)
    tamper(chained, statement)
    with pytest.raises(audit.BrokenChainError, match=problem):
        check(chained)


def test_a_chain_that_was_written_anew_is_not_the_one_that_was_noted(chained: Database) -> None:
    noted = check(chained)
    tamper(
        chained,
        "update app.audit_log set actor = 'Bob' where subject_id = 's-2'",
        "delete from app.audit_chain",
        "select app.chain_audit_entry(entry.entry_id, app.audit_digest(entry)) "
        "from (select * from app.audit_log order by entry_id) as entry",
    )
    assert check(chained).place == 5
    with pytest.raises(audit.BrokenChainError, match="not the one that was noted"):
        check(chained, noted=noted)
    tamper(chained, "delete from app.audit_chain where place > 3", "delete from app.audit_log where subject_id > 's-2'")
    with pytest.raises(audit.BrokenChainError, match="ends at link 3"):
        check(chained, noted=noted)


def test_writers_at_once_make_one_chain(database: Database) -> None:
    def write(number: int) -> None:
        with database.as_role(DatabaseRole.API).connect(autocommit=True) as connection:
            for _ in range(20):
                with connection.transaction():
                    audit.record(connection, ENTRY, Entry(f"writer {number}", Action.LOG_IN, "person", "1"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    assert check(database).place == 320


def test_who_is_forgotten_leaves_the_chain_whole(chained: Database) -> None:
    _, second, third, *_ = entry_ids(chained)
    with chained.connect() as connection:
        assert audit.redact(connection, [second, third], by="an operator", actor="a person", subject_id="gone") == 2
        entries = {entry.entry_id: entry for entry in audit.find(connection, limit=100)}
    assert check(chained).place == 7
    redacted = entries[second]
    assert (redacted.actor, redacted.subject_id, redacted.address) == ("a person", "gone", None)
    assert redacted.details == {"redacted": True}
    assert [(entry.actor, entry.action, entry.subject_id) for entry in entries.values()][:2] == [
        ("an operator", "audit.redact", str(third)), ("an operator", "audit.redact", str(second))
    ]  # fmt: skip
    tamper(chained, f"update app.audit_log set actor = 'Bob' where entry_id = {second}")
    with pytest.raises(audit.BrokenChainError, match=f"entry {second}"):
        check(chained)


@pytest.mark.parametrize("role", DatabaseRole)
def test_only_the_owner_redacts(chained: Database, role: DatabaseRole) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), chained.as_role(role).connect() as connection:
        audit.redact(connection, entry_ids(chained), by="x")
    check(chained)


def test_old_entries_are_deleted_from_the_front(chained: Database) -> None:
    transform = chained.as_role(DatabaseRole.TRANSFORM)
    forget = b"select app.forget_audit('1000 days')"
    with transform.connect() as connection:
        assert connection.execute(forget).fetchone() == (0,)
    # As they would be written if the clock had stood there.
    tamper(
        chained,
        "update app.audit_log set happened_at = now() - interval '1001 days' where subject_id < 's-3'",
        "delete from app.audit_chain",
        "select app.chain_audit_entry(entry.entry_id, app.audit_digest(entry)) "
        "from (select * from app.audit_log order by entry_id) as entry",
    )
    with transform.connect() as connection:
        assert connection.execute(forget).fetchone() == (3,)
    assert check(chained).place == 6
    with chained.connect() as connection:
        newest, *rest = audit.find(connection, limit=10)
        audit.record(connection, ENTRY)
    assert (newest.action, newest.subject_id, newest.details["entries"]) == ("audit.forget", "3", 3)
    assert [entry.subject_id for entry in rest] == ["s-4", "s-3"]
    assert check(chained).place == 7
    tamper(chained, "delete from app.audit_log where subject_id = 's-3'", "delete from app.audit_chain where place = 4")
    with pytest.raises(audit.BrokenChainError, match="what was before link 5"):
        check(chained)
