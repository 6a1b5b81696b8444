"""The `tutorq` command, in this process, on a real database."""

import gzip
import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner, Result

from cli import audit as audit_command
from cli import terminal
from cli.app import app
from core import audit, keys, people
from core.database import Database, DatabaseRole
from core.roles import Role
from core.sealing import Sealer, sealer
from core.settings import Settings
from demo import write_demo
from ingest.ids import entity_uuid
from tests.conftest import MADE

pytestmark = pytest.mark.usefixtures("environment")

SESSIONS = """session_id,tutor_id,student_id,scheduled_time,status,rating
s1,t1,u1,2026-03-01T10:00:00Z,completed,5
s2,t1,u1,2026-03-02T10:00:00Z,flown,4
s3,t1,u2,yesterday,completed,
s4,t2,u2,2026-03-04 10:00,no_show,9
s1,t1,u1,2026-03-01T10:00:00Z,completed,5
"""


def tutorq(*arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == exit_code, result.output
    return result


def answer(*arguments: str) -> Any:
    return json.loads(tutorq(*arguments, "--json").stdout)


@pytest.mark.slow
def test_the_version() -> None:
    assert tutorq("--version").stdout.strip() == version("tutorq")


@pytest.mark.slow
@pytest.mark.template(MADE)
def test_load_score_verify(tmp_path: Path, database: Database) -> None:
    made = answer("demo", str(tmp_path / "demo"), "--tutors", "12", "--students", "40", "--days", "45")
    loaded = answer("load", str(tmp_path / "demo"))
    assert loaded["errors"] == []
    assert loaded["quarantined"] == 0
    assert made["tutors"] == 12

    scored = answer("score")
    assert sum(scored["tutors"].values()) == 12
    assert answer("verify")["ok"] is True

    again = answer("load", str(tmp_path / "demo"))
    assert (again["inserted"], again["updated"], again["unchanged"]) == (0, 0, loaded["read"])

    with database.connect() as connection:
        connection.execute("alter table marts.tutor_scores add column tutor_naps_7d bigint")
    refused = tutorq("verify", exit_code=1)
    (line,) = [line for line in refused.stdout.splitlines() if "tutor_naps_7d" in line]
    assert line.startswith("marts.tutor_scores has a column that nothing verifies: tutor_naps_7d")


@pytest.mark.soak
@pytest.mark.template(MADE)
def test_scores_are_made_anew_and_measured_anew_on_demand(tmp_path: Path) -> None:
    answer("demo", str(tmp_path / "demo"), "--tutors", "12", "--students", "40", "--days", "45")
    answer("load", str(tmp_path / "demo"))
    scored = answer("score")
    rebuilt = answer("score", "--full-refresh")
    assert rebuilt["tutors"] == scored["tutors"]
    assert rebuilt["generation"] > scored["generation"]

    refused = tutorq("score", "--new-reference", exit_code=1)
    assert "no new reference set: a reference needs 20 tutors with 5 sessions in 90 days" in refused.stderr


def test_an_older_version_is_left_out_unless_it_overrides(tmp_path: Path, database: Database) -> None:
    header = "session_id,tutor_id,student_id,scheduled_time,status,updated_at"
    for name, day in (("new", "2026-01-07"), ("old", "2026-01-06")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sessions.csv").write_text(f"{header}\ns1,t1,p1,2026-01-05,completed,{day}\n")
    answer("load", str(tmp_path / "new"))
    told = tutorq("load", str(tmp_path / "old")).stdout
    assert "left out  stale rows: 1; a newer version of them is stored" in told
    overridden = answer("load", str(tmp_path / "old"), "--override")
    assert (overridden["updated"], overridden["stale"]) == (1, 0)
    with database.connect() as connection:
        [(actor, action)] = connection.execute(
            "select actor, action from app.audit_log where action like '%override'"
        ).fetchall()
    # Whatever LOGNAME says.
    assert actor == audit.operator()
    assert action == "session.override"
    # Of what was replaced, only what differs.
    shown = tutorq("audit", "list").stdout
    assert "updated_at" in shown
    assert "tutor_id" not in shown
    assert len(shown.splitlines()) < 12


def test_bad_rows_are_told_and_good_rows_are_in(tmp_path: Path, database: Database) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sessions.csv.gz").write_bytes(gzip.compress(SESSIONS.encode()))
    (tmp_path / "in" / "tutors.csv").write_text("name\nNobody\n")
    (tmp_path / "in" / "students.csv").write_text("")

    result = tutorq("load", str(tmp_path / "in"), exit_code=1)

    assert "tutor_id" in result.stderr
    assert "tutors.csv" in result.stderr
    assert "students.csv is empty" in result.stderr
    assert "Traceback" not in result.output
    told = " ".join(result.stdout.split())
    assert "refused line 4: scheduled_time: yesterday" in told
    assert "remark line 5: rating: 9" in told
    with database.connect() as connection:
        sessions = connection.execute("select external_id from raw.sessions order by 1").fetchall()
        reasons = dict(connection.execute("select line, reason from raw.quarantine order by line").fetchall())
    assert sessions == [("s1",), ("s4",)]
    assert reasons.keys() == {3, 4, 5}
    assert "status" in reasons[3]
    assert "scheduled_time" in reasons[4]
    assert "rating" in reasons[5]


def test_what_was_understood_and_guessed_and_left_alone_is_told(tmp_path: Path, database: Database) -> None:
    (tmp_path / "tutors.csv").write_bytes("tutor_id,name,shoe_size\nT1,Zoë Müller,38\n".encode("cp1252"))
    (tmp_path / "sessions-2026-01.csv").write_text("\n".join(SESSIONS.splitlines()[:2]).replace(",", ";"))
    (tmp_path / "pupils.csv").write_text("student_id\nu1\n")
    (tmp_path / "notes.txt").write_text("")

    result = tutorq("load", str(tmp_path), exit_code=1)
    assert result.stderr == "error: pupils.csv was ignored: did you mean students.csv?\n"
    assert max(map(len, result.stdout.splitlines())) <= 80
    told = " ".join(result.stdout.split())
    assert (
        "tutors.csv guessed read as CP1252 (Windows), because it is not UTF-8; letters to look at: 2 (Zoë Müller)"
        in told
    )
    assert "left out unknown columns: shoe_size" in told
    assert "sessions-2026-01.csv understood its cells are separated by semicolons" in told
    assert "1 tutor of sessions is in no tutors file: t1 (like T1?)" in told
    assert "ignored notes.txt" in told
    (tmp_path / "pupils.csv").unlink()
    summary = answer("load", str(tmp_path))
    assert [note["kind"] for file in summary["files"] for note in file["notes"]] == ["guessed", "understood"]
    assert summary["others"] == [{"source": "notes.txt", "why": "", "entity": None, "is_misnamed": False}]

    refused = tutorq("load", str(tmp_path), "--strict", exit_code=1)
    assert "tutors.csv: nothing may be guessed (--strict)" in refused.stderr


GOOD_ROW = b"s1,t1,u1,2026-01-05T10:00:00Z,completed,60,5\n"
BAD_CELLS = {
    "a byte that is no UTF-8": b"s2,t\xff,u1,2026-01-05T10:00:00Z,completed,60,5",
    "NUL": b"s2,t\x00,u1,2026-01-05T10:00:00Z,completed,60,5",
    "no status": b"s2,t1,u1,2026-01-05T10:00:00Z,NaN,60,5",
    "an id that Excel rounded": b"s2,1.23457E+11,u1,2026-01-05T10:00:00Z,completed,60,5",
    "a cell of 1 MB": b"s2," + b"x" * 2**20 + b",u1,2026-01-05T10:00:00Z,completed,60,5",
    "the year 1900": b"s2,t1,u1,1900-01-05T10:00:00Z,completed,60,5",
    "the year 2999": b"s2,t1,u1,2999-01-05T10:00:00Z,completed,60,5",
}


@pytest.mark.parametrize("row", BAD_CELLS.values(), ids=BAD_CELLS.keys())
def test_a_bad_row_leaves_the_good_one_and_alone_it_is_an_error(tmp_path: Path, database: Database, row: bytes) -> None:
    header = b"\xef\xbb\xbfsession_id,tutor_id,student_id,scheduled_time,status,duration_minutes,rating\n"
    for name, rows in {"both": GOOD_ROW + row, "alone": row}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "sessions.csv").write_bytes(header + rows + b"\n")

    both = json.loads(tutorq("load", str(tmp_path / "both"), "--json").stdout)
    alone = tutorq("load", str(tmp_path / "alone"), exit_code=1)

    assert (both["inserted"], both["quarantined"]) == (1, 1)
    assert "nothing loaded, 1 row refused" in alone.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["load", "nowhere"], "nowhere"),
        (["verify"], "tutorq score"),
        (["keys", "create", "--name", "x", "--role", "king"], "king"),
        (["keys", "revoke", "nobody"], "nobody"),
        (["db", "stop"], "external"),
    ],
)
def test_errors_are_one_line(arguments: list[str], words: str) -> None:
    result = tutorq(*arguments, exit_code=1)
    assert words in result.stderr
    assert result.stderr.startswith("error:")
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIMEZONE", "Mars/Base"),
        ("AS_OF", "someday"),
        ("RISK_THRESHOLD", "15"),
        ("API_PORT", "x"),
        ("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/33"),
        ("TRUSTED_PROXIES", "*"),
        ("TRUSTED_PROXIES", "proxy.example.org"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"TUTORQ_{name}", value)
    result = tutorq("score", exit_code=1)
    assert f"TUTORQ_{name}" in result.stderr
    assert "Value error" not in result.stderr


