"""People at browsers: what their role and their team let them do, and the sessions that they have open."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string, policy
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest

from api.limits import LINKS_AT_ONCE, MemoryBuckets, link_limit
from api.problems import TooManyLogInsError
from core import people
from core.roles import Role
from ingest.ids import entity_uuid
from reports import outbox
from reports.providers.file import FileProvider
from tests.api.conftest import Served, served
from tests.api.test_auth_sessions import OURS, PATH, execute, logged_in, new_key, person, token
from tests.api.test_problems import problem
from tests.api.test_sessions import session
from tests.conftest import Postgres
from tests.e2e.processes import wait_for

SESSIONS = "/api/auth/sessions"
STORM = {"reason": "Storm"}


@contextmanager
def at_browser(platform: Served, role: Role, name: str) -> Iterator[httpx2.Client]:
    """A client that sends what our page sends."""
    with logged_in(platform, role, name) as client:
        client.headers.update(OURS)
        yield client


@pytest.fixture
def platform(postgres: Postgres, tmp_path: Path) -> Iterator[Served]:
    """The API with limits and an outbox of its own."""
    with served(postgres.new_database(tmp_path), tmp_path) as platform:
        yield platform


@pytest.fixture(scope="module")
def tutor_id(intake: Served) -> str:
    return f"tutor-of-people-{uuid4()}"


@pytest.fixture
def moved(intake: Served, tutor_id: str) -> str:
    """A session that the tutor has moved."""
    name = f"moved-{uuid4()}"
    body = session(name, tutor_id=tutor_id, status="rescheduled", reschedule_info={"initiator": "tutor"})
    with intake.client(intake.key) as client:
        assert client.post("/api/sessions", json=body).status_code == 202
    return name


def give(platform: Served, name: str, tutor: UUID) -> None:
    who = person(platform, Role.COACH, name)
    with platform.database.connect() as connection:
        people.change_team(connection, who, give={"": tutor}, take={})


def test_a_coach_excuses_for_their_own_tutors(intake: Served, moved: str, tutor_id: str) -> None:
    url = f"/api/sessions/{moved}/excuse"
    with at_browser(intake, Role.COACH, "Cora") as cora, at_browser(intake, Role.COACH, "Carl") as carl:
        give(intake, "Cora", entity_uuid(tutor_id))
        assert cora.get(PATH).json()["tutor_ids"] == [str(entity_uuid(tutor_id))]
        assert carl.get(PATH).json()["tutor_ids"] == []
        assert "your own tutors" in problem(carl.post(url, json=STORM), 403).detail
        excused = cora.post(url, json=STORM)
        assert excused.status_code == 201, excused.text
        assert excused.json()["created_by"] == f"Cora (person {person(intake, Role.COACH, 'Cora').person_id})"
        problem(carl.delete(url), 403)
        assert cora.delete(url).status_code == 204


def test_a_coach_excuses_days_of_their_own_tutors(intake: Served, tutor_id: str) -> None:
    url = f"/api/tutors/{tutor_id}/days/2026-01-05/excuse"
    with at_browser(intake, Role.COACH, "Dora") as dora, at_browser(intake, Role.COACH, "Dirk") as dirk:
        give(intake, "Dora", entity_uuid(tutor_id))
        for method, body in (("POST", STORM), ("DELETE", None)):
            problem(dirk.request(method, url, json=body), 403)
            # No marts here; it got that far.
            problem(dora.request(method, url, json=body), 503)


@pytest.mark.parametrize(("role", "status"), [(Role.READ, 403), (Role.LEAD, 201), (Role.ADMIN, 201)])
def test_others_are_bound_to_no_team(intake: Served, moved: str, role: Role, status: int) -> None:
    with at_browser(intake, role, f"Nobody's {role}") as client:
        assert client.get(PATH).json()["tutor_ids"] is None
        assert client.post(f"/api/sessions/{moved}/excuse", json=STORM).status_code == status


def test_a_role_that_changes_holds_at_once(intake: Served) -> None:
    person(intake, Role.ADMIN, "Boss")
    with at_browser(intake, Role.ADMIN, "Demi") as client:
        assert client.get("/api/audit").status_code == 200
        person(intake, Role.LEAD, "Demi")
        assert client.get(PATH).json()["role"] == "lead"
        assert "Needs the role admin; yours is lead." in problem(client.get("/api/audit"), 403).detail


@pytest.mark.parametrize("leaves", ["shut out", "removed"])
def test_who_leaves_is_out_at_once(intake: Served, leaves: str) -> None:
    name = f"Leaver {leaves}"
    with at_browser(intake, Role.READ, name) as client:
        email = person(intake, Role.READ, name).email
        with intake.database.connect() as connection:
            if leaves == "removed":
                people.remove(connection, email)
            else:
                people.change(connection, email, is_active=False)
        problem(client.get(PATH), 401)
        with intake.database.connect() as connection:
            if leaves == "shut out":
                people.change(connection, email, is_active=True)
        problem(client.get(PATH), 401)


def ids(client: httpx2.Client, **query: bool) -> list[tuple[str, int]]:
    page = client.get(SESSIONS, params=query)
    assert page.status_code == 200, page.text
    return [(each["name"], each["browser_session_id"]) for each in page.json()["data"]]


def test_sessions_are_listed_to_their_person(intake: Served) -> None:
    with at_browser(intake, Role.COACH, "Lisa") as lisa, at_browser(intake, Role.COACH, "Lisa") as elsewhere:
        elsewhere.get(PATH, headers={"User-Agent": "Not at log-in"})
        page = lisa.get(SESSIONS)
        assert page.headers["cache-control"] == "no-store"
        assert {(each["name"], each["opened_by"], each["address"]) for each in page.json()["data"]} == {
            ("Lisa", "link", "127.0.0.1")
        }
        assert [each["user_agent"].startswith("python-httpx2") for each in page.json()["data"]] == [True, True]
        assert sorted(each["is_current"] for each in page.json()["data"]) == [False, True]
        assert "tutorq_session" not in page.text
        problem(lisa.get(SESSIONS, params={"everybody": True}), 403)
        with at_browser(intake, Role.ADMIN, "Boss") as boss:
            assert {name for name, _ in ids(boss, everybody=True)} >= {"Lisa", "Boss"}
            assert {name for name, _ in ids(boss)} == {"Boss"}


def test_one_session_is_ended(intake: Served) -> None:
    with at_browser(intake, Role.LEAD, "Enda") as enda, at_browser(intake, Role.LEAD, "Enda") as lost:
        (other,) = [each["browser_session_id"] for each in lost.get(SESSIONS).json()["data"] if each["is_current"]]
        with at_browser(intake, Role.LEAD, "Nosy") as nosy:
            problem(nosy.delete(f"{SESSIONS}/{other}"), 404)
        enda.headers.pop(next(iter(OURS)))
        problem(enda.delete(f"{SESSIONS}/{other}"), 403)
        enda.headers.update(OURS)
        assert enda.delete(f"{SESSIONS}/{other}").status_code == 204
        problem(lost.get(PATH), 401)
        assert enda.get(PATH).status_code == 200
        problem(enda.delete(f"{SESSIONS}/{other}"), 404)
    ended = execute(
        intake, "select actor from app.audit_log where action = 'log_in.end' and subject_id = %s", str(other)
    )
    assert ended == [(f"Enda (person {person(intake, Role.LEAD, 'Enda').person_id})",)]


def test_all_sessions_are_ended(intake: Served) -> None:
    with (
        at_browser(intake, Role.READ, "Alan") as alan,
        at_browser(intake, Role.READ, "Alan") as too,
        at_browser(intake, Role.READ, "Alba") as alba,
    ):
        assert alan.delete(SESSIONS).status_code == 204
        problem(alan.get(PATH), 401)
        problem(too.get(PATH), 401)
        person_id = alba.get(PATH).json()["person_id"]
        problem(alba.delete(SESSIONS, params={"person_id": person_id}), 403)
        with at_browser(intake, Role.ADMIN, "Boss") as boss:
            assert boss.delete(SESSIONS, params={"person_id": person_id}).status_code == 204
            assert boss.get(PATH).status_code == 200
        problem(alba.get(PATH), 401)


def test_sessions_of_a_key_are_its_own(intake: Served) -> None:
    secret, other = new_key(intake, "shared", Role.READ), new_key(intake, "not shared", Role.READ)
    with intake.client(None) as browser, intake.client(secret) as robot, intake.client(other) as stranger:
        browser.post(PATH, json={"api_key": secret})
        ((name, number),) = ids(browser)
        assert (name, ids(robot), ids(stranger)) == ("shared", [("shared", number)], [])
        problem(stranger.delete(f"{SESSIONS}/{number}"), 404)
        assert robot.delete(SESSIONS).status_code == 204
        problem(browser.get(PATH), 401)


LINK = "/api/auth/link"


def mails(platform: Served) -> list[tuple[str]]:
    return execute(platform, "select recipient from app.email_reports where kind = 'log_in_link' order by created_at")


def test_a_link_is_mailed_to_who_is_known(platform: Served) -> None:
    mia = person(platform, Role.COACH, "Mia")
    with platform.database.connect() as connection:
        people.change(connection, person(platform, Role.READ, "Max").email, is_active=False)
    with platform.client(None) as client:
        answers = [client.post(LINK, json={"email": email}) for email in ("no.one@example.org", "max@example.org")]
        answers.append(client.post(LINK, json={"email": mia.email.upper()}))
        # The one before is a moment old.
        answers.append(client.post(LINK, json={"email": mia.email}))
        assert {(each.status_code, each.content) for each in answers} == {(202, b"")}
        problem(client.post(LINK, json={"email": "nonsense"}), 400)
        ann = person(platform, Role.READ, "Last")
        client.post(LINK, json={"email": ann.email})
    # They are dealt with in the order in which they came.
    wait_for(lambda: (ann.email,) in mails(platform), 15, lambda: "the last one is not queued")
    assert mails(platform) == [(mia.email,), (ann.email,)]
    settings = platform.settings
    outbox.send_due(settings, platform.database, FileProvider(settings.outbox_dir))
    (sent,) = (path.read_text() for path in settings.outbox_dir.glob("*.eml") if mia.email in path.read_text())
    text = message_from_string(sent, policy=policy.default).get_body(("plain",)).get_content()
    assert "List-Unsubscribe" not in sent
    secret = text.partition("#token=")[2].split()[0]
    assert secret not in str(execute(platform, "select report::text from app.email_reports as report"))
    with platform.client(None) as client:
        opened = client.post(PATH, json={"token": secret})
        assert (opened.status_code, opened.json()["name"]) == (201, "Mia")
        problem(client.post(PATH, json={"token": secret}), 401)
        assert [each["opened_by"] for each in client.get(SESSIONS).json()["data"]] == ["mail"]


def test_links_for_an_address_end_with_it(platform: Served) -> None:
    old, new = person(platform, Role.READ, "Nora").email, "nora.new@example.org"
    secret = token(platform, Role.READ, "Nora")
    with platform.client(None) as client:
        assert client.post(LINK, json={"email": old}).status_code == 202
        wait_for(lambda: mails(platform) == [(old,)], 15, lambda: "it is not queued")
        with platform.database.connect() as connection:
            people.change(connection, old, new_email=new)
        problem(client.post(PATH, json={"token": secret}), 401)
    outbox.send_due(platform.settings, platform.database, FileProvider(platform.settings.outbox_dir))
    assert execute(platform, "select state from app.email_reports") == [("failed",)]
    assert execute(platform, "select * from app.login_tokens") == []


def ask_for_link(platform: Served, *emails: str) -> None:
    """Have links mailed, and wait until all have been dealt with, in the order in which they came."""
    last = person(platform, Role.READ, f"Last {uuid4()}").email
    with platform.client(None) as client:
        for email in (*emails, last):
            assert client.post(LINK, json={"email": email}).status_code == 202
    wait_for(lambda: (last,) in mails(platform), 15, lambda: "the last one is not queued")


def grow_old(platform: Served, minutes: int) -> None:
    """Mails and mailed links are so much older."""
    age = "- %s * interval '1 minute'"
    execute(platform, f"update app.email_reports set created_at = created_at {age}", minutes)
    execute(platform, f"update app.login_tokens set expires_at = expires_at {age}", minutes)


def test_strangers_neither_flood_a_mailbox_nor_keep_its_owner_from_a_link(platform: Served) -> None:
    flo = person(platform, Role.READ, "Flo").email

    def links() -> int:
        return mails(platform).count((flo,))

    def send() -> None:
        outbox.send_due(platform.settings, platform.database, FileProvider(platform.settings.outbox_dir))

    ask_for_link(platform, *[flo] * 3)
    assert links() == 1
    grow_old(platform, 2)
    ask_for_link(platform, flo)
    assert links() == 1, "the first one still waits to be sent"
    send()
    grow_old(platform, 5)
    ask_for_link(platform, flo)
    assert links() == 1, "the link still works for some minutes"
    for more in (1, 2):
        grow_old(platform, 4)
        ask_for_link(platform, flo)
        assert links() == 1 + more, "the last one is about to end"
        send()
        grow_old(platform, 5)
    execute(platform, "delete from app.login_tokens")  # as log-in does
    ask_for_link(platform, flo)
    assert links() == 4, "the last one has been used"
    grow_old(platform, 31)
    ask_for_link(platform, flo)
    assert links() == 5, "what has waited for so long is not sent any more"


def test_no_link_is_mailed_to_an_address_of_this_machine(platform: Served) -> None:
    with platform.database.connect() as connection:
        people.add(connection, "operator@LOCALHOST", "Operator", Role.ADMIN)
    ask_for_link(platform, "operator@localhost")
    assert all("localhost" not in recipient.lower() for (recipient,) in mails(platform))


def test_the_audit_log_says_from_where_a_mailed_link_was_asked_for(platform: Served) -> None:
    ask_for_link(platform)
    outbox.send_due(platform.settings, platform.database, FileProvider(platform.settings.outbox_dir))
    made = execute(
        platform, "select actor, details ->> 'address' from app.audit_log where action = 'login_link.create'"
    )
    assert made == [("mail", "127.0.0.1")]


def test_an_address_asks_for_a_limited_number_of_links(platform: Served) -> None:
    with platform.client(None) as client:
        statuses = [client.post(LINK, json={"email": "x@example.org"}).status_code for _ in range(LINKS_AT_ONCE + 10)]
    assert statuses[:LINKS_AT_ONCE] == [202] * LINKS_AT_ONCE
    assert 429 in statuses


def test_an_office_behind_one_address_gets_twenty_links_a_minute() -> None:
    now = 0.0
    limit = link_limit(MemoryBuckets(lambda: now))
    for minute in (1.0, 2.0):
        for _ in range(20):
            asyncio.run(limit.spend("192.0.2.1"))
        with pytest.raises(TooManyLogInsError):
            asyncio.run(limit.spend("192.0.2.1"))
        now = minute * 60


def test_my_tutors_is_a_filter_whose_answers_follow_the_team(published: Served) -> None:
    with published.client(published.key) as client:
        (first, second) = (row["tutor_id"] for row in client.get("/api/tutors", params={"limit": 2}).json()["data"])
    with at_browser(published, Role.COACH, "Tess") as tess:
        give(published, "Tess", UUID(first))
        mine = {"team_of": tess.get(PATH).json()["person_id"]}
        page = tess.get("/api/tutors", params=mine)
        assert [row["tutor_id"] for row in page.json()["data"]] == [first]
        assert page.json()["meta"]["total"] == 1
        known = {"If-None-Match": page.headers["etag"]}
        assert tess.get("/api/tutors", params=mine, headers=known).status_code == 304
        give(published, "Tess", UUID(second))
        again = tess.get("/api/tutors", params=mine, headers=known)
        assert {row["tutor_id"] for row in again.json()["data"]} == {first, second}
        points = tess.get("/api/funnel", params=mine).json()["data"]["points"]
        assert {point["tutor_id"] for point in points} <= {first, second}
        # Others are seen as well.
        assert tess.get(f"/api/tutors/{second}").status_code == 200
        assert tess.get("/api/tutors").json()["meta"]["total"] > 2
