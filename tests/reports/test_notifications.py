"""What people are told: what they chose, of whom, where, and when by their own clocks."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from core import people
from core.database import Database, DatabaseRole
from core.roles import Role
from core.sealing import MARK, Sealer, sealer
from core.settings import Settings
from reports import delivery, outbox
from reports.chat import ChatChannel
from reports.notifications import QueuedEvents, queue_events
from reports.providers.chat import OF_PERSONS, ChatClient
from reports.providers.file import FileProvider
from reports.sending import something_to_do
from tests.conftest import Postgres
from tests.reports.receivers import Receiver, receiving

KEY = Fernet.generate_key().decode()
SETTINGS = Settings(secrets_key=SecretStr(KEY), webhooks_allow_private=True)
# A winter's day: 13:00 in Vienna, 07:00 in New York.
NOON = datetime(2026, 2, 2, 12, tzinfo=UTC)
TABLES = (
    "app.email_reports", "app.notifications", "app.notification_preferences", "app.person_tutors", "app.case_events",
    "app.cases", "app.people", "app.mail_opt_outs", "app.events", "raw.tutors",
)  # fmt: skip
VIENNA, NEW_YORK = "Europe/Vienna", "America/New_York"


@pytest.fixture(scope="module")
def shared_database(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    return postgres.new_database(tmp_path_factory.mktemp("notifications"))


@pytest.fixture
def database(shared_database: Database) -> Database:
    """One database for all these tests: two tutors, and nobody who wants to be told anything."""
    with shared_database.connect() as connection:
        connection.execute("set local session_replication_role = replica")  # no triggers, no foreign keys
        for table in (*TABLES, "app.event_look"):
            connection.execute(f"delete from {table}")
        connection.execute("set local session_replication_role = origin")
        connection.execute(
            "insert into raw.tutors (tutor_id, name) select md5(name)::uuid, initcap(name) || ' Ray' "
            "from unnest(array['ada', 'bob']) as name"
        )
    return shared_database


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def wants(database: Database, email: str = "ann@example.org", own: str | None = "ada", **columns: Any) -> int:
    """A coach whose tutor is `own`, and who wants to be told this; returns the person's number."""
    with database.connect() as connection:
        person = people.add(connection, email, "Ann", Role.COACH)
        if own:
            connection.execute(
                "insert into app.person_tutors (person_id, tutor_id) values (%s, md5(%s)::uuid)",
                [person.person_id, own],
            )
        values = {
            "person_id": person.person_id, "kinds": ["session.alert", "tutor.concern_raised", "case.changed"],
            "told_by": "mail", "is_daily": False, "only_own_tutors": True, "time_zone": VIENNA,
            "since": datetime.now(UTC) - timedelta(days=1), **columns,
        }  # fmt: skip
        names, places = ", ".join(values), ", ".join(["%s"] * len(values))
        connection.execute(f"insert into app.notification_preferences ({names}) values ({places})", [*values.values()])
    return person.person_id


def happen(database: Database, kind: str = "session.alert", tutor: str = "ada", **payload: Any) -> None:
    known = {"scheduled_time": "2026-02-02T14:00:00+00:00", "session_id": str(uuid4())}
    with database.connect() as connection:
        connection.execute(
            "insert into app.events (kind, tutor_id, payload) values (%s, md5(%s)::uuid, %s)",
            [kind, tutor, json.dumps({**known, **payload})],
        )


def queue(database: Database, now: datetime = NOON) -> QueuedEvents:
    return queue_events(SETTINGS, database.as_role(DatabaseRole.TRANSFORM), now=now)


def told(database: Database) -> list[tuple[str, str]]:
    """(recipient, subject), in the order in which they were queued."""
    with database.connect() as connection:
        return connection.execute(
            "select recipient, subject from app.email_reports where kind = 'notification' order by created_at, topic"
        ).fetchall()