def test_networks_of_proxies_are_written_as_the_server_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORQ_TRUSTED_PROXIES", "192.0.2.1, 10.1.2.3/8, ::1, fd00::1/8")
    assert Settings().trusted_proxies == ["192.0.2.1", "10.0.0.0/8", "::1", "fd00::/8"]


def test_an_unreachable_database_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTORQ_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    result = tutorq("db", "migrate", exit_code=1)
    assert "cannot reach the database" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert answer_of_doctor()["database"]["ok"] is False


def answer_of_doctor() -> dict[str, Any]:
    findings = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    return {finding["what"]: finding for finding in findings}


def test_keys() -> None:
    made = answer("keys", "create", "--name", "dashboard", "--role", "read")
    assert made["secret"].startswith("tq_")
    listed = tutorq("keys", "list").stdout
    assert "dashboard" in listed
    assert made["secret"] not in listed
    tutorq("keys", "revoke", "dashboard")
    assert answer("keys", "list")[0]["revoked_at"] is not None


def test_details_of_an_entry_are_what_differs() -> None:
    before = {"status": "completed", "rating": 1, "tutor_id": "t1"}
    after = {"status": "completed", "rating": 4, "topic": "Maths", "tutor_id": "t1"}
    replaced = {"after": after, "before": before, "source": "api"}
    assert audit_command.details_of(replaced) == "rating 1 → 4, topic none → Maths, source api"
    assert audit_command.details_of({"from": "default", "to": "hidden"}) == "default → hidden"
    told = audit_command.details_of({"expires_at": "2026-01-31T00:00:00.123456+00:00", "key": None})
    assert told.startswith("expires_at 2026-0")
    assert "123456" not in told


