"""The stream of events over real HTTP: what is sent to whom, what a cut costs, and when a stream ends."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest

from api.connections import Limits
from api.events import hub, queries
from api.events.cursor import Cursor
from api.events.schemas import DATA
from api.events.streams import MOST_WAITING, PER_CALLER
from api.problems import InvalidRequestError
from core import keys, people
from core.events import EventKind
from core.roles import Role
from ingest.ids import entity_uuid
from tests.api.conftest import Served, serve, served
from tests.api.test_auth_sessions import OURS, logged_in, new_key, person
from tests.api.test_problems import problem
from tests.api.test_sessions import session
from tests.conftest import PUBLISHED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Postgres

PATH = "/api/events"
TUTOR = entity_uuid("event tutor")
OTHER = entity_uuid("another event tutor")
CONCERN = {
    "tutor_external_id": "T-9", "is_active": True, "concern": "getting_worse", "previous_status": "ok",
    "status": "raised", "probability": 0.9, "expected": 0.3, "low": 0.2, "high": 0.4, "threshold": 0.15, "events": 12,
    "trials": 45, "raised_on": "2026-01-31",
}  # fmt: skip
MISSED = {
    "tutor_external_id": "T-9", "reason": "tutor_no_show", "session_external_id": "lesson 1",
    "scheduled_time": "2026-01-31T10:00:00+00:00", "subject": None,
}  # fmt: skip


@dataclass
class Message:
    """One message of a stream; `event` is empty if it only moves the place on."""

    event: str
    data: Any
    id: str | None


class Listening:
    """What comes in an open stream."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self.last_id: str | None = None
        self._lines = answer.iter_lines()

    def messages(self) -> Iterator[Message]:
        """Until the stream ends."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            else:
                self.last_id = fields.get("id", self.last_id)
                yield Message(fields.get("event", ""), json.loads(fields.get("data", "null")), fields.get("id"))
                fields = {}

    def events(self) -> Iterator[Message]:
        """But for heartbeats."""
        return (message for message in self.messages() if message.event not in ("", "heartbeat"))

    def started(self) -> Listening:
        """When it is open, and what follows is told in it."""
        while self.last_id is None:
            next(self.messages())
        return self

    def until_marked(self, mark: str) -> list[Message]:
        """What comes before the publication with this mark."""
        found = []
        for message in self.events():
            if message.data.get("mark") == mark:
                return found
            assert message.event != "reset", "what is waited for is left out"
            found.append(message)
        raise AssertionError("the stream has ended")


@contextmanager
def listening(client: httpx2.Client, last_id: str | None = None, **parameters: Any) -> Iterator[Listening]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with client.stream("GET", PATH, params=parameters, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        yield Listening(answer)


def tell(connection: psycopg.Connection, kind: str, tutor_id: UUID | None = None, **payload: Any) -> str:
    """Write an event; its id."""
    row = connection.execute(
        "insert into app.events (kind, tutor_id, payload) values (%s, %s, %s) returning event_id::text",
        [kind, tutor_id, json.dumps(payload)],
    ).fetchone()
    assert row is not None
    return str(row[0])


def mark(connection: psycopg.Connection) -> str:
    """Tell a publication that can be known again."""
    name = str(uuid4())
    tell(connection, EventKind.PUBLICATION_DONE, mark=name)
    return name


@contextmanager
def another_process(platform: Served, client: httpx2.Client, **changes: Any) -> Iterator[httpx2.Client]:
    """A client, with the same key, of a process that serves the same database."""
    with (
        serve(platform.settings.model_copy(update=changes)) as address,
        httpx2.Client(base_url=address, headers=client.headers, timeout=20) as there,
    ):
        yield there


@pytest.fixture(scope="module")
def platform(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("events")
    with served(postgres.new_database(home, PUBLISHED), home) as platform:
        yield platform


@pytest.fixture
def client(platform: Served) -> Iterator[httpx2.Client]:
    """A key of its own for each test, so that streams that are just ending do not count."""
    with platform.client(new_key(platform, str(uuid4()), Role.READ)) as client:
        yield client


@pytest.fixture
def writer(platform: Served) -> Iterator[psycopg.Connection]:
    with platform.database.connect(autocommit=True) as connection:
        yield connection


def test_what_is_posted_is_told_to_who_listens(platform: Served, client: httpx2.Client) -> None:
    with listening(client) as stream, platform.client(platform.key) as sender:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["cache-control"] == "no-store"
        assert stream.answer.headers["x-accel-buffering"] == "no"
        assert "etag" not in stream.answer.headers
        assert "content-encoding" not in stream.answer.headers
        stream.started()
        tutor = client.get("/api/tutors", params={"limit": 1}).json()["data"][0]
        body = session("told 1", tutor_id=tutor["tutor_id"])
        assert sender.post("/api/sessions", json=body).status_code == 202
        told = next(stream.events())
        assert (told.event, told.data["tutor_ids"]) == ("tutors.refreshed", [tutor["tutor_id"]])
        assert told.id is not None


def test_events_are_as_they_are_described(client: httpx2.Client, writer: psycopg.Connection) -> None:
    writer.execute(
        "insert into raw.tutors (tutor_id, external_id, name) values (%s, 'T-9', 'Ada') on conflict do nothing", [TUTOR]
    )
    publication = {"generation": 3, "as_of": "2026-01-31", "published_at": "2026-01-31T12:00:00+00:00"}
    payloads: dict[EventKind, tuple[UUID | None, dict[str, Any]]] = {
        EventKind.PUBLICATION_DONE: (None, publication),
        EventKind.CONCERN_RAISED: (TUTOR, CONCERN),
        EventKind.CONCERN_CLEARED: (TUTOR, {**CONCERN, "previous_status": "raised", "status": "ok"}),
        EventKind.SESSION_ALERT: (TUTOR, {**MISSED, "session_id": str(uuid4())}),
        EventKind.CASE_CHANGED: (
            TUTOR, {"tutor_external_id": "T-9", "case_id": 1, "what": "note", "version": 2, "person_id": None},
        ),
        EventKind.TUTORS_REFRESHED: (None, {"tutor_ids": [str(TUTOR)], "many": False}),
    }  # fmt: skip
    assert payloads.keys() == set(EventKind)
    with listening(client) as stream:
        stream.started()
        with writer.transaction():
            ids = [tell(writer, kind, tutor_id, **payload) for kind, (tutor_id, payload) in payloads.items()]
        events = [next(stream.events()) for _ in payloads]
    assert [event.event for event in events] == list(payloads)
    assert [event.data["event_id"] for event in events] == ids
    # Only behind the last one is all of it known to have come.
    assert [event.id is not None for event in events] == [*[False] * 5, True]
    for event in events:
        model = DATA[event.event]
        model.model_validate(event.data)
        assert model.model_fields.keys() == event.data.keys()
    assert events[1].data["tutor"] == {"tutor_id": str(TUTOR), "external_id": "T-9", "name": "Ada"}


def test_nothing_is_missed_while_the_stream_is_cut(
    platform: Served, client: httpx2.Client, writer: psycopg.Connection
) -> None:
    with platform.database.connect() as slow:
        with listening(client) as stream:
            stream.started()
            late = tell(slow, EventKind.CONCERN_RAISED, TUTOR, **CONCERN)
            before = tell(writer, EventKind.CONCERN_RAISED, TUTOR, **CONCERN)
            assert next(stream.events()).data["event_id"] == before
            place = stream.last_id
        meanwhile = [tell(writer, EventKind.CONCERN_CLEARED, TUTOR, **CONCERN) for _ in range(3)]
        # It wrote first, and commits last.
        slow.commit()
    with listening(client, place) as stream:
        end = mark(writer)
        told = [message.data["event_id"] for message in stream.until_marked(end)]
    assert sorted(told) == sorted([*meanwhile, late])


def test_another_process_goes_on_where_the_first_one_was_cut(
    platform: Served, client: httpx2.Client, writer: psycopg.Connection
) -> None:
    with another_process(platform, client) as other:
        with listening(client) as here, listening(other) as there:
            here.started()
            there.started()
            first = tell(writer, EventKind.CONCERN_RAISED, TUTOR, **CONCERN)
            assert [next(each.events()).data["event_id"] for each in (here, there)] == [first, first]
            place = here.last_id
            second = tell(writer, EventKind.CONCERN_CLEARED, TUTOR, **CONCERN)
            assert next(there.events()).data["event_id"] == second
        with listening(other, place) as there:
            end = mark(writer)
            assert [message.data["event_id"] for message in there.until_marked(end)] == [second]


def test_by_a_parameter_as_by_the_header(client: httpx2.Client, writer: psycopg.Connection) -> None:
    """A browser that opens a stream cannot send the header."""
    with listening(client) as stream:
        place = stream.started().last_id
    missed = tell(writer, EventKind.CONCERN_RAISED, TUTOR, **CONCERN)
    with listening(client, last_event_id=place, seconds=0) as stream:
        assert [message.data["event_id"] for message in stream.events()] == [missed]
    with listening(client, stream.last_id, last_event_id=place, seconds=0) as stream:
        assert list(stream.events()) == []


def test_no_seconds_end_at_once(client: httpx2.Client) -> None:
    with listening(client, seconds=0) as stream:
        assert {message.event for message in stream.messages()} == {"", "heartbeat"}
        assert stream.last_id is not None


def test_who_has_missed_what_is_deleted_is_told_so_and_of_alerts(
    client: httpx2.Client, writer: psycopg.Connection
) -> None:
    with listening(client) as stream:
        place = stream.started().last_id
    tell(writer, EventKind.TUTORS_REFRESHED, tutor_ids=[str(TUTOR)], many=False)
    writer.execute("update app.events set created_at = now() - interval '2 hours'")
    alert = tell(writer, EventKind.SESSION_ALERT, TUTOR, **MISSED, session_id=str(uuid4()))
    mark(writer)
    writer.execute("select app.forget_events()")
    with listening(client, place, seconds=0) as stream:
        reset, told = list(stream.events())
    assert (reset.event, reset.data) == ("reset", {})
    assert (told.event, told.data["event_id"]) == ("session.alert", alert)
    # While a transaction is open that is older than what was deleted, such as one of another test, it is told again.
    with listening(client, stream.last_id, seconds=0) as stream:
        assert [message.event for message in stream.events()] in ([], ["reset"])
    writer.execute("update app.forgotten_events set xact_id = '0'")  # for the tests that follow


def test_who_has_missed_too_much_is_told_so(client: httpx2.Client, writer: psycopg.Connection) -> None:
    with listening(client) as stream:
        place = stream.started().last_id
        writer.execute(
            "insert into app.events (kind, payload) select 'publication.done', '{}' from generate_series(1, %s)",
            [queries.MOST_EVENTS + 1],
        )
        assert next(stream.events()).event == "reset"
    with listening(client, place, seconds=0) as stream:
        assert [message.event for message in stream.events()] == ["reset"]


def test_another_history_is_told(client: httpx2.Client) -> None:
    with listening(client) as stream:
        place = stream.started().last_id or ""
    with listening(client, "0" * 32 + place[32:], seconds=0) as stream:
        assert [message.event for message in stream.events()] == ["reset"]
        assert (stream.last_id or "")[:32] == place[:32]


@pytest.mark.parametrize(
    "wrong",
    [
        "1", f"{'0' * 32}.5:5", f"{'0' * 32}.0:5:", f"{'0' * 32}.6:5:", f"{'0' * 32}.4:9:8,7", f"{'0' * 32}.4:9:3",
        f"{'0' * 32}.4:9:9", f"{'0' * 32}.4:99999999999999999999:", f"{'g' * 32}.4:9:",
    ],
)  # fmt: skip
def test_an_id_of_somebody_else_is_refused(client: httpx2.Client, wrong: str) -> None:
    told = problem(client.get(PATH, headers={"Last-Event-ID": wrong}), 400)
    assert [error.field for error in told.errors or []] == ["Last-Event-ID"]
    told = problem(client.get(PATH, params={"last_event_id": wrong}), 400)
    assert [error.field for error in told.errors or []] == ["last_event_id"]


@pytest.mark.parametrize("text", ["4:9:5,7", "4:4:", "3:9:3,8", f"1:{(1 << 63) - 1}:"])
def test_what_is_taken_as_an_id_is_a_snapshot(writer: psycopg.Connection, text: str) -> None:
    cursor = Cursor.of(f"{'a1' * 16}.{text}", "id")
    assert str(cursor) == f"{'a1' * 16}.{text}"
    assert writer.execute("select %s::pg_snapshot::text", [cursor.snapshot]).fetchone() == (text,)
    with pytest.raises(InvalidRequestError):
        Cursor.of(f"{cursor} ", "id")


@pytest.mark.parametrize("wrong", [{"scope": "theirs"}, {"seconds": -1}, {"since": "x"}])
def test_parameters_are_looked_at(client: httpx2.Client, wrong: dict[str, Any]) -> None:
    told = problem(client.get(PATH, params=wrong), 400)
    assert [error.field for error in told.errors or []] == list(wrong)


def test_refreshed_tutors_are_told_together(client: httpx2.Client, writer: psycopg.Connection) -> None:
    with listening(client) as stream:
        stream.started()
        with writer.transaction():
            for ids in ([TUTOR, OTHER], [OTHER], [TUTOR]):
                tell(writer, EventKind.TUTORS_REFRESHED, tutor_ids=[str(each) for each in ids], many=False)
        (told,) = stream.until_marked(mark(writer))
        assert (told.data["tutor_ids"], told.data["many"]) == ([str(TUTOR), str(OTHER)], False)
        with writer.transaction():
            for start in (0, 60):
                ids = [UUID(int=start + each) for each in range(60)]
                tell(writer, EventKind.TUTORS_REFRESHED, tutor_ids=[str(each) for each in ids], many=False)
        (told,) = stream.until_marked(mark(writer))
        assert (told.data["tutor_ids"], told.data["many"]) == ([], True)


def test_somebody_with_a_team_may_hear_of_it_alone(platform: Served, writer: psycopg.Connection) -> None:
    coach = person(platform, Role.COACH, "Event Coach")
    writer.execute("insert into raw.tutors (tutor_id) values (%s), (%s) on conflict do nothing", [TUTOR, OTHER])
    with platform.database.connect() as connection:
        people.change_team(connection, coach, give={"own": TUTOR}, take={})
    with ExitStack() as stack:
        browser = stack.enter_context(logged_in(platform, Role.COACH, "Event Coach"))
        mine = stack.enter_context(listening(browser, scope="mine")).started()
        everybody = stack.enter_context(listening(browser)).started()
        with writer.transaction():
            for tutor_id in (OTHER, TUTOR):
                tell(writer, EventKind.CONCERN_RAISED, tutor_id, **CONCERN)
            tell(writer, EventKind.TUTORS_REFRESHED, tutor_ids=[str(OTHER), str(TUTOR)], many=False)
        with writer.transaction():
            tell(writer, EventKind.CONCERN_RAISED, OTHER, **CONCERN)
            tell(writer, EventKind.TUTORS_REFRESHED, tutor_ids=[str(OTHER)], many=False)
        end = mark(writer)
        concern, refreshed = mine.until_marked(end)
        assert concern.data["tutor"]["tutor_id"] == str(TUTOR)
        assert refreshed.data["tutor_ids"] == [str(TUTOR)]
        assert [each.event for each in everybody.until_marked(end)].count("tutor.concern_raised") == 3


def test_a_key_has_no_team(client: httpx2.Client) -> None:
    told = problem(client.get(PATH, params={"scope": "mine"}), 400)
    assert [error.field for error in told.errors or []] == ["scope"]


def test_who_may_listen(platform: Served) -> None:
    for role, status in ((Role.READ, 200), (Role.ADMIN, 200), (Role.INGEST, 403)):
        with platform.client(new_key(platform, str(uuid4()), role)) as client:
            assert client.get(PATH, params={"seconds": 0}).status_code == status
    with platform.client(None) as nobody:
        problem(nobody.get(PATH), 401)


def test_one_caller_may_have_so_many_streams(platform: Served, client: httpx2.Client) -> None:
    with ExitStack() as stack:
        streams = [stack.enter_context(listening(client)).started() for _ in range(PER_CALLER)]
        refused = client.get(PATH)
        assert problem(refused, 429).type == "urn:tutorq:problem:too-many-at-once"
        assert refused.headers["retry-after"] == "30"
        with platform.client(platform.key) as another, listening(another) as stream:
            stream.started()
        streams[0].answer.close()
        # Who hangs up makes room, and so does a stream that ends by itself.
        for _ in range(2):
            while (status := client.get(PATH, params={"seconds": 0}).status_code) == 429:
                pass
            assert status == 200


def test_one_process_may_have_so_many_streams(platform: Served, client: httpx2.Client) -> None:
    with another_process(platform, client, event_streams=2) as here, ExitStack() as stack:
        streams = [stack.enter_context(listening(here)).started() for _ in range(2)]
        assert problem(here.get(PATH), 503).type == "urn:tutorq:problem:overloaded"
        metrics = here.get("/metrics", headers={"X-API-Key": platform.key}).text
        assert re.search(r"^tutorq_event_streams 2\.0$", metrics, re.MULTILINE)
        streams[0].answer.close()
        while here.get(PATH, params={"seconds": 0}).status_code == 503:
            pass


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, platform: Served) -> Iterator[str]:
    """Address of a process that looks after its streams all the time."""
    monkeypatch.setattr(hub, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(hub, "HEARTBEAT_SECONDS", 0.05)
    with serve(platform.settings) as address:
        yield address


def test_a_heartbeat_moves_the_place_on(
    quick: str, client: httpx2.Client, platform: Served, writer: psycopg.Connection
) -> None:
    with httpx2.Client(base_url=quick, headers=client.headers, timeout=20) as here, listening(here) as stream:
        place = stream.started().last_id
        # Only a reading finds it, and nobody is told anything.
        writer.execute("select pg_current_xact_id(), pg_notify('tutorq_events', '')")
        while stream.last_id == place:
            next(stream.messages())


@pytest.mark.soak
def test_a_key_that_is_revoked_hears_no_more(quick: str, platform: Served) -> None:
    name = str(uuid4())
    headers = {"X-API-Key": new_key(platform, name, Role.READ)}
    with httpx2.Client(base_url=quick, headers=headers, timeout=30) as here, listening(here) as stream:
        stream.started()
        with platform.database.connect() as connection:
            keys.revoke(connection, name)
        assert list(stream.events()) == []


@pytest.mark.parametrize("change", ["logged out", "shut out", "another role"])
def test_a_person_who_is_gone_hears_no_more(quick: str, platform: Served, change: str) -> None:
    name = f"Leaver {change}"
    with logged_in(platform, Role.COACH, name) as browser, httpx2.Client(base_url=quick, timeout=20) as here:
        here.cookies = browser.cookies
        with listening(here) as stream:
            stream.started()
            if change == "logged out":
                assert browser.delete("/api/auth/session", headers=OURS).status_code == 204
            else:
                column = "is_active = false" if change == "shut out" else "role = 'read'"
                with platform.database.connect() as connection:
                    connection.execute(f"update app.people set {column} where name = %s".encode(), [name])
            assert list(stream.events()) == []


def test_listening_keeps_no_log_in_alive(quick: str, platform: Served) -> None:
    """A tab that is left open is no use of the log-in."""
    with logged_in(platform, Role.READ, "Idler") as browser, httpx2.Client(base_url=quick, timeout=20) as here:
        here.cookies = browser.cookies
        with listening(here) as stream, platform.database.connect(autocommit=True) as connection:
            stream.started()
            connection.execute("update app.browser_sessions set last_seen_at = now() - interval '13 hours'")
            assert list(stream.events()) == []


def test_streams_end_with_the_process(platform: Served, client: httpx2.Client) -> None:
    """In order, as an answer ends that is complete: uvicorn breaks off what has not ended after its patience."""
    with ExitStack() as stack:
        with serve(platform.settings) as address:
            here = stack.enter_context(httpx2.Client(base_url=address, headers=client.headers, timeout=20))
            stream = stack.enter_context(listening(here)).started()
        assert list(stream.events()) == []


def test_one_who_does_not_read_is_cut_off(platform: Served, writer: psycopg.Connection) -> None:
    key = new_key(platform, str(uuid4()), Role.READ)
    # More than the operating system takes in our place.
    padding = "x" * 1_000_000
    with served(platform.database, platform.settings.home, Limits(write_seconds=0.5)) as here:
        host, _, port = here.base_url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as lazy, here.client(key) as client:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n".encode())
            assert lazy.recv(1000).startswith(b"HTTP/1.1 200 ")
            with listening(client) as stream:
                stream.started()
                for _ in range(MOST_WAITING // 4):
                    tell(writer, EventKind.PUBLICATION_DONE, padding=padding)
                # Who reads gets all of it.
                stream.until_marked(mark(writer))
            while re.search("^tutorq_event_streams 0.0$", figures(here), re.MULTILINE) is None:
                pass


def figures(platform: Served) -> str:
    with platform.client(platform.key) as client:
        return client.get("/metrics").text


def test_events_are_found_when_the_connection_that_hears_of_them_is_lost(
    platform: Served, client: httpx2.Client, writer: psycopg.Connection
) -> None:
    with listening(client) as stream:
        stream.started()
        ended = writer.execute(
            "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity "
            "where application_name = 'tutorq-api events' and datname = current_database()"
        ).fetchone()
        assert ended is not None
        assert ended[0] >= 1
        event = tell(writer, EventKind.CONCERN_RAISED, TUTOR, **CONCERN)
        assert next(stream.events()).data["event_id"] == event


def test_events_are_found_where_nothing_is_heard(
    monkeypatch: pytest.MonkeyPatch, platform: Served, client: httpx2.Client, writer: psycopg.Connection
) -> None:
    """As behind a pooler that gives each transaction another connection."""

    async def nothing(_: hub.Hub) -> None:
        pass

    monkeypatch.setattr(hub.Hub, "_notify", nothing)
    writer.execute("alter table app.events disable trigger announce")
    try:
        with another_process(platform, client) as here, listening(here) as stream:
            stream.started()
            event = tell(writer, EventKind.CONCERN_RAISED, TUTOR, **CONCERN)
            assert next(stream.events()).data["event_id"] == event
    finally:
        writer.execute("alter table app.events enable trigger announce")


def test_of_a_standby_no_event_is_read(postgres: Postgres, tmp_path: Path) -> None:
    """Its snapshots lack what is in progress, so that would be missed. Postgres raises this of the name of its log."""
    with served(postgres.new_database(tmp_path), tmp_path) as platform, platform.client(platform.key) as client:
        with platform.database.connect() as connection:
            connection.execute(
                "create or replace function app.events_history() returns text language plpgsql as $$ begin "
                "raise exception 'recovery is in progress' using errcode = '55000'; end $$"
            )
        told = problem(client.get(PATH, params={"seconds": 0}), 503)
        assert "It is a standby" in told.detail