def test_who_has_chosen_nothing_is_told_nothing(database: Database) -> None:
    with database.connect() as connection:
        people.add(connection, "lee@example.org", "Lee", Role.LEAD)
    wants(database, told_by="nothing")
    happen(database)
    assert queue(database) == QueuedEvents()
    assert told(database) == []


def test_a_person_is_told_of_their_own_tutors_once(database: Database) -> None:
    wants(database)
    wants(database, "lee@example.org", own=None, only_own_tutors=False)
    happen(database)
    happen(database, tutor="bob")
    happen(database, "tutor.concern_cleared", concern="no_shows")
    assert queue(database).mail == 2
    assert queue(database).mail == 0
    assert told(database) == [
        ("ann@example.org", "Ada Ray missed the session of Mon 2 Feb, 15:00"),
        ("lee@example.org", "2 updates about tutors"),
    ]
    happen(database, "tutor.concern_raised", concern="low_ratings", probability=0.81, threshold=4.1, is_active=True)
    assert queue(database).mail == 2
    assert told(database)[2] == ("ann@example.org", "Ada Ray: low ratings, 81% chance below 4.1")


def test_a_case_is_told_to_its_owner_but_not_what_the_owner_did(database: Database) -> None:
    owner = wants(database, own=None)
    other = wants(database, "bea@example.org", only_own_tutors=False)
    with database.connect() as connection:
        row = connection.execute(
            "insert into app.cases (tutor_id, owner_id, state, opened_by, opened_on) "
            "values (md5('ada')::uuid, %s, 'assigned', 'test', '2026-02-01') returning case_id",
            [owner],
        ).fetchone()
        connection.execute("delete from app.events")
    assert row is not None
    happen(database, "case.changed", case_id=row[0], what="note", person_id=owner)
    happen(database, "case.changed", case_id=row[0], what="contact", person_id=other)
    happen(database, "case.changed", case_id=row[0] + 1, what="closed", person_id=None)
    assert queue(database).mail == 1
    assert told(database) == [("ann@example.org", "Ada Ray: contact logged in the case")]


@pytest.mark.parametrize(
    ("zone", "quiet", "is_quiet"),
    [
        (VIENNA, ("12:00", "14:00"), True),
        (VIENNA, ("13:00", "14:00"), True),
        (VIENNA, ("12:00", "13:00"), False),
        (NEW_YORK, ("12:00", "14:00"), False),
        (NEW_YORK, ("22:00", "07:30"), True),
        (VIENNA, ("22:00", "07:30"), False),
        (VIENNA, (None, None), False),
    ],
    ids=["within", "at its beginning", "at its end", "elsewhere", "past midnight", "past midnight elsewhere", "none"],
)
def test_quiet_hours_are_on_the_clock_of_the_person(
    database: Database, zone: str, quiet: tuple[str | None, str | None], is_quiet: bool
) -> None:
    wants(database, time_zone=zone, quiet_from=quiet[0], quiet_to=quiet[1])
    happen(database)
    assert queue(database).mail == (0 if is_quiet else 1)


def test_what_waited_comes_as_one(database: Database, tmp_path: Any) -> None:
    wants(database, quiet_from="12:00", quiet_to="14:00")
    for _ in range(3):
        happen(database)
        assert queue(database).mail == 0
    assert queue(database, NOON + timedelta(hours=1, minutes=1)).mail == 1
    assert queue(database, NOON + timedelta(hours=2)).mail == 0
    assert told(database) == [("ann@example.org", "3 updates about tutors")]
    transform = database.as_role(DatabaseRole.TRANSFORM)
    assert outbox.send_due(SETTINGS, transform, FileProvider(tmp_path)).accepted == 1
    with database.connect() as connection:
        ((text, html),) = connection.execute("select body_text, body_html from app.email_reports").fetchall()
    assert text.startswith(MARK)
    text, html = map(sealer(SETTINGS).open_text, (text, html))
    assert text.count("Ada Ray missed the session of Mon 2 Feb, 15:00") == 3
    assert "Times are in Europe/Vienna." in text
    assert "http://localhost:8000/notifications" in html