def test_secrets_are_one_line_however_narrow_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal.out, "width", 40)
    made = tutorq("keys", "create", "--name", "narrow")
    rotated = tutorq("keys", "rotate", "narrow")
    tutorq("people", "add", "ann@example.org", "--name", "Ann")
    link = tutorq("login-link", "ann@example.org")
    for result in (made, rotated, link):
        assert len(result.stdout.splitlines()) == 1
    assert keys.prefix_of(made.stdout.strip())


def test_a_key_that_is_rotated_without_overlap_has_expired() -> None:
    tutorq("keys", "create", "--name", "leaked")
    tutorq("keys", "rotate", "leaked", "--overlap", "0")
    assert [key["state"] for key in answer("keys", "list")] == ["expired", "in use"]


def test_keys_end_and_are_rotated(tmp_path: Path) -> None:
    made = tutorq("keys", "create", "--name", "nightly", "--role", "ingest", "--expires", "90d")
    assert "Role ingest, until 20" in made.stderr
    rotated = answer("keys", "rotate", "nightly", "--overlap", "12h")
    assert rotated["secret"] not in (made.stdout, "")
    assert rotated["old_ends_at"] < rotated["expires_at"]
    listed = {key["state"]: key for key in answer("keys", "list")}
    assert listed.keys() == {"replaced", "in use"}
    assert "secret" not in listed["in use"]
    assert tutorq("keys", "revoke", "nightly").stdout.count("is revoked") == 2
    for arguments, words in (
        (("create", "--name", "x", "--expires", "soon"), "--expires 'soon' is not a duration"),
        (("create", "--name", "x", "--expires", "0"), "must last longer"),
        (("create", "--name", "tq_x"), "must not begin with tq_"),
        (("rotate", "nightly"), "no key in use is called 'nightly'"),
        (("rotate", "nightly", "--overlap", "-1d"), "--overlap"),
    ):
        result = tutorq("keys", *arguments, exit_code=1)
        assert words in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


