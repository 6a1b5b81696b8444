"""Cases over HTTP: the work queue, what people do to a case, who may, and two who do it at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from api.cases.schemas import Case, CaseDetail, CaseEvent, CaseList, Owners
from core import people
from core.roles import Role
from tests.api.conftest import Served, served
from tests.api.matching import everyone
from tests.api.test_auth_sessions import execute, new_key, person
from tests.api.test_people import at_browser
from tests.api.test_problems import problem
from tests.conftest import PUBLISHED, Postgres

if TYPE_CHECKING:
    import httpx2

PATH = "/api/cases"


@pytest.fixture(scope="module")
def platform(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("cases")
    with served(postgres.new_database(home, PUBLISHED), home) as platform:
        yield platform


@pytest.fixture(scope="module")
def admin(platform: Served) -> Iterator[httpx2.Client]:
    with platform.client(platform.key) as client:
        yield client


@pytest.fixture(scope="module")
def lea(platform: Served) -> Iterator[httpx2.Client]:
    """A lead."""
    with at_browser(platform, Role.LEAD, "Lea") as client:
        yield client


@pytest.fixture(scope="module")
def cora(platform: Served) -> Iterator[httpx2.Client]:
    """A coach without tutors."""
    with at_browser(platform, Role.COACH, "Cora") as client:
        yield client


@pytest.fixture
def case(platform: Served, admin: httpx2.Client) -> Case:
    """A case as a concern has opened it."""
    execute(
        platform,
        """
        update app.cases set state = 'new', reason = null, owner_id = null, priority = 'normal', due_on = null,
            snoozed_until = null, contacted_at = null, suggested_at = null, reopened_at = null, closed_at = null
        where opened_by = 'tutorq' returning 1
        """,
    )
    return listed(admin)[0]


def listed(client: httpx2.Client, **filters: Any) -> list[Case]:
    response = client.get(PATH, params=filters)
    assert response.status_code == 200, response.text
    return CaseList.model_validate_json(response.content).data


def one(client: httpx2.Client, case: Case) -> CaseDetail:
    return changed(client.get(f"{PATH}/{case.case_id}"))


def changed(response: httpx2.Response) -> CaseDetail:
    assert response.status_code in (200, 201), response.text
    return CaseDetail.model_validate(response.json()["data"])


def patch(client: httpx2.Client, case: Case, **changes: Any) -> httpx2.Response:
    return client.patch(f"{PATH}/{case.case_id}", json={"version": case.version, **changes})


def events(client: httpx2.Client, case: Case) -> list[CaseEvent]:
    response = client.get(f"{PATH}/{case.case_id}/events")
    assert response.status_code == 200, response.text
    return [CaseEvent.model_validate(event) for event in response.json()["data"]]


def wrong_fields(response: httpx2.Response) -> list[str]:
    return [error.field for error in problem(response, 400).errors or []]


def number(platform: Served, role: Role, name: str) -> int:
    return person(platform, role, name).person_id


@contextmanager
def with_tutor(platform: Served, name: str, tutor_id: UUID) -> Iterator[None]:
    coach = person(platform, Role.COACH, name)
    with platform.database.connect() as connection:
        people.change_team(connection, coach, give={"": tutor_id}, take={})
    try:
        yield
    finally:
        with platform.database.connect() as connection:
            people.change_team(connection, coach, give={}, take={"": tutor_id})


def today() -> date:
    return datetime.now(UTC).date()


def test_the_queue_says_who_is_raised_for_what(admin: httpx2.Client, case: Case) -> None:
    cases = listed(admin)
    assert len(cases) > 3
    assert {each.queue for each in cases} == {"todo"}
    assert case.tutor.name
    assert case.raised
    assert {concern.concern for concern in case.raised} <= set(case.concerns)
    assert all(concern.words for concern in case.raised)
    assert len(case.weekly_let_down_rates) == 12
    assert case.may_change
    meta = admin.get(PATH, params={"limit": 1}).json()["meta"]
    assert (meta["total"], meta["limit"], meta["queues"]["todo"]) == (len(cases), 1, len(cases))


@pytest.mark.parametrize("sort_by", ["urgency", "due_on", "opened_at", "harm_sessions", "name", "changed_at"])
def test_pages_together_have_each_case_once(admin: httpx2.Client, case: Case, sort_by: str) -> None:
    for order in ("asc", "desc"):
        everything = [each.case_id for each in listed(admin, sort_by=sort_by, sort_order=order)]
        pages = [
            each.case_id
            for offset in range(0, len(everything), 2)
            for each in listed(admin, sort_by=sort_by, sort_order=order, limit=2, offset=offset)
        ]
        assert pages == everything
        assert len(set(pages)) == len(pages)


def test_the_row_of_who_got_worse_suddenly_says_so(admin: httpx2.Client, case: Case) -> None:
    cases = listed(admin)
    assert any(each.sudden_change is not None for each in cases)
    for each in cases:
        is_raised = any(known.concern == "getting_worse" for known in each.raised)
        assert each.sudden_change is not None or not is_raised
        if each.sudden_change is not None:
            assert each.sudden_change.words.startswith("suddenly worse")
            assert each.sudden_change.superseded != is_raised
        if each.harm_sessions is not None:
            assert each.planned_sessions_7d is not None
            assert each.harm_sessions <= each.planned_sessions_7d


# Status of `getting_worse`, sessions planned, harm, rate of let-downs in 30 days; the most urgent first.
URGENT = [
    ("raised", 50, 10.0, 0.25),  # 12.5 at the rate of the last 30 days
    ("ok", 60, 12.0, 0.5),
    ("ok", 30, 9.0, None),
    ("raised", 8, 3.6, 0.47),  # a small change: 3.8
]


def test_the_most_at_risk_comes_first_and_a_sudden_change_counts_by_its_size(
    postgres: Postgres, tmp_path: Path
) -> None:
    with served(postgres.new_database(tmp_path, PUBLISHED), tmp_path) as own, own.client(own.key) as client:
        tutors = [str(each.tutor.tutor_id) for each in listed(client)][::-1]
        with own.database.connect() as connection:
            for tutor_id, (status, planned, harm, rate) in zip(tutors, URGENT, strict=True):
                connection.execute(
                    "update marts.tutor_concerns set status = %s, superseded = false "
                    "where tutor_id = %s and concern = 'getting_worse'",
                    (status, tutor_id),
                )
                connection.execute(
                    "update marts.tutor_scores set attention = true, planned_sessions_7d = %s, harm_sessions = %s, "
                    "let_down_rate_30d = %s where tutor_id = %s",
                    (planned, harm, rate, tutor_id),
                )
        assert [str(each.tutor.tutor_id) for each in listed(client)] == tutors
        found = [row["tutor_id"] for row in everyone(client, "/api/tutors", sort_by="attention")]
        assert [tutor_id for tutor_id in found if tutor_id in tutors] == tutors
        others = client.get("/api/tutors", params={"attention": False, "limit": 500}).json()["data"]
        assert {row["tutor_id"] for row in others} == set(found[len(found) - len(others) :])


def test_high_priority_comes_first(admin: httpx2.Client, case: Case) -> None:
    last = listed(admin)[-1]
    changed(patch(admin, last, priority="high"))
    assert listed(admin)[0].case_id == last.case_id


def test_filters(platform: Served, admin: httpx2.Client, lea: httpx2.Client, case: Case) -> None:
    lea_id = number(platform, Role.LEAD, "Lea")
    given = changed(patch(admin, case, owner_id=lea_id))
    others = {each.case_id for each in listed(admin)} - {case.case_id}
    for filters, client in (({"owner": "me"}, lea), ({"owner": lea_id}, admin), ({"mine": True}, lea)):
        assert [each.case_id for each in listed(client, **filters)] == [case.case_id]
    assert listed(admin, owner="me") == []
    assert {each.case_id for each in listed(lea, owner="nobody")} == others
    assert [each.case_id for each in listed(lea, tutor_id=case.tutor.external_id)] == [case.case_id]
    assert [each.case_id for each in listed(lea, state="assigned")] == [case.case_id]
    assert case.case_id in {each.case_id for each in listed(lea, concern=case.raised[0].concern)}
    assert case.tutor.name
    for text in (case.tutor.name, str(case.tutor.tutor_id)[:8]):
        assert [each.case_id for each in listed(lea, search=text)] == [case.case_id]
    changed(patch(lea, given, state="dismissed", reason="data_error"))
    assert case.case_id not in {each.case_id for each in listed(lea)}
    assert [each.case_id for each in listed(lea, queue="closed")] == [case.case_id]
    problem(lea.get(PATH, params={"owner": "you"}), 400)
    problem(lea.get(PATH, params={"colour": "red"}), 400)


def test_nothing_is_sent_again_that_has_not_changed(admin: httpx2.Client, case: Case) -> None:
    for path in (PATH, f"{PATH}/{case.case_id}", f"{PATH}/{case.case_id}/events", f"{PATH}/owners"):
        tag = admin.get(path).headers["ETag"]
        assert admin.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_a_case_goes_from_hand_to_hand(platform: Served, lea: httpx2.Client, cora: httpx2.Client, case: Case) -> None:
    cora_id = number(platform, Role.COACH, "Cora")
    given = changed(patch(lea, case, owner_id=cora_id, due_on=(today() + timedelta(days=3)).isoformat()))
    assert (given.state, given.owner and given.owner.name, given.version) == ("assigned", "Cora", case.version + 1)
    event = events(lea, case)[0]
    assert (event.kind, event.actor) == ("changed", "Lea")
    assert event.details["owner"] == {"from": None, "to": "Cora"}
    # It is hers now, though the tutor is not.
    back = changed(patch(cora, given, owner_id=None))
    assert (back.state, back.owner) == ("new", None)
    assert back.due_on == given.due_on
    problem(patch(cora, back, owner_id=cora_id), 403)


def test_coaches_change_cases_of_their_own_tutors(
    platform: Served, lea: httpx2.Client, cora: httpx2.Client, case: Case
) -> None:
    cora_id = number(platform, Role.COACH, "Cora")
    lea_id = number(platform, Role.LEAD, "Lea")
    assert not one(cora, case).may_change
    problem(patch(cora, case, owner_id=cora_id), 403)
    with with_tutor(platform, "Cora", case.tutor.tutor_id):
        assert one(cora, case).may_change
        assert [each.case_id for each in listed(cora, mine=True)] == [case.case_id]
        assert "lead" in problem(patch(cora, case, owner_id=lea_id), 403).detail
        taken = changed(patch(cora, case, owner_id=cora_id))
        assert cora.post(f"{PATH}/{case.case_id}/notes", json={"text": "Called twice"}).status_code == 204
        given = changed(patch(lea, taken, owner_id=lea_id))
        assert listed(cora, mine=True) == []
        # It is still that of a tutor of hers, and no longer hers to give.
        assert given.may_change
        for owner in (None, cora_id):
            assert "lead gives" in problem(patch(cora, given, owner_id=owner), 403).detail


def test_nobody_owns_a_case_who_could_not_work_on_it(platform: Served, lea: httpx2.Client, case: Case) -> None:
    reader = number(platform, Role.READ, "Rita")
    for who in (reader, 10**9):
        assert wrong_fields(patch(lea, case, owner_id=who)) == ["owner_id"]
    owners = Owners.model_validate_json(lea.get(f"{PATH}/owners").content).data
    assert {"Lea", "Cora"} <= {owner.name for owner in owners}
    assert "Rita" not in {owner.name for owner in owners}


def test_a_contact_waits_for_its_follow_up(platform: Served, lea: httpx2.Client, case: Case) -> None:
    body = {"version": case.version, "channel": "call", "cause": "health", "action": "fewer_sessions", "text": "Ill."}
    spoken = changed(lea.post(f"{PATH}/{case.case_id}/contacts", json=body))
    assert (spoken.state, spoken.queue, spoken.due_on) == ("plan_agreed", "waiting", today() + timedelta(days=14))
    assert spoken.owner
    assert spoken.owner.name == "Lea"
    assert spoken.contacted_at
    event = events(lea, case)[0]
    assert event.kind == "contact"
    assert event.details == {
        **{key: body[key] for key in ("channel", "cause", "action", "text")},
        "follow_up_on": str(spoken.due_on),
        "owner": {"from": None, "to": "Lea"},
    }
    # Its day has come.
    execute(platform, "update app.cases set due_on = current_date where case_id = %s returning 1", case.case_id)
    assert one(lea, case).queue == "due"
    again = changed(
        lea.post(
            f"{PATH}/{case.case_id}/contacts", json={"version": spoken.version, "channel": "mail", "follow_up_on": None}
        )
    )
    # Without a day nothing would bring it back.
    assert (again.state, again.queue, again.due_on) == ("plan_agreed", "due", None)
    assert again.contacted_at == spoken.contacted_at


def contact(client: httpx2.Client, case: Case, **said: Any) -> httpx2.Response:
    return client.post(f"{PATH}/{case.case_id}/contacts", json={"version": case.version, "channel": "call", **said})


def withdraw(client: httpx2.Client, case: Case, event: CaseEvent) -> httpx2.Response:
    path = f"{PATH}/{case.case_id}/contacts/{event.event_id}/withdrawal"
    return client.post(path, json={"version": case.version, "text": "That was another tutor."})


def days_to_contact(platform: Served, case: Case) -> Any:
    ((days, contacts),) = execute(
        platform, "select days_to_contact, contacts from marts.cases where case_id = %s", case.case_id
    )
    return days, contacts


@pytest.fixture
def fresh(platform: Served, lea: httpx2.Client) -> Iterator[Case]:
    """A case opened by hand four days ago, of which nobody has spoken."""
    ((tutor_id,),) = execute(
        platform, "select tutor_id from marts.tutor_scores where not attention order by tutor_id desc limit 1"
    )
    opened = changed(lea.post(PATH, json={"tutor_id": str(tutor_id)}))
    execute(
        platform,
        "update app.cases set opened_at = date_trunc('day', now()) - interval '4 days' where case_id = %s returning 1",
        opened.case_id,
    )
    yield opened
    changed(patch(lea, one(lea, opened), state="dismissed", reason="data_error"))


def test_a_contact_is_of_its_day(platform: Served, lea: httpx2.Client, fresh: Case) -> None:
    day = today() - timedelta(days=2)
    for wrong in (today() + timedelta(days=1), today() - timedelta(days=400)):
        assert wrong_fields(contact(lea, fresh, happened_on=wrong.isoformat())) == ["happened_on"]
    spoken = changed(contact(lea, fresh, happened_on=day.isoformat()))
    noon = datetime.combine(day, time(12), UTC)
    assert spoken.contacted_at == noon
    event = events(lea, fresh)[0]
    assert (event.happened_on, event.corrects, event.corrected_by) == (day, None, None)
    assert days_to_contact(platform, fresh) == (2.5, 1)
    # A later one changes nothing of the first, an earlier one does.
    assert changed(contact(lea, spoken)).contacted_at == noon
    before = (today() - timedelta(days=6)).isoformat()
    earlier = changed(contact(lea, one(lea, fresh), happened_on=before))
    assert earlier.contacted_at
    assert earlier.contacted_at < noon
    assert days_to_contact(platform, fresh) == (0, 3)


def test_the_latest_contact_settles_a_case(platform: Served, lea: httpx2.Client, fresh: Case) -> None:
    """That nothing is raised any more is a question of today, whoever has spoken with the tutor before."""
    later = (today() + timedelta(days=9)).isoformat()
    ago = (today() - timedelta(days=3)).isoformat()
    spoken = changed(contact(lea, fresh, happened_on=ago, follow_up_on=later))
    suggested = "update app.cases set suggested_at = now() - interval '1 day' where case_id = %s returning 1"
    execute(platform, suggested, fresh.case_id)
    assert one(lea, fresh).queue == "due"
    again = changed(contact(lea, spoken, follow_up_on=later))
    assert (again.queue, again.contacted_at) == ("waiting", spoken.contacted_at)
    newest = events(lea, fresh)[0]
    assert withdraw(lea, again, newest).status_code in (200, 201)
    execute(platform, f"update app.cases set due_on = '{later}' where case_id = %s returning 1", fresh.case_id)
    assert one(lea, fresh).queue == "due"


def test_a_contact_is_corrected_by_another(platform: Served, lea: httpx2.Client, fresh: Case) -> None:
    spoken = changed(contact(lea, fresh, action="pause", text="Ill."))
    wrong = events(lea, fresh)[0]
    day = today() - timedelta(days=3)
    right = changed(
        contact(lea, spoken, corrects=wrong.event_id, happened_on=day.isoformat(), action="nothing", text="Well again.")
    )
    # The follow-up stays, which nobody has spoken of; the plan does not.
    assert (right.state, right.due_on, right.contacted_at) == (
        "contacted",
        spoken.due_on,
        datetime.combine(day, time(12), UTC),
    )
    newest, corrected = events(lea, fresh)[:2]
    assert (newest.corrects, corrected.event_id, corrected.corrected_by) == (
        wrong.event_id,
        wrong.event_id,
        newest.event_id,
    )
    assert corrected.details["text"] == "Ill."
    assert days_to_contact(platform, fresh) == (1.5, 1)
    # Whoever corrects the same one again has not seen it; what corrects can be corrected.
    problem(contact(lea, right, corrects=wrong.event_id), 409)
    problem(contact(lea, right, corrects=10**9), 404)
    again = changed(contact(lea, right, corrects=newest.event_id, action="training", follow_up_on=None))
    assert (again.state, again.due_on, again.contacted_at) == ("plan_agreed", None, right.contacted_at)
    assert days_to_contact(platform, fresh) == (1.5, 1)


def test_a_contact_that_never_was_is_withdrawn(platform: Served, lea: httpx2.Client, fresh: Case) -> None:
    spoken = changed(contact(lea, fresh, action="pause"))
    (wrong, *_) = events(lea, fresh)
    back = changed(withdraw(lea, spoken, wrong))
    assert (back.state, back.queue, back.contacted_at, back.due_on) == ("assigned", "todo", None, None)
    newest = events(lea, fresh)[0]
    assert (newest.kind, newest.corrects, newest.details) == (
        "withdrawn",
        wrong.event_id,
        {"text": "That was another tutor."},
    )
    assert days_to_contact(platform, fresh) == (None, 0)
    problem(withdraw(lea, back, wrong), 409)
    problem(withdraw(lea, back, newest), 404)
    problem(withdraw(lea, spoken, wrong), 409)
    # Of two, the other one remains.
    first, second = (today() - timedelta(days=ago) for ago in (2, 1))
    spoken = changed(contact(lea, back, happened_on=first.isoformat(), action="pause"))
    wrong = events(lea, fresh)[0]
    spoken = changed(contact(lea, spoken, happened_on=second.isoformat()))
    remaining = changed(withdraw(lea, spoken, wrong))
    assert (remaining.state, remaining.contacted_at) == ("contacted", datetime.combine(second, time(12), UTC))
    # The mart, which computes it from the events, agrees.
    first_contact = "select first_contact_at from marts.cases where case_id = %s"
    assert execute(platform, first_contact, fresh.case_id) == [(remaining.contacted_at,)]


def test_owners_have_their_load_and_tutors_their_coaches(platform: Served, lea: httpx2.Client, case: Case) -> None:
    lea_id, cora_id = number(platform, Role.LEAD, "Lea"), number(platform, Role.COACH, "Cora")

    def load() -> dict[str, int]:
        owners = Owners.model_validate_json(lea.get(f"{PATH}/owners").content).data
        return {owner.name: owner.open_cases for owner in owners}

    before = load()
    given = changed(patch(lea, case, owner_id=lea_id))
    assert load() == before | {"Lea": before["Lea"] + 1}
    assert given.coaches == []
    with with_tutor(platform, "Cora", case.tutor.tutor_id):
        assert [coach.person_id for coach in one(lea, case).coaches] == [cora_id]
    changed(patch(lea, one(lea, case), state="dismissed", reason="data_error"))
    assert load() == before


def test_who_closes_what_nobody_looks_after_has_looked_after_it(lea: httpx2.Client, case: Case) -> None:
    assert case.owner is None
    closed = changed(patch(lea, case, state="dismissed", reason="data_error"))
    assert closed.owner
    assert (closed.owner.name, closed.closed_by) == ("Lea", "Lea")
    assert changed(patch(lea, closed, state="new")).closed_by is None


def test_a_snoozed_case_waits(lea: httpx2.Client, case: Case) -> None:
    until = (today() + timedelta(days=2)).isoformat()
    snoozed = changed(patch(lea, case, snoozed_until=until))
    assert snoozed.queue == "waiting"
    assert changed(patch(lea, snoozed, snoozed_until=None)).queue == "todo"
    yesterday = (today() - timedelta(days=2)).isoformat()
    for name in ("snoozed_until", "due_on"):
        assert problem(patch(lea, snoozed, **{name: yesterday}), 409)
        assert wrong_fields(patch(lea, one(lea, case), **{name: yesterday})) == [name]


def test_closing_and_reopening(lea: httpx2.Client, case: Case) -> None:
    for reason in (None, "excused"):
        assert wrong_fields(patch(lea, case, state="resolved", reason=reason)) == ["reason"]
    problem(patch(lea, case, reason="excused"), 400)
    problem(patch(lea, case, text="Why not"), 400)
    closed = changed(patch(lea, case, state="resolved", reason="improved", text="No let-down since."))
    assert (closed.queue, closed.reason) == ("closed", "improved")
    assert closed.closed_at
    event = events(lea, case)[0]
    assert (event.kind, event.details) == (
        "closed",
        {"state": "resolved", "reason": "improved", "text": "No let-down since."},
    )
    assert "reopen" in problem(patch(lea, closed, priority="low"), 409).detail
    contact = {"version": closed.version, "channel": "call"}
    problem(lea.post(f"{PATH}/{case.case_id}/contacts", json=contact), 409)
    reopened = changed(patch(lea, closed, state="new"))
    assert (reopened.state, reopened.queue, reopened.reason, reopened.closed_at) == ("assigned", "todo", None, None)
    assert reopened.owner == closed.owner
    assert events(lea, case)[0].kind == "reopened"


def test_a_case_opened_by_hand(platform: Served, admin: httpx2.Client, lea: httpx2.Client, cora: httpx2.Client) -> None:
    ((tutor_id,),) = execute(
        platform, "select tutor_id from marts.tutor_scores where not attention order by tutor_id limit 1"
    )
    body = {"tutor_id": str(tutor_id), "text": "A parent called."}
    problem(cora.post(PATH, json=body), 403)
    response = lea.post(PATH, json=body)
    assert response.status_code == 201
    opened = changed(response)
    assert (opened.raised, opened.snapshot, opened.state) == ([], [], "new")
    assert opened.opened_by.startswith("Lea")
    assert [(event.kind, event.details.get("text")) for event in events(admin, opened)] == [
        ("note", "A parent called."),
        ("opened", None),
    ]
    problem(lea.post(PATH, json=body), 409)
    problem(lea.post(PATH, json={"tutor_id": str(uuid4())}), 404)
    closed = changed(patch(lea, opened, state="dismissed", reason="data_error"))
    assert lea.post(PATH, json=body).status_code == 201
    assert "open case already" in problem(patch(lea, closed, state="new"), 409).detail


def test_private_notes_are_seen_by_their_author(
    platform: Served, admin: httpx2.Client, lea: httpx2.Client, cora: httpx2.Client, case: Case
) -> None:
    path = f"{PATH}/{case.case_id}/notes"
    assert lea.post(path, json={"text": "Between us", "is_private": True}).status_code == 204
    assert events(lea, case)[0].details == {"text": "Between us"}
    for other in (admin, cora):
        assert "Between us" not in other.get(f"{PATH}/{case.case_id}/events").text
    assert wrong_fields(admin.post(path, json={"text": "Whose?", "is_private": True})) == ["is_private"]
    assert execute(platform, "select count(*) from app.audit_log where details::text like '%%Between us%%'") == [(0,)]


def test_the_end_of_a_concern_names_the_excuses_before_it(platform: Served, admin: httpx2.Client, case: Case) -> None:
    ((excused,), (long_before,)) = execute(
        platform,
        "select session_id from marts.fct_sessions where tutor_id = %s order by session_id limit 2",
        case.tutor.tutor_id,
    )
    execute(
        platform,
        """
        insert into app.excuses (session_id, reason, created_by, created_at)
        values (%s, 'flu', 'Ann Lee', now()), (%s, 'old', 'Ann Lee', now() - interval '2 days') returning 1
        """,
        excused,
        long_before,
    )
    execute(
        platform,
        "insert into app.case_events (case_id, kind, actor, version, details) "
        "values (%s, 'eased', 'tutorq', %s, '{\"concerns\": [\"unreliable\"]}') returning 1",
        case.case_id,
        case.version,
    )
    told = next(event for event in events(admin, case) if event.kind == "eased")
    given = [{"reason": "flu", "created_by": "Ann Lee", "sessions": 1}]
    assert told.details == {"concerns": ["unreliable"], "excuses": given}
    with platform.client(new_key(platform, f"screen {uuid4()}", Role.READ)) as screen:
        assert "flu" not in screen.get(f"{PATH}/{case.case_id}/events").text
    execute(platform, "delete from app.excuses where session_id in (%s, %s) returning 1", excused, long_before)


def test_who_may_only_read_learns_nothing_of_what_a_tutor_has_said(
    platform: Served, lea: httpx2.Client, case: Case
) -> None:
    body = {"version": case.version, "channel": "call", "cause": "health", "text": "She is ill."}
    changed(lea.post(f"{PATH}/{case.case_id}/contacts", json=body))
    with platform.client(new_key(platform, f"screen {uuid4()}", Role.READ)) as screen:
        told = screen.get(f"{PATH}/{case.case_id}/events").text
    assert '"channel":"call"' in told
    assert "health" not in told
    assert "ill" not in told


def test_who_comes_second_is_told_what_has_changed(
    platform: Served, lea: httpx2.Client, admin: httpx2.Client, case: Case
) -> None:
    lea.post(f"{PATH}/{case.case_id}/notes", json={"text": "A note is no change."})
    changed(patch(lea, case, priority="high"))
    changed(lea.post(f"{PATH}/{case.case_id}/contacts", json={"version": case.version + 1, "channel": "call"}))
    for refused in (
        patch(admin, case, priority="low"),
        admin.post(f"{PATH}/{case.case_id}/contacts", json={"version": case.version, "channel": "chat"}),
    ):
        told = problem(refused, 409)
        assert told.type == "urn:tutorq:problem:stale-version"
        body = refused.json()
        assert CaseDetail.model_validate(body["case"]).version == case.version + 2
        kinds = [(event["kind"], event["actor"]) for event in body["changes"]]
        assert kinds == [("contact", "Lea"), ("changed", "Lea")]
    assert one(admin, case).priority == "high"


def test_of_two_at_once_one_wins(platform: Served, case: Case) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(platform.client(platform.key)) for _ in range(6)]
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda client: patch(client, case, priority="low").status_code, clients))
    assert sorted(answers) == [200] + 5 * [409]


def test_many_cases_are_given_at_once(platform: Served, lea: httpx2.Client, cora: httpx2.Client, case: Case) -> None:
    first, second, third, fourth = listed(lea)[:4]
    cora_id = number(platform, Role.COACH, "Cora")
    changed(patch(lea, second, priority="low"))
    changed(patch(lea, third, owner_id=cora_id))
    changed(patch(lea, fourth, state="dismissed", reason="left"))
    body = {
        "owner_id": cora_id,
        "cases": [
            *({"case_id": each.case_id, "version": each.version} for each in (first, second, third, fourth, first)),
            {"case_id": 10**9, "version": 1},
        ],
    }
    response = lea.post(f"{PATH}/assign", json=body)
    assert response.status_code == 200, response.text
    outcomes = [each["outcome"] for each in response.json()["data"]]
    assert outcomes == ["assigned", "stale", "unchanged", "closed", "unchanged", "unknown"]
    assert {each.case_id for each in listed(cora, owner="me")} == {first.case_id, third.case_id}
    problem(cora.post(f"{PATH}/assign", json={**body, "owner_id": number(platform, Role.LEAD, "Lea")}), 403)
    given = {"owner_id": cora_id, "cases": [{"case_id": second.case_id, "version": second.version + 1}]}
    assert cora.post(f"{PATH}/assign", json=given).json()["data"][0]["outcome"] == "not_yours"
    assert case.case_id == first.case_id


def test_every_change_is_audited(platform: Served, lea: httpx2.Client, case: Case) -> None:
    lea.post(f"{PATH}/{case.case_id}/notes", json={"text": "Secret of the tutor"})
    spoken = changed(
        lea.post(
            f"{PATH}/{case.case_id}/contacts",
            json={"version": case.version, "channel": "call", "text": "Secret of the tutor"},
        )
    )
    changed(patch(lea, spoken, state="resolved", reason="improved", text="Secret of the tutor"))
    trail = execute(
        platform,
        "select action, actor, details from app.audit_log where subject_kind = 'case' and subject_id = %s "
        "order by entry_id desc limit 3",
        str(case.case_id),
    )
    assert [action for action, _, _ in trail] == ["case.change", "case.contact", "case.note"]
    assert {actor for _, actor, _ in trail} == {f"Lea (person {number(platform, Role.LEAD, 'Lea')})"}
    assert trail[0][2]["state"] == {"from": "contacted", "to": "resolved"}
    assert "Secret" not in str(trail)


def test_a_person_who_leaves_gives_their_cases_back(platform: Served, lea: httpx2.Client, case: Case) -> None:
    first, second = listed(lea)[:2]
    gone = person(platform, Role.COACH, "Gone")
    taken = changed(patch(lea, first, owner_id=gone.person_id))
    spoken = changed(lea.post(f"{PATH}/{second.case_id}/contacts", json={"version": second.version, "channel": "call"}))
    changed(patch(lea, spoken, owner_id=gone.person_id))
    with platform.database.connect() as connection:
        people.remove(connection, gone.email)
    back = one(lea, taken)
    assert (back.state, back.owner, back.version) == ("new", None, taken.version + 1)
    assert one(lea, spoken).state == "contacted"
    assert (events(lea, back)[0].kind, events(lea, back)[0].details["owner"]) == (
        "changed",
        {"from": "Gone", "to": None},
    )
    assert case.case_id == first.case_id


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": Role.READ}])
def test_who_cannot_work_on_cases_any_more_gives_them_back(
    platform: Served, lea: httpx2.Client, case: Case, change: dict[str, Any]
) -> None:
    left = person(platform, Role.COACH, f"Left {uuid4()}")
    open_one, closed = listed(lea)[:2]
    changed(patch(lea, open_one, owner_id=left.person_id))
    taken = changed(patch(lea, closed, owner_id=left.person_id))
    closed = changed(patch(lea, taken, state="resolved", reason="improved"))
    with platform.database.connect() as connection:
        people.change(connection, left.email, **change)
    assert one(lea, open_one).owner is None
    ((details,),) = execute(
        platform,
        "select details from app.audit_log where subject_kind = 'person' and subject_id = %s "
        "order by entry_id desc limit 1",
        str(left.person_id),
    )
    assert details["cases_given_back"] == [open_one.case_id]
    reopened = changed(patch(lea, closed, state="new"))
    assert (reopened.state, reopened.owner) == ("new", None)
    assert case.case_id == open_one.case_id


@pytest.mark.parametrize(
    ("role", "reads", "writes"), [(None, 401, 401), (Role.READ, 200, 403), (Role.INGEST, 403, 403)]
)
def test_who_may_not(platform: Served, case: Case, role: Role | None, reads: int, writes: int) -> None:
    key = None if role is None else new_key(platform, f"{role} {uuid4()}", role)
    with platform.client(key) as client:
        for path in (PATH, f"{PATH}/{case.case_id}", f"{PATH}/{case.case_id}/events", f"{PATH}/owners"):
            assert client.get(path).status_code == reads
        assert patch(client, case, priority="low").status_code == writes
        assert client.post(PATH, json={"tutor_id": "x"}).status_code == writes
        for path in ("notes", "contacts"):
            assert client.post(f"{PATH}/{case.case_id}/{path}", json={}).status_code == writes
        assert client.post(f"{PATH}/assign", json={}).status_code == writes


def test_there_is_no_such_case(admin: httpx2.Client) -> None:
    nowhere = f"{PATH}/{10**9}"
    for response in (
        admin.get(nowhere),
        admin.get(f"{nowhere}/events"),
        admin.patch(nowhere, json={"version": 1, "priority": "low"}),
        admin.post(f"{nowhere}/notes", json={"text": "x"}),
        admin.post(f"{nowhere}/contacts", json={"version": 1, "channel": "call"}),
    ):
        problem(response, 404)
    # No number, no case: it is another address.
    problem(admin.get(f"{PATH}/none"), 404)


def test_before_the_first_publication(unpublished: Served) -> None:
    with unpublished.client(unpublished.key) as client:
        assert problem(client.get(PATH), 503).type == "urn:tutorq:problem:not-published"
