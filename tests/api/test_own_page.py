"""The tutor's own page: what a link opens, what stands on it, and what never does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from api.limits import FAILED_LOG_INS_AT_ONCE
from api.my.pages import tally
from core import page_links, people
from core.errors import TutorqError
from core.roles import Role
from tests.api.appeals import counts, let_down, new_link, own_page, proof_in, token_of, uuid_of
from tests.api.conftest import Served, served
from tests.api.test_auth_sessions import execute, new_key, person
from tests.api.test_people import at_browser
from tests.api.test_problems import problem
from tests.conftest import PUBLISHED, Postgres

if TYPE_CHECKING:
    import httpx2

TUTOR, OTHER = uuid_of(6), uuid_of(12)


@pytest.fixture(scope="module")
def platform(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("my")
    with served(postgres.new_database(home, PUBLISHED), home, timezone="Europe/Vienna") as platform:
        yield platform


@pytest.fixture(scope="module")
def admin(platform: Served) -> Iterator[httpx2.Client]:
    with platform.client(platform.key) as client:
        yield client


@pytest.fixture
def tutor(platform: Served) -> Iterator[httpx2.Client]:
    with own_page(platform, TUTOR) as client:
        yield client


def send(client: httpx2.Client, session_id: UUID, **changes: object) -> httpx2.Response:
    proof = proof_in(client.get("/my/appeal", params={"session": str(session_id)}).text)
    form = {"proof": proof, "session": str(session_id), "reason": "illness", "text": "I was ill.", **changes}
    return client.post("/my/appeal", data=form)


def test_a_link_opens_one_page_and_its_token_stands_in_no_address(platform: Served, admin: httpx2.Client) -> None:
    response = admin.post(f"/api/tutors/{TUTOR}/page-link")
    assert (response.status_code, response.headers["cache-control"]) == (201, "no-store")
    url = response.json()["data"]["url"]
    assert url.startswith(f"http://localhost:{platform.settings.api_port}/my/open#token=")
    with platform.client(None) as client:
        opening = client.get("/my/open")
        assert (opening.status_code, "Your figures" in opening.text) == (200, False)
        opened = client.post("/my/open", data={"token": token_of(url)})
        assert (opened.status_code, opened.headers["location"]) == (303, "/my")
        cookie = opened.headers["set-cookie"]
        assert re.search(r"HttpOnly; Max-Age=7200; Path=/my; SameSite=strict", cookie), cookie
        page = client.get("/my")
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
        assert page.headers["referrer-policy"] == "no-referrer"
        assert token_of(url) not in page.text
        # The cookie is not for the API, and the page not for anybody else.
        assert client.get("/api/tutors").status_code == 401
    # The whole link may be pasted, where scripts are off.
    with platform.client(None) as client:
        assert client.post("/my/open", data={"token": f" {url} "}).status_code == 303
    kept = execute(platform, "select encode(token_hash, 'escape') from app.page_links")
    assert not [text for (text,) in kept if token_of(url) in text]


def test_the_page_is_strict_and_light(tutor: httpx2.Client) -> None:
    page = tutor.get("/my")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "<script" not in page.text
    assert len(page.content) < 50_000
    opening = tutor.get("/my/open")
    assert re.search(r"script-src 'sha256-[^']+'$", opening.headers["content-security-policy"])


def test_what_stands_on_it(platform: Served, admin: httpx2.Client, tutor: httpx2.Client) -> None:
    session_id, excused = let_down(platform, TUTOR), let_down(platform, TUTOR)
    assert admin.post(f"/api/sessions/{excused}/excuse", json={"reason": "Ill"}).status_code == 201
    execute(
        platform,
        """
        update marts.tutor_concerns set status = 'raised', superseded = false, probability = 0.93, raw_rate = 0.25,
            trials = 20, events = 5, threshold = 0.15, low = 0.13, high = 0.28, clears_on = '2026-03-04'
        where tutor_id = %s and concern = 'unreliable' returning 1
        """,
        TUTOR,
    )
    text = unescape(re.sub(r"<[^>]+>", "", tutor.get("/my").text))
    assert "Grace Tutor 6" in text
    assert "You moved, cancelled or missed 5 of 20 sessions in 90 days, 25%." in text
    assert "the chance that it is above the limit of 15% is 93%" in text
    assert "Ends on 4 March 2026 if every session is held until then." in text
    # In the reporting zone.
    assert "Fri 30 January 2026, 11:00" in text
    assert "Missed by you, with a student" in text
    assert "Excused: does not count" in text
    # The list has excused sessions, too: what it says of itself adds up, and agrees with the figures above it.
    [(listed, counting, excused_ones)] = re.findall(
        r"(\d+) sessions in the last 90 days: (\d+) counts?, (\d+) do(?:es)? not count\.", text
    )
    assert int(listed) == int(counting) + int(excused_ones)
    assert int(counting) == counts(platform, TUTOR)[1]
    assert int(excused_ones) == text.count("Excused: does not count") == 1
    assert "Excused sessions count as sessions, not as let-downs." in text
    assert str(session_id) in tutor.get("/my").text


@pytest.mark.parametrize(
    ("counting", "late", "total", "said"),
    [
        (142, 24, 185, "142 count, 24 only began late, 19 do not count"),
        (1, 0, 2, "1 counts, 1 does not count"),
        (1_204, 0, 1_204, "1,204 count"),
    ],
)
def test_the_list_adds_up(counting: int, late: int, total: int, said: str) -> None:
    page: Any = SimpleNamespace(sessions_counting=counting, sessions_late=late, sessions_total=total)
    assert tally(page) == said


def test_a_sudden_change_is_told_as_the_change(platform: Served, tutor: httpx2.Client) -> None:
    execute(
        platform,
        """
        update marts.tutor_concerns set status = 'raised', superseded = false, probability = 0.93, raw_rate = 0.25,
            trials = 20, events = 5, threshold = 0.15, low = 0.13, high = 0.28, clears_on = '2026-03-04'
        where tutor_id = %s and concern = 'getting_worse' returning 1
        """,
        TUTOR,
    )
    change = "update marts.tutor_scores set let_down_rate_30d = 0.26, trend_30d = 0.12 where tutor_id = %s returning 1"
    execute(platform, change, TUTOR)
    told = "14% → 26% in the last 30 days. You moved, cancelled or missed 5 of 20 sessions in 90 days, 25%."
    for path in ("/my", "/my/appeal?concern=getting_worse"):
        assert told in unescape(re.sub(r"<[^>]+>", "", tutor.get(path).text))


def test_sessions_are_listed_by_the_day_that_is_shown(platform: Served, tutor: httpx2.Client) -> None:
    # Counted on the day of the call, before the other one, and planned for a day after it.
    called_off = let_down(
        platform, TUTOR, "cancelled", scheduled_time="2026-02-05T10:00:00Z", cancelled_at="2026-01-25T10:00:00Z"
    )
    missed = let_down(platform, TUTOR)
    page = tutor.get("/my").text
    shown = [each for each in re.findall(r'value="([0-9a-f-]{36})"', page) if each in (str(called_off), str(missed))]
    assert shown == [str(called_off), str(missed)]


def test_nothing_of_others_and_nothing_internal(platform: Served, admin: httpx2.Client, tutor: httpx2.Client) -> None:
    theirs = let_down(platform, OTHER)
    case = admin.post("/api/cases", json={"tutor_id": str(TUTOR), "text": "Sounds tired"})
    assert case.status_code in (201, 409)
    execute(platform, "update app.excuses set reason = 'Internal remark', created_by = 'Bea Boss' returning 1")
    page = tutor.get("/my", params={"page": 1}).text
    for secret in ("Tutor 12", "tutor12", "Student 1", "student of", "S-6-", "Sounds tired", "Internal remark", "Boss"):
        assert secret not in page, secret
    assert str(theirs) not in page
    # Neither by its number, nor by ticking what is not on the page.
    assert "does not count" in tutor.get("/my/appeal", params={"session": str(theirs)}).text
    assert tutor.get("/my/appeal", params={"session": str(theirs)}).status_code == 404
    own = let_down(platform, TUTOR)
    proof = proof_in(tutor.get("/my/appeal", params={"session": str(own)}).text)
    form = {"proof": proof, "session": [str(own), str(theirs)], "reason": "other", "text": "Both"}
    assert tutor.post("/my/appeal", data=form).status_code == 400
    assert execute(platform, "select count(*) from app.appeals where text = 'Both'") == [(0,)]


def test_an_appeal_is_sent_shown_withdrawn_and_of_nobody_else(platform: Served, tutor: httpx2.Client) -> None:
    session_id = let_down(platform, TUTOR, "cancelled", cancelled_at="2026-01-30T07:30:00Z")
    form = tutor.get("/my/appeal", params={"session": str(session_id)}).text
    assert "Cancelled by you, 2 hours before" in form
    # Browsers send line breaks so, and count one character each.
    answer = send(tutor, session_id, text=f"Line\r\n{'x' * 995}")
    assert answer.status_code == 303, answer.text
    number = int(answer.headers["location"].removeprefix("/my?sent="))
    page = tutor.get(answer.headers["location"]).text
    assert "We have your appeal. The answer comes by" in page
    [(text, who, happened)] = execute(
        platform,
        "select text, created_by, happened from app.appeals inner join app.appeal_sessions using (appeal_id)"
        " where appeal_id = %s",
        number,
    )
    assert (text[:6], len(text), who, happened) == ("Line\nx", 1000, "tutor", "cancelled")
    query = "select actor, action from app.audit_log where subject_kind = 'appeal' and subject_id = %s"
    assert execute(platform, query, str(number)) == [("tutor", "appeal.open")]
    # It cannot be sent twice, and another tutor cannot take it back.
    assert send_again(tutor, session_id).status_code == 404
    proof = proof_in(page)
    with own_page(platform, OTHER) as other:
        theirs = let_down(platform, OTHER)
        other_proof = proof_in(other.get("/my/appeal", params={"session": str(theirs)}).text)
        assert other.post(f"/my/appeals/{number}/withdrawal", data={"proof": proof}).status_code == 403
        assert other.post(f"/my/appeals/{number}/withdrawal", data={"proof": other_proof}).status_code == 404
        assert f"appeal-{number}" not in other.get("/my").text
    assert tutor.post(f"/my/appeals/{number}/withdrawal", data={"proof": proof}).status_code == 303
    assert "Withdrawn" in tutor.get("/my").text


def send_again(client: httpx2.Client, session_id: UUID) -> httpx2.Response:
    return client.get("/my/appeal", params={"session": str(session_id)})


def test_about_a_concern(platform: Served, tutor: httpx2.Client) -> None:
    execute(
        platform,
        "update marts.tutor_concerns set status = 'raised', superseded = false"
        " where tutor_id = %s and concern = 'no_shows' returning 1",
        TUTOR,
    )
    form = tutor.get("/my/appeal", params={"concern": "no_shows"})
    assert "Missed sessions" in form.text
    sent = {"proof": proof_in(form.text), "concern": "no_shows", "reason": "other", "text": "Your clock is wrong"}
    assert tutor.post("/my/appeal", data=sent).status_code == 303
    assert "Your appeal is open." in tutor.get("/my").text
    assert tutor.get("/my/appeal", params={"concern": "no_shows"}).status_code == 404
    assert tutor.get("/my/appeal", params={"concern": "kindness"}).status_code == 404


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"text": " "}, "Say what is wrong, and what happened"),
        ({"text": "x" * 1001}, "Say what is wrong, and what happened"),
        ({"reason": "x"}, "Say what is wrong, and what happened"),
    ],
    ids=["blank", "long", "reason"],
)
def test_a_form_with_something_missing_comes_back(
    platform: Served, tutor: httpx2.Client, changes: dict[str, object], words: str
) -> None:
    session_id = let_down(platform, TUTOR)
    answer = send(tutor, session_id, **changes)
    assert answer.status_code == 400
    assert words in answer.text
    assert str(session_id) in answer.text


def test_what_people_write_is_text(platform: Served, admin: httpx2.Client, tutor: httpx2.Client) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}'
    session_id = let_down(platform, TUTOR)
    assert send(tutor, session_id, text=evil).status_code == 303
    with at_browser(platform, Role.LEAD, "Lea") as lea:
        number = max(row["appeal_id"] for row in lea.get("/api/appeals").json()["data"])
        body = {"decision": "declined", "answer": evil}
        assert lea.post(f"/api/appeals/{number}/decision", json=body).status_code == 200
    page = tutor.get("/my").text
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;alert(1)") == 2
    assert "{{ 7 * 7 }}" in page
    assert "<script" not in send(tutor, let_down(platform, TUTOR), text=evil * 20).text


def test_forms_of_others_do_nothing(platform: Served, admin: httpx2.Client, tutor: httpx2.Client) -> None:
    session_id = let_down(platform, TUTOR)
    form = {"session": str(session_id), "reason": "other", "text": "Forged"}
    for proof in ({}, {"proof": ""}, {"proof": "f" * 64}, {"proof": "ü"}):
        assert tutor.post("/my/appeal", data={**form, **proof}).status_code == 403
    assert execute(platform, "select count(*) from app.appeals where text = 'Forged'") == [(0,)]
    # Nor does another site put its own page before somebody.
    token = {"token": token_of(new_link(admin, OTHER))}
    forged = tutor.post("/my/open", data=token, headers={"Sec-Fetch-Site": "cross-site"})
    assert forged.status_code == 403
    assert "set-cookie" not in forged.headers
    assert tutor.post("/my/open", json=token).status_code == 415
    assert tutor.post("/my/open", data={"token": "x" * 40_000}).status_code == 413


def test_older_sessions_are_on_further_pages(platform: Served) -> None:
    tutor = uuid_of(35)
    sessions = [
        str(let_down(platform, tutor, scheduled_time=f"2026-01-{20 + n % 9}T0{n % 10}:00:00Z")) for n in range(70)
    ]
    with own_page(platform, tutor) as client:
        seen: list[str] = []
        for number in (1, 2, 3):
            page = client.get("/my", params={"page": number}).text
            assert len(page) < 50_000
            seen += re.findall(r'name="session" value="([^"]+)"', page)
        assert len(seen) == len(set(seen))
        assert set(sessions) <= set(seen)
        assert client.get("/my", params={"page": "x"}).status_code == 404


def test_who_may_make_and_revoke_links(platform: Served, admin: httpx2.Client) -> None:
    path = f"/api/tutors/{TUTOR}/page-link"
    with platform.client(new_key(platform, f"shop-{uuid4()}", Role.INGEST)) as shop:
        assert shop.post(path).status_code == 201
    with at_browser(platform, Role.COACH, "Cora") as cora:
        problem(cora.post(path), 403)
        problem(cora.delete(path), 403)
        coach = person(platform, Role.COACH, "Cora")
        with platform.database.connect() as connection:
            people.change_team(connection, coach, give={"": TUTOR}, take={})
        assert cora.post(path).status_code == 201
        assert cora.delete(path).status_code == 204
    problem(admin.post("/api/tutors/nobody-knows/page-link"), 404)
    entries = execute(
        platform,
        "select action, details ->> 'links' from app.audit_log"
        " where subject_kind = 'tutor' and subject_id = %s order by entry_id desc limit 2",
        str(TUTOR),
    )
    assert [entry[0] for entry in entries] == ["page_link.revoke", "page_link.create"]
    assert int(entries[0][1]) >= 2


@contextmanager
def opened(platform: Served, token: str) -> Iterator[httpx2.Client]:
    with platform.client(None) as client:
        assert client.post("/my/open", data={"token": token}).status_code == 303
        yield client


def test_links_end(postgres: Postgres, platform: Served, admin: httpx2.Client) -> None:
    tutor = uuid_of(1)
    first, second = (token_of(new_link(admin, tutor)) for _ in range(2))
    with opened(platform, first) as client:
        assert client.get("/my").status_code == 200
        execute(platform, "update app.page_links set expires_at = now() where tutor_id = %s returning 1", tutor)
        over = client.get("/my")
        assert (over.status_code, "no longer works" in over.text) == (401, True)
        assert 'tutorq_page=""' in over.headers["set-cookie"]
        assert client.post("/my/open", data={"token": second}).status_code == 403
    third = token_of(new_link(admin, tutor))
    with opened(platform, third) as client:
        assert client.get("/my").status_code == 200
        assert admin.delete(f"/api/tutors/{tutor}/page-link").status_code == 204
        assert client.get("/my").status_code == 401
    with platform.database.connect() as connection, pytest.raises(TutorqError, match="no such tutor"):
        page_links.create(connection, platform.settings, uuid4(), "mail")


def test_who_was_made_inactive_can_read_and_appeal_for_a_while(platform: Served, admin: httpx2.Client) -> None:
    tutor = uuid_of(24)
    missed = let_down(platform, tutor)
    token = token_of(new_link(admin, tutor))
    assert admin.patch(f"/api/tutors/{tutor}", json={"is_active": False}).status_code == 200
    with opened(platform, token) as client:
        assert "You are no longer active here. This page opens until" in client.get("/my").text
        assert send(client, missed).status_code == 303
    assert new_link(admin, tutor)
    days = platform.settings.page_days_after_leaving
    query = "update app.departed_tutors set left_at = now() - make_interval(days => %s) where tutor_id = %s returning 1"
    execute(platform, query, days, tutor)
    with platform.client(None) as client:
        assert client.post("/my/open", data={"token": token}).status_code == 403
    assert admin.post(f"/api/tutors/{tutor}/page-link").status_code == 409
    # Who comes back has their page, and begins anew when they leave again.
    assert admin.patch(f"/api/tutors/{tutor}", json={"is_active": True}).status_code == 200
    with opened(platform, token) as client:
        assert "no longer active" not in client.get("/my").text
    assert admin.patch(f"/api/tutors/{tutor}", json={"is_active": False}).status_code == 200
    with opened(platform, token) as client:
        assert client.get("/my").status_code == 200


def test_strangers_are_slowed_down_and_tutors_are_not(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("strangers")
    with served(postgres.new_database(home, PUBLISHED), home) as platform:
        with platform.client(platform.key) as admin:
            token = token_of(new_link(admin, TUTOR))
        with platform.client(None) as stranger:
            assert stranger.get("/my").status_code == 401  # without a cookie nobody has tried anything
            garbled = (token[:-1], token[::-1], "", "x", "ü", "token=", f"{token}x", "a b", "%00")
            tries = [stranger.post("/my/open", data={"token": each}).status_code for each in garbled]
            tries += [stranger.post("/my/open", data={"token": "y"}).status_code for _ in range(FAILED_LOG_INS_AT_ONCE)]
            assert set(tries) == {403, 429}
            refused = stranger.post("/my/open", data={"token": "z"})
            assert (refused.status_code, "Wait" in refused.text or "wait" in refused.text) == (429, True)
            assert int(refused.headers["retry-after"]) >= 1
            # From the same address a link that works is let in.
            assert stranger.post("/my/open", data={"token": token}).status_code == 303
            assert stranger.get("/my").status_code == 200


def test_without_scores_the_page_says_so(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("unscored")
    with served(postgres.new_database(home), home) as platform, platform.client(platform.key) as admin:
        assert admin.post("/api/tutors", json={"tutor_id": "t-new", "name": "New"}).status_code == 201
        with own_page(platform, "t-new") as client:
            page = client.get("/my")
            assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")


def test_a_tutor_without_sessions_has_a_page(platform: Served) -> None:
    with own_page(platform, uuid_of(40)) as client:
        page = client.get("/my")
        assert page.status_code == 200
        assert "No session in the last 90 days." in page.text


def test_leaving_forgets_the_cookie_and_not_the_link(platform: Served, admin: httpx2.Client) -> None:
    token = token_of(new_link(admin, TUTOR))
    with opened(platform, token) as client:
        left = client.post("/my/leave")
        assert (left.status_code, left.headers["location"]) == (303, "/my/open")
        assert client.get("/my").status_code == 401
        assert client.post("/my/open", data={"token": token}).status_code == 303