def test_the_file_of_the_local_key_follows_a_rotation(environment: Settings, database: Database) -> None:
    with database.connect() as connection:
        secret = keys.ensure_local_key(connection, environment.api_key_file)
    rotated = answer("keys", "rotate", f"local-{keys.prefix_of(secret)}")
    assert environment.api_key_file.read_text().strip() == rotated["secret"]
    assert environment.api_key_file.stat().st_mode & 0o777 == 0o600
    with database.connect() as connection:
        assert keys.ensure_local_key(connection, environment.api_key_file) == rotated["secret"]


@pytest.mark.slow
def test_audit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tutorq("audit", "list").stderr.strip() == "No entries match."
    tutorq("keys", "create", "--name", "[red]metabase", "--role", "read")
    tutorq("people", "add", "ann@example.org", "--name", "Ann")
    tutorq("login-link", "ann@example.org")
    newest, _, oldest = answer("audit")
    assert answer("audit", "list") == answer("audit")
    told = newest["details"]
    assert (newest["action"], told["name"], told["role"]) == ("login_link.create", "Ann", "read")
    assert oldest["action"] == "key.create"
    assert [entry["action"] for entry in answer("audit", "list", "--action", "key.create")] == ["key.create"]
    assert answer("audit", "list", "--actor", "nobody at all") == []
    assert len(answer("audit", "list", "--since", "1h", "--limit", "1")) == 1
    assert answer("audit", "list", "--until", "2020-01-01") == []
    monkeypatch.setattr(terminal.out, "width", 200)
    shown = tutorq("audit", "list").stdout
    assert "key.create" in shown
    assert "[red]metabase" in "".join(shown.split())
    assert "is not one of key.create" in tutorq("audit", "list", "--action", "x", exit_code=1).stderr
    tampered = "update app.audit_log set actor = 'Bob' where action = 'person.add'"
    end = tutorq("audit", "verify").stdout.strip()
    assert answer("audit", "verify", "--head", end) == dict(zip(("place", "hash"), (3, end.split(":")[1]), strict=True))
    assert "is not PLACE:HASH" in tutorq("audit", "verify", "--head", "3", exit_code=1).stderr
    with database.connect() as connection:
        connection.execute("alter table app.audit_log disable trigger all")
        connection.execute(tampered)
        connection.execute("alter table app.audit_log enable trigger all")
    assert "link 2 (entry 2) was changed" in tutorq("audit", "verify", exit_code=1).stderr
    assert "link 2 (entry 2) was changed" in answer_of_doctor()["audit log"]["found"]
    assert "--since 'soon'" in tutorq("audit", "list", "--since", "soon", exit_code=1).stderr


