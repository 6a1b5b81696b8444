"""Appeals over HTTP: who sends them, who may decide, what a decision changes, and what the tutor is told."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from api.appeals.commands import MOST_OPEN
from api.appeals.schemas import AppealDetail, AppealList
from core.roles import Role
from tests.api.appeals import counts, let_down, mails, new_link, proof_in, token_of, uuid_of
from tests.api.conftest import ZONE, Served, served
from tests.api.test_auth_sessions import execute, new_key, person
from tests.api.test_people import at_browser
from tests.api.test_problems import problem
from tests.conftest import PUBLISHED, Postgres

if TYPE_CHECKING:
    import httpx2

PATH = "/api/appeals"
ANSWER = "You are right: the app was down that day."
TUTOR = uuid_of(6)


@pytest.fixture(scope="module")
def platform(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("appeals")
    with served(postgres.new_database(home, PUBLISHED), home, timezone=ZONE) as platform:
        yield platform


@pytest.fixture(scope="module")
def admin(platform: Served) -> Iterator[httpx2.Client]:
    """With a key: no person."""
    with platform.client(platform.key) as client:
        yield client


@pytest.fixture(scope="module")
def lea(platform: Served) -> Iterator[httpx2.Client]:
    """A lead, who has nothing to do with any tutor."""
    with at_browser(platform, Role.LEAD, "Lea") as client:
        yield client


@pytest.fixture
def missed(platform: Served) -> UUID:
    """A session that the tutor missed, as the record says."""
    return let_down(platform, TUTOR)


def send(client: httpx2.Client, *sessions: UUID, tutor: object = TUTOR, **changes: Any) -> httpx2.Response:
    about = {} if "concern" in changes else {"session_ids": [str(each) for each in sessions]}
    body = {"tutor_id": str(tutor), "reason": "technical", "text": "The app was down.", **about, **changes}
    return client.post(PATH, json=body)


def sent(client: httpx2.Client, *sessions: UUID, **changes: Any) -> AppealDetail:
    return detail(send(client, *sessions, **changes), 201)


def detail(response: httpx2.Response, status: int = 200) -> AppealDetail:
    assert response.status_code == status, response.text
    return AppealDetail.model_validate(response.json()["data"])


def decide(client: httpx2.Client, appeal: AppealDetail, *sessions: object, **changes: Any) -> httpx2.Response:
    body = {"decision": "granted", "answer": ANSWER, "sessions": list(sessions), **changes}
    return client.post(f"{PATH}/{appeal.appeal_id}/decision", json=body)


def excused(session_id: UUID) -> dict[str, str]:
    return {"session_id": str(session_id), "remedy": "excused"}


def corrected(session_id: UUID, **changes: Any) -> dict[str, Any]:
    return {"session_id": str(session_id), "remedy": "corrected", **changes}


def wrong_fields(response: httpx2.Response) -> list[str]:
    return [error.field for error in problem(response, 400).errors or []]


def audited(platform: Served, appeal: AppealDetail) -> list[tuple[str, str]]:
    query = (
        "select actor, action from app.audit_log where subject_kind = 'appeal' and subject_id = %s order by entry_id"
    )
    return [(row[0], row[1]) for row in execute(platform, query, str(appeal.appeal_id))]


def listed(client: httpx2.Client, **filters: Any) -> AppealList:
    response = client.get(PATH, params=filters)
    assert response.status_code == 200, response.text
    return AppealList.model_validate_json(response.content)


def test_an_appeal_is_granted_and_everything_follows(
    platform: Served, admin: httpx2.Client, lea: httpx2.Client, missed: UUID
) -> None:
    no_shows, let_downs = counts(platform, TUTOR)
    appeal = sent(admin, missed, text="  Prüfung\nam Gymnasium ")
    today = datetime.now(UTC).astimezone(ZoneInfo(ZONE)).date()
    assert (appeal.state, appeal.reason, appeal.text) == ("open", "technical", "Prüfung\nam Gymnasium")
    assert (appeal.due_on, appeal.is_overdue, appeal.sessions) == (today + timedelta(days=14), False, 1)
    assert [(each.session_id, each.happened, each.remedy) for each in appeal.appealed] == [(missed, "missed", None)]
    assert appeal.recipient == "tutor6@example.org"
    assert mails(platform, "appeal_received")[-1][0] == "tutor6@example.org"

    after = detail(decide(lea, appeal, excused(missed)))
    assert (after.state, after.answer, after.decided_by) == ("granted", ANSWER, "Lea")
    assert [(each.remedy, each.is_excused) for each in after.appealed] == [("excused", True)]
    assert counts(platform, TUTOR) == (no_shows - 1, let_downs - 1)
    excuse = lea.get(f"/api/sessions/{missed}/excuse").json()
    assert excuse["reason"] == f"Appeal {appeal.appeal_id} granted"
    assert excuse["created_by"].startswith("Lea (person ")
    recipient, subject, payload = mails(platform, "appeal_answer")[-1]
    assert (recipient, subject) == ("tutor6@example.org", "Your appeal was granted")
    assert payload["appeal"]["answer"] == ANSWER
    assert [each["remedy"] for each in payload["sessions"]] == ["excused"]
    # Nobody who decided is named to the tutor.
    assert "Lea" not in str(payload)
    (opened, opened_action), (decided, decided_action) = audited(platform, appeal)
    assert (opened_action, decided_action) == ("appeal.open", "appeal.decide")
    assert opened.startswith("local-")
    assert decided.startswith("Lea (person ")
    # Once only.
    assert "settled" in problem(decide(lea, appeal, excused(missed)), 409).detail


def test_a_declined_one_changes_nothing_and_has_reasons(
    platform: Served, admin: httpx2.Client, lea: httpx2.Client, missed: UUID
) -> None:
    before = counts(platform, TUTOR)
    appeal = sent(admin, missed)
    assert wrong_fields(decide(lea, appeal, decision="declined", answer="  ")) == ["answer"]
    assert wrong_fields(decide(lea, appeal, excused(missed), decision="declined")) == ["body"]
    after = detail(decide(lea, appeal, decision="declined", answer="The log shows no outage."))
    assert (after.state, after.answer) == ("declined", "The log shows no outage.")
    assert counts(platform, TUTOR) == before
    assert mails(platform, "appeal_answer")[-1][1] == "Your appeal was declined"
    # It may be sent again, with something new to say.
    assert sent(admin, missed).state == "open"


@pytest.mark.parametrize("status", ["no_show", "cancelled"])
def test_a_record_is_corrected_by_a_newer_version(
    platform: Served, admin: httpx2.Client, lea: httpx2.Client, status: str
) -> None:
    before = counts(platform, TUTOR)
    ahead = (datetime.now(UTC) + timedelta(hours=20)).isoformat()
    session_id = let_down(platform, TUTOR, status, updated_at=ahead)
    appeal = sent(admin, session_id)
    assert wrong_fields(decide(lea, appeal, corrected(session_id))) == ["sessions.0"]
    still = corrected(session_id, status="cancelled")
    assert wrong_fields(decide(lea, appeal, still)) == ["sessions.0"]
    after = detail(decide(lea, appeal, corrected(session_id, caused_by="student")))
    assert [each.remedy for each in after.appealed] == ["corrected"]
    stored = lea.get(f"/api/sessions/{session_id}").json()["data"]
    assert (stored["status"], stored["initiator"], stored["subject"]) == (status, "student", "maths")
    # Newer than the version it replaces, though that is ahead of the clock.
    assert datetime.fromisoformat(stored["updated_at"]) > datetime.fromisoformat(ahead)
    assert counts(platform, TUTOR) == before
    query = "select details from app.audit_log where action = 'session.correct' and subject_id = %s"
    [(noted,)] = execute(platform, query, str(session_id))
    assert noted == {"appeal_id": appeal.appeal_id, "initiator": {"from": "tutor", "to": "student"}}


def test_what_was_held_after_all_is_completed(platform: Served, admin: httpx2.Client, lea: httpx2.Client) -> None:
    session_id = let_down(platform, TUTOR, "cancelled", cancelled_at="2026-01-29T10:00:00Z")
    appeal = sent(admin, session_id, reason="wrong_record")
    detail(decide(lea, appeal, corrected(session_id, status="completed")))
    stored = lea.get(f"/api/sessions/{session_id}").json()["data"]
    assert (stored["status"], stored["initiator"], stored["cancelled_at"]) == ("completed", None, None)


def test_what_was_moved_before_it_was_cancelled_needs_a_cause(
    platform: Served, admin: httpx2.Client, lea: httpx2.Client
) -> None:
    move = {"initiator": "tutor", "requested_at": "2026-01-28T08:00:00Z", "original_time": "2026-01-30T09:00:00Z"}
    session_id = let_down(platform, TUTOR, "cancelled", reschedule_info=move)
    before = counts(platform, TUTOR)
    appeal = sent(admin, session_id)
    assert wrong_fields(decide(lea, appeal, corrected(session_id, status="completed"))) == ["sessions.0"]
    detail(decide(lea, appeal, corrected(session_id, status="completed", caused_by="student")))
    assert counts(platform, TUTOR) == (before[0], before[1] - 1)


def test_all_moves_by_the_tutor_are_corrected(platform: Served, admin: httpx2.Client, lea: httpx2.Client) -> None:
    before = counts(platform, TUTOR)
    move = {"initiator": "tutor", "original_time": "2026-01-30T10:00:00Z", "reason_code": "illness"}
    first = {**move, "requested_at": "2026-01-29T08:00:00Z"}
    session_id = let_down(platform, TUTOR, "rescheduled", reschedule_info=first)
    with platform.client(platform.key) as client:
        for asked_at, who in (("2026-01-29T09:00:00Z", "student"), ("2026-01-29T10:00:00Z", "tutor")):
            again = {
                "session_id": str(session_id),
                "tutor_id": str(TUTOR),
                "student_id": f"student of {session_id}",
                "scheduled_time": "2026-01-30T10:00:00Z",
                "status": "rescheduled",
                "subject": "maths",
                "reschedule_info": {**move, "requested_at": asked_at, "initiator": who},
            }
            assert client.post("/api/sessions", json=again).status_code == 202
    assert counts(platform, TUTOR)[1] == before[1] + 1
    appeal = sent(admin, session_id, reason="not_me")
    assert wrong_fields(decide(lea, appeal, corrected(session_id, status="completed"))) == ["sessions.0"]
    detail(decide(lea, appeal, corrected(session_id, caused_by="platform")))
    stored = lea.get(f"/api/sessions/{session_id}").json()["data"]
    assert [move["initiator"] for move in stored["moves"]] == ["platform", "student", "platform"]
    assert {move["reason_code"] for move in stored["moves"]} == {"illness"}
    assert counts(platform, TUTOR) == before


def test_a_late_start_is_corrected_and_not_excused(platform: Served, admin: httpx2.Client, lea: httpx2.Client) -> None:
    session_id = let_down(platform, TUTOR, "completed", started_at="2026-01-30T10:20:00Z")
    appeal = sent(admin, session_id)
    assert appeal.appealed[0].happened == "late"
    assert wrong_fields(decide(lea, appeal, excused(session_id))) == ["sessions.0.remedy"]
    detail(decide(lea, appeal, corrected(session_id, began_on_time=True)))
    stored = lea.get(f"/api/sessions/{session_id}").json()["data"]
    assert stored["started_at"] == stored["scheduled_time"]


def test_some_of_the_sessions_only(platform: Served, admin: httpx2.Client, lea: httpx2.Client) -> None:
    first, second = let_down(platform, TUTOR), let_down(platform, TUTOR)
    appeal = sent(admin, first, second)
    assert wrong_fields(decide(lea, appeal)) == ["sessions"]
    assert wrong_fields(decide(lea, appeal, excused(uuid4()))) == ["sessions.0.session_id"]
    assert wrong_fields(decide(lea, appeal, excused(first), corrected(first, caused_by="student"))) == ["body"]
    after = detail(decide(lea, appeal, excused(second)))
    assert {each.session_id: each.remedy for each in after.appealed} == {first: None, second: "excused"}
    problem(lea.get(f"/api/sessions/{first}/excuse"), 404)


def test_about_a_concern(platform: Served, admin: httpx2.Client, lea: httpx2.Client, missed: UUID) -> None:
    execute(
        platform,
        "update marts.tutor_concerns set status = 'ok', superseded = false where tutor_id = %s returning 1",
        TUTOR,
    )
    assert wrong_fields(send(admin, concern="no_shows")) == ["concern"]
    execute(
        platform,
        "update marts.tutor_concerns set status = 'raised' where tutor_id = %s and concern = 'no_shows' returning 1",
        TUTOR,
    )
    appeal = sent(admin, concern="no_shows")
    assert (appeal.concern, appeal.sessions, appeal.appealed) == ("no_shows", 0, [])
    assert missed in [each.session_id for each in appeal.candidates]
    assert "open" in problem(send(admin, concern="no_shows"), 409).detail
    other = let_down(platform, uuid_of(12))
    assert wrong_fields(decide(lea, appeal, excused(other))) == ["sessions.0.session_id"]
    after = detail(decide(lea, appeal, excused(missed)))
    assert [(each.session_id, each.remedy) for each in after.appealed] == [(missed, "excused")]
    assert after.candidates == []


def test_what_cannot_be_appealed(platform: Served, admin: httpx2.Client, missed: UUID) -> None:
    held = let_down(platform, TUTOR, "completed")
    by_student = let_down(platform, TUTOR, "no_show", initiator="student")
    of_other = let_down(platform, uuid_of(12))
    for session_id in (held, by_student, of_other, uuid4()):
        assert wrong_fields(send(admin, missed, session_id)) == ["session_ids.1"]
    assert wrong_fields(send(admin)) == ["body"]
    assert wrong_fields(send(admin, missed, concern="no_shows", session_ids=[str(missed)])) == ["body"]
    assert wrong_fields(send(admin, missed, text="x" * 1001)) == ["text"]
    assert wrong_fields(send(admin, missed, reason="because")) == ["reason"]
    problem(send(admin, missed, tutor="nobody"), 404)
    sent(admin, missed)
    assert "open" in problem(send(admin, missed), 409).detail


def test_two_at_a_time_are_one(platform: Served, admin: httpx2.Client, missed: UUID) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: send(admin, missed).status_code, range(6)))
    assert sorted(answers) == [201, *[409] * 5]


def test_two_who_decide_at_a_time(platform: Served, admin: httpx2.Client, lea: httpx2.Client, missed: UUID) -> None:
    appeal = sent(admin, missed)
    with at_browser(platform, Role.LEAD, "Lou") as lou, ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda client: decide(client, appeal, decision="declined").status_code, (lea, lou)))
    assert sorted(answers) == [200, 409]
    assert len([each for each in audited(platform, appeal) if each[1] == "appeal.decide"]) == 1


def test_a_person_decides_who_had_no_part_in_it(platform: Served, admin: httpx2.Client, missed: UUID) -> None:
    appeal = sent(admin, missed)
    assert "person decides" in problem(decide(admin, appeal, excused(missed)), 403).detail
    with at_browser(platform, Role.COACH, "Cora") as cora:
        problem(decide(cora, appeal, excused(missed)), 403)
        assert (detail(cora.get(f"{PATH}/{appeal.appeal_id}")).why_not or "").startswith("Leads and admins")
    with at_browser(platform, Role.LEAD, "Exa") as exa:
        assert detail(exa.get(f"{PATH}/{appeal.appeal_id}")).may_decide
        # Who excused it and took that back has an opinion.
        assert exa.post(f"/api/sessions/{missed}/excuse", json={"reason": "Ill"}).status_code == 201
        assert exa.delete(f"/api/sessions/{missed}/excuse").status_code == 204
        mine = detail(exa.get(f"{PATH}/{appeal.appeal_id}"))
        assert (mine.may_decide, mine.why_not) == (
            False,
            "You excused or changed one of these sessions. Somebody else decides.",
        )
        assert problem(decide(exa, appeal, excused(missed)), 403).detail == mine.why_not
        # Under another name it is the same person.
        person(platform, Role.LEAD, "Exa")
        execute(platform, "update app.people set name = 'Exana' where email = 'Exa@example.org' returning 1")
        problem(decide(exa, appeal, excused(missed)), 403)
    with at_browser(platform, Role.ADMIN, "Ada") as ada:
        assert detail(decide(ada, appeal, excused(missed))).state == "granted"


def test_who_sent_it_does_not_decide_it(platform: Served, missed: UUID) -> None:
    with at_browser(platform, Role.LEAD, "Phone") as phone:
        appeal = sent(phone, missed)
        assert problem(decide(phone, appeal, excused(missed)), 403).detail.startswith("You sent this appeal")


def test_who_looks_after_the_case_does_not_decide(platform: Served, admin: httpx2.Client) -> None:
    tutor = uuid_of(18)
    missed = let_down(platform, tutor)
    appeal = sent(admin, missed, tutor=tutor)
    with at_browser(platform, Role.LEAD, "Owen") as owen, at_browser(platform, Role.LEAD, "Tess") as tess:
        found = owen.get("/api/cases", params={"tutor_id": str(tutor)}).json()["data"]
        case = found[0] if found else owen.post("/api/cases", json={"tutor_id": str(tutor)}).json()["data"]
        body = {"version": case["version"], "channel": "call", "action": "nothing"}
        path = f"/api/cases/{case['case_id']}"
        # Who speaks with the tutor takes the case.
        contacted = owen.post(f"{path}/contacts", json=body).json()["data"]
        assert problem(decide(owen, appeal, excused(missed)), 403).detail.startswith("You look after")
        given = {"version": contacted["version"], "owner_id": person(platform, Role.LEAD, "Tess").person_id}
        assert owen.patch(path, json=given).status_code == 200
        assert problem(decide(owen, appeal, excused(missed)), 403).detail.startswith("You opened, handled")
        assert problem(decide(tess, appeal, excused(missed)), 403).detail.startswith("You look after")


def test_the_mail_can_be_read_before(platform: Served, admin: httpx2.Client, lea: httpx2.Client, missed: UUID) -> None:
    appeal = sent(admin, missed)
    queued = mails(platform, "appeal_answer")
    body = {"decision": "granted", "answer": "Yes: <b>the app</b> was down.", "sessions": [excused(missed)]}
    shown = lea.post(f"{PATH}/{appeal.appeal_id}/decision/preview", json=body)
    assert shown.status_code == 200, shown.text
    mail = shown.json()["data"]
    assert (mail["recipient"], mail["subject"]) == ("tutor6@example.org", "Your appeal was granted")
    assert "Yes: <b>the app</b> was down." in mail["text"]
    assert "missed by you (excused, no longer counts)" in mail["text"]
    assert mails(platform, "appeal_answer") == queued
    assert detail(lea.get(f"{PATH}/{appeal.appeal_id}")).state == "open"
    problem(admin.post(f"{PATH}/{appeal.appeal_id}/decision/preview", json=body), 403)


def test_without_an_address_nothing_is_mailed(platform: Served, admin: httpx2.Client, lea: httpx2.Client) -> None:
    tutor = uuid_of(13)  # of whom nothing is known but sessions
    missed = let_down(platform, tutor)
    before = len(mails(platform, "appeal_received"))
    appeal = sent(admin, missed, tutor=tutor)
    assert appeal.recipient is None
    detail(decide(lea, appeal, excused(missed)))
    assert len(mails(platform, "appeal_received")) == before
    assert not [mail for mail in mails(platform, "appeal_answer") if mail[2]["appeal"]["appeal_id"] == appeal.appeal_id]


def test_withdrawn(platform: Served, admin: httpx2.Client, lea: httpx2.Client, missed: UUID) -> None:
    appeal = sent(admin, missed)
    path = f"{PATH}/{appeal.appeal_id}/withdrawal"
    assert admin.post(path).status_code == 204
    problem(admin.post(path), 409)
    problem(admin.post(f"{PATH}/999999/withdrawal"), 404)
    assert detail(admin.get(f"{PATH}/{appeal.appeal_id}")).state == "withdrawn"
    problem(decide(lea, appeal, excused(missed)), 409)


def test_nobody_takes_back_what_somebody_else_has_sent(
    platform: Served, admin: httpx2.Client, lea: httpx2.Client, missed: UUID
) -> None:
    """Else who has to decide it, or was appealed against, could make it vanish."""
    appeal = sent(admin, missed)
    path = f"{PATH}/{appeal.appeal_id}/withdrawal"
    assert problem(lea.post(path), 403).detail.startswith("Only who sent this appeal")
    with platform.client(new_key(platform, f"back end {uuid4()}", Role.INGEST)) as program:
        problem(program.post(path), 403)
    assert detail(admin.get(f"{PATH}/{appeal.appeal_id}")).state == "open"
    with at_browser(platform, Role.LEAD, "Phil") as phil:
        by_phone = sent(phil, let_down(platform, TUTOR))
        execute(platform, "update app.people set name = 'Philippa' where email = 'Phil@example.org' returning 1")
        assert phil.post(f"{PATH}/{by_phone.appeal_id}/withdrawal").status_code == 204


def test_a_program_that_sends_appeals_reads_its_own(platform: Served, admin: httpx2.Client, missed: UUID) -> None:
    name = f"back end {uuid4()}"
    with platform.client(new_key(platform, name, Role.INGEST)) as program:
        own = sent(program, missed)
        assert detail(program.get(f"{PATH}/{own.appeal_id}")).text == "The app was down."
        other = sent(admin, let_down(platform, TUTOR))
        problem(program.get(f"{PATH}/{other.appeal_id}"), 404)
        assert program.post(f"{PATH}/{own.appeal_id}/withdrawal").status_code == 204


def test_who_made_the_link_does_not_decide_what_came_by_it(platform: Served, lea: httpx2.Client, missed: UUID) -> None:
    """They have the link, so they could have written it themselves."""
    with at_browser(platform, Role.LEAD, "Linda") as linda, platform.client(None) as page:
        assert page.post("/my/open", data={"token": token_of(new_link(linda, TUTOR))}).status_code == 303
        form = {"session": str(missed), "reason": "illness", "text": "I was ill."}
        proof = proof_in(page.get("/my/appeal", params={"session": str(missed)}).text)
        number = int(page.post("/my/appeal", data={**form, "proof": proof}).headers["location"].partition("sent=")[2])
        appeal = detail(linda.get(f"{PATH}/{number}"))
        assert (appeal.created_by, appeal.may_decide) == ("tutor", False)
        assert appeal.why_not == "It was sent by a link that you made. Somebody else decides."
        problem(decide(linda, appeal, excused(missed)), 403)
    ((details,),) = execute(
        platform, "select details from app.audit_log where action = 'appeal.open' and subject_id = %s", str(number)
    )
    assert details["link_made_by"].startswith("Linda (person ")
    assert detail(decide(lea, appeal, excused(missed))).state == "granted"


def test_the_list(platform: Served, admin: httpx2.Client, lea: httpx2.Client) -> None:
    tutor = uuid_of(24)
    appeals = [sent(admin, let_down(platform, tutor), tutor=tutor) for _ in range(3)]
    late, soon, calm = (appeal.appeal_id for appeal in appeals)
    execute(platform, "update app.appeals set due_on = current_date - 2 where appeal_id = %s returning 1", late)
    execute(platform, "update app.appeals set due_on = current_date + 2 where appeal_id = %s returning 1", soon)
    known = {"tutor_id": "T-24"}
    assert [row.appeal_id for row in listed(lea, **known).data] == [late, soon, calm]
    assert [row.appeal_id for row in listed(lea, overdue=True, **known).data] == [late]
    before = (datetime.now(UTC) + timedelta(days=7)).date()
    assert [row.appeal_id for row in listed(lea, due_before=before, **known).data] == [late, soon]
    assert [row.is_overdue for row in listed(lea, **known).data] == [True, False, False]
    for text in ("tutor 24", str(tutor)[:8]):
        assert {row.tutor.name for row in listed(lea, search=text).data} == {"Dana Tutor 24"}
    newest = listed(lea, sort_by="created_at", sort_order="desc", limit=2, **known)
    assert [row.appeal_id for row in newest.data] == [calm, soon]
    rest = lea.get(PATH, params={"sort_by": "created_at", "sort_order": "desc", **known,
                                 "cursor": newest.meta.next_cursor, "limit": 2})  # fmt: skip
    assert [row["appeal_id"] for row in rest.json()["data"]] == [late]
    detail(decide(lea, appeals[1], decision="declined"))
    assert [row.appeal_id for row in listed(lea, state=["declined"], **known).data] == [soon]
    meta = listed(lea, **known).meta
    [(waiting, overdue)] = execute(
        platform, "select count(*), count(*) filter (where due_on < current_date) from app.appeals where state = 'open'"
    )
    assert (meta.total, meta.open, meta.overdue) == (3, waiting, overdue)
    assert "appeal_id,state" in lea.get(PATH, params={"format": "csv", **known}).text


def test_readers_do_not_see_what_was_written(platform: Served, admin: httpx2.Client, missed: UUID) -> None:
    appeal = sent(admin, missed, text="My child was ill")
    with platform.client(new_key(platform, f"reader-{uuid4()}", Role.READ)) as reader:
        seen = detail(reader.get(f"{PATH}/{appeal.appeal_id}"))
        assert (seen.text, seen.answer, seen.recipient) == (None, None, None)
        assert all(row.text is None for row in listed(reader).data)
        problem(send(reader, missed), 403)
    entries = execute(platform, "select details::text from app.audit_log where action = 'appeal.open'")
    assert not [text for (text,) in entries if "child" in text]


def test_so_many_at_a_time(platform: Served, admin: httpx2.Client) -> None:
    tutor = uuid_of(30)
    for _ in range(MOST_OPEN):
        sent(admin, let_down(platform, tutor), tutor=tutor)
    assert str(MOST_OPEN) in problem(send(admin, let_down(platform, tutor), tutor=tutor), 409).detail