def test_once_a_day_comes_in_the_morning(database: Database) -> None:
    wants(database, is_daily=True, time_zone=NEW_YORK)
    happen(database)
    assert queue(database, NOON - timedelta(minutes=1)).mail == 0
    assert queue(database, NOON).mail == 1
    happen(database)
    assert queue(database, NOON + timedelta(hours=8)).mail == 0, "the same day"
    assert queue(database, NOON + timedelta(hours=23)).mail == 0, "before seven"
    assert queue(database, NOON + timedelta(hours=24)).mail == 1


def test_who_wants_it_no_more_is_not_told_what_waited(database: Database) -> None:
    person = wants(database, quiet_from="12:00", quiet_to="14:00")
    happen(database)
    happen(database, "tutor.concern_raised", concern="no_shows", probability=0.9)
    queue(database)
    with database.connect() as connection:
        connection.execute(
            "update app.notification_preferences set kinds = '{session.alert}' where person_id = %s", [person]
        )
    assert queue(database, NOON + timedelta(hours=2)).mail == 1
    assert told(database) == [("ann@example.org", "Ada Ray missed the session of Mon 2 Feb, 15:00")]
    with database.connect() as connection:
        connection.execute("update app.people set is_active = false")
    happen(database)
    assert queue(database, NOON + timedelta(hours=3)).mail == 0


def test_the_digest_goes_to_who_wants_it_and_has_it_not(database: Database) -> None:
    wants(database, kinds=["daily_digest"])
    wants(database, "lee@example.org", kinds=["daily_digest"])
    wants(database, "zoe@example.org", kinds=["daily_digest"], quiet_from="12:00", quiet_to="14:00")
    with database.connect() as connection:
        connection.execute(
            "insert into app.email_reports (kind, topic, unique_key, recipient, subject, payload) values "
            "('daily_digest', 'daily_digest:2026-02-01', 'd', 'Lee@example.org', 'Digest', '{}')"
        )
    assert queue(database).mail == 1
    assert queue(database).mail == 0
    assert queue(database, NOON + timedelta(hours=2)).mail == 1
    with database.connect() as connection:
        found = connection.execute("select recipient from app.email_reports order by created_at").fetchall()
    assert [recipient for (recipient,) in found] == ["Lee@example.org", "ann@example.org", "zoe@example.org"]


def test_a_person_has_a_chat_of_their_own(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OF_PERSONS, "json", "JSON")  # speaks http to this machine
    url = f"json://127.0.0.1:{receiver.port}/mine"
    person = wants(database, told_by="chat", sealed_chat_url=Sealer([KEY]).seal(url), chat_service="Slack")
    happen(database)
    assert queue(database).chat == 1
    assert told(database)[0][0] == f"Slack of person {person}"
    transform = database.as_role(DatabaseRole.TRANSFORM)
    channel = ChatChannel(SETTINGS, ChatClient(allow_private=True))
    assert delivery.send(transform, channel).accepted == 1
    assert json.loads(receiver.taken[0])["title"] == "Ada Ray missed the session of Mon 2 Feb, 15:00"

    happen(database)
    queue(database)
    with database.connect() as connection:
        connection.execute("update app.notification_preferences set told_by = 'nothing'")
    assert delivery.send(transform, channel).suppressed == 1
    assert len(receiver.requests) == 1


def test_a_chat_of_a_kind_that_is_not_allowed_any_more_is_not_called(database: Database, receiver: Receiver) -> None:
    url = f"json://127.0.0.1:{receiver.port}/mine"
    wants(database, told_by="chat", sealed_chat_url=Sealer([KEY]).seal(url), chat_service="Slack")
    happen(database)
    queue(database)
    channel = ChatChannel(SETTINGS, ChatClient(allow_private=True))
    assert delivery.send(database.as_role(DatabaseRole.TRANSFORM), channel).refused == 1
    with database.connect() as connection:
        ((error,),) = connection.execute("select error from app.email_reports").fetchall()
    assert error.startswith("the person's chat URL must begin with one of slack://")
    assert receiver.requests == []