def test_rotate_encryption(environment: Settings, database: Database) -> None:
    lost = Sealer([Fernet.generate_key().decode()])
    add = (
        "insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload, state, body_text) "
        "values ('alert', %(topic)s, %(topic)s, 'a@example.org', 's', '{}', 'sent', %(text)s)"
    )
    with database.connect() as connection:
        connection.execute(add, {"topic": "plain", "text": "Ada was late."})
        connection.execute(add, {"topic": "old", "text": sealer(environment).seal_text("Ada was late.")})
    assert answer("keys", "rotate-encryption") == {"renewed": 2, "unreadable": 0}
    assert len(environment.secrets_key_file.read_text().split()) == 2
    assert answer_of_doctor()["encryption"]["ok"] is True
    with database.connect() as connection:
        connection.execute(add, {"topic": "lost", "text": lost.seal_text("Bob was late.")})
    told = tutorq("keys", "rotate-encryption", exit_code=1)
    assert "1 value cannot be decrypted: TUTORQ_SECRETS_KEY lacks the key" in told.stderr
    assert "1 value cannot be decrypted" in answer_of_doctor()["encryption"]["found"]
    assert [entry["details"]["unreadable"] for entry in answer("audit", "--action", "secrets.rotate")] == [1, 0]


def test_doctor_tells_of_keys_that_end_and_of_undeclared_proxies(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = answer_of_doctor()
    assert findings["keys"] == {"what": "keys", "ok": True, "found": "0 in use", "advice": None}
    assert findings["proxies"]["ok"] is True
    with database.connect() as connection:
        keys.create(connection, "ends soon", Role.READ, lasts=timedelta(days=3))
        keys.create(connection, "forgotten", Role.READ)
        connection.execute("update app.api_keys set created_at = now() - interval '1 year' where name = 'forgotten'")
        connection.execute("insert into app.undeclared_proxies (address) values ('10.1.2.3')")
    findings = answer_of_doctor()
    assert findings["keys"]["ok"] is False
    assert findings["keys"]["found"].startswith(
        "2 in use; not used for 90 days: forgotten; ending within 14 days: ends"
    )
    assert "tutorq keys rotate 'ends soon'" in findings["keys"]["advice"]
    assert findings["proxies"]["ok"] is False
    assert "10.1.2.3" in findings["proxies"]["found"]
    assert "as one address" in findings["proxies"]["advice"]
    monkeypatch.setenv("TUTORQ_TRUSTED_PROXIES", "10.0.0.0/8")
    assert answer_of_doctor()["proxies"]["ok"] is True


def test_an_interrupt_tells_nothing_of_its_rollback(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    tutorq("db", "url")

    def interrupted() -> None:
        with database.connect() as connection:
            connection.execute("select 1")
            with socket.socket(fileno=os.dup(connection.pgconn.socket)) as lost:
                lost.shutdown(socket.SHUT_RDWR)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert caplog.records == []


def test_db_url_is_the_url_alone(database: Database) -> None:
    assert tutorq("db", "url").stdout.strip() == database.login_url
    lines = tutorq("db", "env").stdout.splitlines()
    assert all(line.startswith("export PG") for line in lines)


@pytest.mark.soak
def test_doctor_before_and_after(tmp_path: Path) -> None:
    findings = answer_of_doctor()
    assert findings["schema"]["ok"] is True
    assert findings["publication"]["ok"] is False
    write_demo(tmp_path / "demo", tutors=5, students=10, days=20)
    tutorq("load", str(tmp_path / "demo"))
    assert answer_of_doctor()["waiting to be scored"]["found"].split(" ")[0] != "0"
    tutorq("score")
    findings = answer_of_doctor()
    assert findings["publication"]["ok"] is True
    assert findings["waiting to be scored"]["found"] == "0 rows"


def test_doctor_says_what_waits_and_what_to_do(database: Database) -> None:
    assert answer_of_doctor()["mail"] == {"what": "mail", "ok": True, "found": "0 due", "advice": None}
    with database.connect() as connection:
        connection.execute(
            "insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload, next_attempt_at)"
            " select 'alert', 'a', state, 'a@example.org', 'a', '{}', now() - interval '3 hours'"
            " from unnest(array['one', 'two']) as state"
        )
        connection.execute("update app.email_reports set state = 'failed' where unique_key = 'two'")
        connection.execute("insert into raw.tutors (tutor_id) values (gen_random_uuid())")
        connection.execute("update ml.touched_people set noted_at = now() - interval '2 days'")
    findings = answer_of_doctor()
    mail, predictions = findings["mail"], findings["waiting to be predicted"]
    assert (mail["ok"], mail["found"]) == (
        False,
        "1 due, the first for 3 hours; 1 of the last 7 days failed or are unconfirmed",
    )
    assert "tutorq reports send" in mail["advice"]
    assert (predictions["ok"], predictions["found"]) == (False, "1 changed person, the first 2 days ago")
    assert "tutorq predict" in predictions["advice"]
    assert findings["size of the database"]["found"].endswith("about 0 sessions")
    assert "app.email_reports" in findings["largest tables"]["found"]


PUBLICATION = """
select 1 as generation, case current_user when 'tutorq_transform' then current_date end as as_of, now() as published_at
"""


def test_doctor_reads_marts_as_the_role_they_belong_to(database: Database) -> None:
    with database.as_role(DatabaseRole.TRANSFORM).connect() as connection:
        connection.execute(f"create view marts.publication as {PUBLICATION}")
    assert f"as of {datetime.now(UTC):%Y-%m-%d}" in answer_of_doctor()["publication"]["found"]


def test_doctor_says_that_a_mart_belongs_to_somebody_else(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(f"create table marts.publication as {PUBLICATION}")
    publication = answer_of_doctor()["publication"]
    assert (publication["ok"], publication["found"]) == (False, "permission denied for table publication")


@pytest.mark.slow
def test_dbt_that_fails_without_a_reason_points_to_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner, dbtRunnerResult

    outcome = dbtRunnerResult(success=False, result=RunExecutionResult(results=[], elapsed_time=0, args={}))
    monkeypatch.setattr(dbtRunner, "invoke", lambda *_: outcome)
    assert "dbt.log" in tutorq("score", exit_code=1).stderr


def test_login_link(database: Database) -> None:
    tutorq("people", "add", "ann@example.org", "--name", "Ann Lee", "--role", "coach")
    made = answer("login-link", "ANN@example.org")
    assert made["link"].startswith("http://localhost:8000/login#token=")
    shown = tutorq("login-link", "ann@example.org")
    assert "/login#token=" in shown.stdout
    assert "For Ann Lee, role coach" in shown.stderr
    with database.connect() as connection:
        query = "select person.name from app.login_tokens inner join app.people as person using (person_id)"
        assert connection.execute(query).fetchall() == [("Ann Lee",)] * 2
    assert "nobody is known as 'bob@example.org'" in tutorq("login-link", "bob@example.org", exit_code=1).stderr
    tutorq("people", "change", "ann@example.org", "--shut-out")
    assert "is shut out" in tutorq("login-link", "ann@example.org", exit_code=1).stderr


def test_people(database: Database) -> None:
    assert "No people yet" in tutorq("people", "list").stderr
    added = answer("people", "add", "Ann@example.org", "--name", " Ann Lee ", "--role", "coach")
    assert (added["name"], added["email"], added["role"]) == ("Ann Lee", "Ann@example.org", "coach")
    changed = answer("people", "change", "ann@example.org", "--role", "lead", "--email", "ann.lee@example.org")
    assert (changed["person_id"], changed["role"], changed["is_active"]) == (added["person_id"], "lead", True)
    tutorq("people", "change", "ann.lee@example.org", "--shut-out")
    tutorq("people", "add", "bob@example.org", "--name", "Bob")
    listed = answer("people", "list")
    assert [(each["name"], each["role"], each["is_active"]) for each in listed] == [
        ("Ann Lee", "lead", False),
        ("Bob", "read", True),
    ]
    assert "shut out" in tutorq("people", "list").stdout
    for arguments, words in (
        (("add", "BOB@example.org", "--name", "Robert"), "is known already"),
        (("change", "bob@example.org", "--email", "Ann.Lee@example.org"), "is known already"),
        (("add", "nowhere", "--name", "x"), "no e-mail address"),
        (("add", "c@example.org", "--name", " "), "needs a name"),
        (("add", "c@example.org", "--name", "C", "--role", "ingest"), "not one of read, coach, lead, admin"),
        (("remove", "nobody@example.org"), "nobody is known as"),
        (("team", "bob@example.org", "--add", "T-1"), "there is no tutor 'T-1'; nothing was changed"),
    ):
        assert words in tutorq("people", *arguments, exit_code=1).stderr
    tutorq("people", "remove", "bob@example.org")
    actions = [(entry["action"], entry["details"]["name"]) for entry in answer("audit", "list")]
    assert actions == [
        ("person.remove", "Bob"),
        ("person.add", "Bob"),
        ("person.change", "Ann Lee"),
        ("person.change", "Ann Lee"),
        ("person.add", "Ann Lee"),
    ]


def test_text_that_people_choose_is_no_markup(database: Database) -> None:
    tutorq("people", "add", "ann@example.org", "--name", "[/x] [red]Ann")
    with database.connect() as connection:
        connection.execute(
            "insert into app.browser_sessions (token_hash, person_id, opened_by, user_agent) "
            "values ('x', %s, 'mail', %s)",
            [people.find(connection, "ann@example.org").person_id, "[/bold]\x1b[31m Fox"],
        )
    assert "[/x] [red]Ann" in tutorq("people", "list").stdout
    listed = tutorq("people", "sessions").stdout
    assert "[/bold]" in listed
    assert "\x1b" not in listed
    assert "'[/x]'" in tutorq("people", "change", "[/x]", "--role", "lead", exit_code=1).stderr


def test_who_is_removed_is_forgotten(database: Database) -> None:
    tutorq("people", "add", "ann@example.org", "--name", "Ann", "--role", "lead")
    with database.connect() as connection:
        connection.execute(
            "insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload) "
            "values ('log_in_link', 'x', 'x', 'Ann@example.org', 'Log in', '{}')"
        )
    tutorq("people", "remove", "ann@example.org")
    with database.connect() as connection:
        assert connection.execute("select count(*) from app.email_reports").fetchone() == (0,)
    (removed,) = answer("audit", "list", "--action", "person.remove")
    assert removed["details"] == {"name": "Ann", "role": "lead"}


def test_whose_name_at_the_provider_is_forgotten_is_in_the_audit_log(database: Database) -> None:
    tutorq("people", "add", "ann@example.org", "--name", "Ann")
    with database.connect() as connection:
        connection.execute("update app.people set oidc_subject = 'ann-1'")
    tutorq("people", "change", "ann@example.org", "--email", "ann@example.org")
    (changed,) = answer("audit", "list", "--action", "person.change")
    assert changed["details"] == {"name": "Ann", "oidc_subject": {"from": "ann-1", "to": None}}


def test_two_changes_at_once_are_both_made(database: Database) -> None:
    """The second one starts from what the first one left, and gives no role back."""
    tutorq("people", "add", "ann@example.org", "--name", "Ann", "--role", "lead")

    def rename() -> None:
        with database.connect() as second:
            people.change(second, "ann@example.org", name="Anna")

    is_waiting = (
        "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"
    )
    with ThreadPoolExecutor() as pool, database.connect() as first, database.connect(autocommit=True) as other:
        with first.transaction():
            people.change(first, "ann@example.org", role=Role.READ)
            second = pool.submit(rename)
            while other.execute(is_waiting).fetchone() != (True,):
                assert not second.done()
        second.result()
    (ann,) = answer("people", "list")
    assert (ann["name"], ann["role"]) == ("Anna", "read")


def test_who_runs_tutorq_is_the_first_admin_only(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.audit.operator_name", lambda: "jörg m")
    with database.connect() as connection:
        first = people.ensure_local(connection)
        assert first is not None
        assert (first.email, first.role) == ("operator@localhost", Role.ADMIN)
        assert people.ensure_local(connection) == first
        people.add(connection, "ann@example.org", "Ann", Role.ADMIN)
        people.remove(connection, "operator@localhost")
        assert people.ensure_local(connection) is None
        people.change(connection, "ann@example.org", role=Role.ADMIN)
        assert [each.email for each in people.list_people(connection)] == ["ann@example.org"]


def test_an_admin_is_left(database: Database) -> None:
    tutorq("people", "add", "ann@example.org", "--name", "Ann", "--role", "admin")
    tutorq("people", "add", "bob@example.org", "--name", "Bob", "--role", "admin")
    tutorq("people", "change", "bob@example.org", "--shut-out")
    for arguments in (("remove",), ("change", "--role", "lead"), ("change", "--shut-out")):
        verb, *options = arguments
        said = tutorq("people", verb, "ann@example.org", *options, exit_code=1).stderr
        assert "ann@example.org is the only admin" in said
    tutorq("people", "change", "ann@example.org", "--name", "Anna")
    tutorq("people", "change", "bob@example.org", "--active")
    tutorq("people", "remove", "ann@example.org")
    assert [each["name"] for each in answer("people", "list")] == ["Bob"]


def test_sessions_are_listed_and_ended(database: Database) -> None:
    with database.connect() as connection:
        reader = keys.create(connection, "screen", Role.READ)
        for name in ("Ann", "Bob"):
            people.add(connection, f"{name}@example.org", name, Role.READ)
        for email in ("ann@example.org", "ann@example.org", "bob@example.org"):
            connection.execute(
                "insert into app.browser_sessions (token_hash, person_id, opened_by, address, user_agent) "
                "values (sha256(gen_random_uuid()::text::bytea), %s, 'mail', '192.0.2.7', 'Firefox')",
                [people.find(connection, email).person_id],
            )
        connection.execute(
            "insert into app.browser_sessions (token_hash, api_key_id, opened_by) values ('x', %s, 'key')",
            [reader.key_id],
        )
        connection.execute(
            "insert into app.browser_sessions (token_hash, api_key_id, opened_by, last_seen_at) "
            "values ('over', %s, 'key', now() - interval '13 hours')",
            [reader.key_id],
        )
    assert sorted(each["name"] for each in answer("people", "sessions")) == ["Ann", "Ann", "Bob", "screen"]
    (bobs,) = answer("people", "sessions", "BOB@example.org")
    assert (bobs["opened_by"], bobs["address"], bobs["user_agent"]) == ("mail", "192.0.2.7", "Firefox")
    assert "192.0.2.7" in tutorq("people", "sessions").stdout
    for arguments in ((), ("ann@example.org", "--everybody"), ("--session", "1", "--everybody")):
        assert "say which sessions to end" in tutorq("people", "log-out", *arguments, exit_code=1).stderr
    assert "no open session 99" in tutorq("people", "log-out", "--session", "99", exit_code=1).stderr
    number = str(bobs["browser_session_id"])
    assert "1 session ended." in tutorq("people", "log-out", "--session", number).stdout
    assert "2 sessions ended." in tutorq("people", "log-out", "ann@example.org").stdout
    assert "1 session ended." in tutorq("people", "log-out", "--everybody").stdout
    assert answer("people", "sessions") == []
    ended = [
        (each["subject_id"], each["details"]["name"]) for each in answer("audit", "list", "--action", "log_in.end")
    ]
    assert (number, "Bob") in ended
    assert sorted(name for _, name in ended) == ["Ann", "Ann", "Bob", "screen"]


def test_a_team_is_given_and_taken(database: Database) -> None:
    with database.connect() as connection:
        connection.execute(
            "insert into raw.tutors (tutor_id, external_id, name) values (%s, 'T-1', 'Ada')", [entity_uuid("T-1")]
        )
    tutorq("people", "add", "ann@example.org", "--name", "Ann", "--role", "coach")
    assert answer("people", "team", "ann@example.org") == []
    ada = {"tutor_id": str(entity_uuid("T-1")), "name": "Ada"}
    for _ in range(2):
        assert answer("people", "team", "ann@example.org", "--add", "T-1") == [ada]
    assert [person["tutors"] for person in answer("people", "list")] == [1]
    assert answer("people", "team", "ann@example.org", "--remove", ada["tutor_id"]) == []
    taken, given = (entry["details"] for entry in answer("audit", "list", "--action", "person.team"))
    assert (given["given"], taken["taken"]) == ([ada["tutor_id"]], [ada["tutor_id"]])