def test_who_unsubscribes_gets_no_more_mail(database: Database, tmp_path: Any) -> None:
    wants(database)
    happen(database)
    queue(database)
    with database.connect() as connection:
        connection.execute("insert into app.mail_opt_outs (address, kind) values ('ann@example.org', 'notification')")
    transform = database.as_role(DatabaseRole.TRANSFORM)
    assert outbox.send_due(SETTINGS, transform, FileProvider(tmp_path)).suppressed == 1


@pytest.mark.parametrize("changes", [{"is_active": False}, {"new_email": "ann@else.example"}], ids=["out", "moved"])
def test_what_waits_for_somebody_does_not_go_to_their_old_mailbox(
    database: Database, tmp_path: Any, changes: dict[str, Any]
) -> None:
    wants(database)
    wants(database, "bea@example.org")
    happen(database)
    queue(database)
    with database.connect() as connection:
        people.change(connection, "ann@example.org", **changes)
    sent = outbox.send_due(SETTINGS, database.as_role(DatabaseRole.TRANSFORM), FileProvider(tmp_path))
    assert (sent.accepted, sent.suppressed) == (1, 1)


def test_an_event_that_commits_after_a_later_look_is_told(database: Database) -> None:
    """However old it is by then: a run that writes it may take an hour."""
    wants(database)
    happen(database)
    with database.connect() as slow:
        slow.execute(
            "insert into app.events (kind, tutor_id, payload, created_at) values ('session.alert', md5('ada')::uuid, "
            '\'{"scheduled_time": "2026-02-02T14:00:00+00:00", "session_id": "slow"}\', now() - interval \'1h\')'
        )
        assert queue(database).mail == 1
    assert queue(database).mail == 1
    assert queue(database).mail == 0


def test_what_has_been_looked_at_is_not_looked_at_again(database: Database) -> None:
    """A look every five seconds costs what has come since, not what there is of three days."""
    wants(database)
    happen(database)

    def to_tell() -> int:
        with database.connect() as connection:
            connection.execute("update app.events set created_at = now() - interval '1 hour'")
            row = connection.execute("select count(*) from app.events_to_tell()").fetchone()
        return row[0] if row else -1

    assert to_tell() == 1
    queue(database)
    assert to_tell() == 0
    # After a restore, snapshots are of another history: then all is looked at, and nothing is told twice.
    with database.connect() as connection:
        connection.execute("update app.event_look set history = 'of another server'")
    assert to_tell() == 1
    assert queue(database).mail == 0
    assert to_tell() == 0


def test_the_sensor_sees_what_is_due_and_no_more(database: Database) -> None:
    transform = database.as_role(DatabaseRole.TRANSFORM)
    assert not something_to_do(SETTINGS, transform)
    wants(database, time_zone="UTC")
    assert not something_to_do(SETTINGS, transform)
    happen(database)
    assert something_to_do(SETTINGS, transform)
    queue(database, datetime.now(UTC))
    with database.connect() as connection:
        connection.execute("update app.email_reports set state = 'sent', settled_at = now()")
    assert not something_to_do(SETTINGS, transform)
    # In quiet hours nothing is due: no run is asked for until they are over.
    with database.connect() as connection:
        connection.execute(
            "update app.notification_preferences set "
            "quiet_from = (now() at time zone 'utc')::time - interval '1 hour', "
            "quiet_to = (now() at time zone 'utc')::time + interval '1 hour'"
        )
    happen(database)
    queue(database, datetime.now(UTC))
    assert not something_to_do(SETTINGS, transform)
    with database.connect() as connection:
        connection.execute("update app.notification_preferences set quiet_from = null, quiet_to = null")
    assert something_to_do(SETTINGS, transform)
