"""What to know before a conversation: the words, and the facts of a published marketplace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from api.cases.preparation import PreparationFacts, concessions, facts_of, mail, prepare, questions
from api.cases.schemas import Case, CaseList
from api.cases.talk_schemas import PreparationResponse
from core.concerns import Concern, ConcernName, ConcernStatus
from core.roles import Role
from tests.api.conftest import Served, served
from tests.api.test_auth_sessions import execute, new_key
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem
from tests.api.test_sessions import session
from tests.conftest import PUBLISHED, Postgres
from tests.core.test_concerns import RULES, concern

if TYPE_CHECKING:
    import httpx2

PLATFORM = {
    "let_down_rate_90d": 0.08,
    "tutor_no_show_rate_90d": 0.011,
    "first_session_rate": 0.75,
    "rating_mean_90d": 4.27,
}


def known(*concerns: Concern, **changes: Any) -> PreparationFacts:
    counted = {
        "let_downs_90d": 16,
        "short_notice_90d": 0,
        "technical_issues_90d": 0,
        "student_reschedules_90d": 0,
        "student_cancellations_90d": 0,
        "student_no_shows_90d": 0,
        "case_mix_expected": None,
    }
    values: dict[str, Any] = {
        "case_id": 17,
        "tutor": {
            "tutor_id": str(uuid4()),
            "external_id": "T-7",
            "name": "Ada Novak",
            "is_active": True,
            "email": "ada@example.org",
        },
        "opened_on": "2026-01-10",
        "snapshot": [],
        "concerns": [each.model_dump(mode="json") for each in concerns],
        "rules": RULES.model_dump(),
        "platform": PLATFORM,
        "counted": counted | changes.pop("counted", {}),
        "recently": {"let_down_rate_30d": 0.3, "trend_30d": 0.23},
        "sender": None,
        "excused_90d": 0,
        "reason_days": [],
        "patterns": [],
        "students": [],
        "meta": {
            "as_of": "2026-01-31",
            "generation": 1,
            "published_at": "2026-01-31T12:00:00Z",
            "refreshed_at": "2026-01-31T12:00:00Z",
        },
    }
    return PreparationFacts.model_validate(values | changes)


def conceded(*concerns: Concern, **changes: Any) -> list[str]:
    return concessions(known(*concerns, **changes), [each.concern for each in concerns])


UNRELIABLE = concern(ConcernName.UNRELIABLE)
ELSEWHERE = "Across all tutors, 8.0% of sessions are moved, cancelled or missed by the tutor."


@pytest.mark.parametrize(
    ("reason", "days", "let_downs", "words"),
    [
        ("illness", 1, 5, "1 sick day explains 5 of 16 let-downs in 90 days."),
        ("illness", 2, 9, "2 sick days explain 9 of 16 let-downs in 90 days."),
        ("school_trip", 1, 4, "1 day (school trip) explains 4 of 16 let-downs in 90 days."),
        (None, 3, 12, "3 days without a known reason explain 12 of 16 let-downs in 90 days."),
    ],
)
def test_days_with_several_let_downs_for_one_reason(reason: str | None, days: int, let_downs: int, words: str) -> None:
    explained = [{"reason_code": reason, "days": days, "let_downs": let_downs}]
    assert conceded(UNRELIABLE, reason_days=explained) == [words, ELSEWHERE]
    # They say nothing about ratings.
    assert words not in conceded(
        concern(ConcernName.LOW_RATINGS, events=None, threshold=4, high=3.8), reason_days=explained
    )


def test_days_are_named_if_they_are_few() -> None:
    one = {"reason_code": "emergency", "days": 1, "let_downs": 5, "dates": ["2026-01-12"]}
    two = {"reason_code": "illness", "days": 2, "let_downs": 9, "dates": ["2026-01-12", "2026-01-14"]}
    many = {"reason_code": "illness", "days": 4, "let_downs": 9, "dates": [f"2026-01-{day}" for day in range(12, 16)]}
    assert conceded(UNRELIABLE, reason_days=[one, two, many])[:3] == [
        "1 day (emergency, 12 January 2026) explains 5 of 16 let-downs in 90 days.",
        "2 sick days (12 January 2026, 14 January 2026) explain 9 of 16 let-downs in 90 days.",
        "4 sick days explain 9 of 16 let-downs in 90 days.",
    ]


def test_what_does_not_count_is_conceded() -> None:
    counted = {"student_reschedules_90d": 2, "student_no_shows_90d": 1, "technical_issues_90d": 1}
    assert conceded(UNRELIABLE, counted=counted, excused_90d=1) == [
        "Students moved, cancelled or missed 3 sessions themselves; those do not count.",
        "1 session is excused and counts as a session, not as a let-down.",
        "1 session had technical trouble.",
        ELSEWHERE,
    ]


def test_how_uncertain_it_is_is_conceded() -> None:
    shaky = concern(ConcernName.NO_SHOWS, low=0.02, threshold=0.03, trials=9, events=2)
    assert conceded(shaky) == [
        "No-shows: the true rate may be as low as 2.0%, below the limit of 3.0%.",
        "No-shows: only 9 sessions so far; chance plays a part.",
        "Across all tutors, 1.1% of sessions are missed by the tutor.",
    ]
    ratings = concern(ConcernName.LOW_RATINGS, events=None, low=3.4, high=4.02, threshold=4.0, trials=19)
    assert conceded(ratings) == [
        "Low ratings: the true mean may be as high as 4.02, above the limit of 4.00.",
        "Low ratings: only 19 ratings so far; chance plays a part.",
        "Across all tutors, the mean rating is 4.27.",
    ]
    # Two equal figures would puzzle.
    near = concern(ConcernName.UNRELIABLE, low=0.1499, threshold=0.15)
    assert conceded(near)[0] == "Unreliable: the true rate may be at the limit of 15%."
    lost = concern(ConcernName.LOSES_NEW_STUDENTS, trials=20)
    assert conceded(lost) == ["Across all tutors, 25% of new students do not come back after their first session."]
    # Of what is superseded, nothing needs to be conceded twice.
    superseded = concern(ConcernName.GETTING_WORSE, superseded=True, low=0.1)
    assert conceded(superseded) == [ELSEWHERE]


def test_questions_fit_what_is_raised() -> None:
    both = known(UNRELIABLE, counted={"short_notice_90d": 4, "technical_issues_90d": 2})
    asked = questions(both, [ConcernName.UNRELIABLE])
    assert asked == [
        "What makes it hard to keep sessions as planned?",
        "Which days or times no longer suit you?",
        "What would help you to tell students earlier?",
        "What trouble do you have with equipment or the connection?",
        "What could we do to make it easier?",
    ]
    of_ratings = questions(both, [ConcernName.LOW_RATINGS])
    assert of_ratings[-1] == asked[-1]
    assert not set(of_ratings[:-1]) & set(asked)
    for name in ConcernName:
        assert len(questions(known(), [name])) > 1


def test_facts_are_what_is_raised_and_what_was() -> None:
    then = concern(ConcernName.NO_SHOWS).model_dump(mode="json")
    gone = concern(ConcernName.NO_SHOWS, status=ConcernStatus.OK, raised_on=None)
    worse = concern(ConcernName.GETTING_WORSE, superseded=True)
    facts = facts_of(known(UNRELIABLE, worse, gone, snapshot=[then]))
    assert [(fact.concern, fact.is_raised, fact.superseded) for fact in facts] == [
        ("unreliable", True, False),
        ("getting_worse", False, True),
        ("no_shows", False, False),
    ]
    raised, sudden, ended = facts
    assert (raised.change, sudden.change, ended.change) == (None, "7.0% → 30% in the last 30 days", None)
    assert raised.opening is None
    assert raised.sentence is not None
    assert raised.sentence.startswith("The tutor moved, cancelled or missed 12 of 45 sessions in 90 days, 27%.")
    assert raised.ending is not None
    assert ended.opening is not None
    assert ended.opening.trials == 45
    assert ended.now is not None
    assert ended.ending is None
    # The tutor is not published any more.
    (only,) = facts_of(known(snapshot=[then]))
    assert (only.sentence, only.now, only.is_raised) == (None, None, False)


def test_the_text_has_all_of_it() -> None:
    student = {
        "student_id": str(uuid4()),
        "external_id": "S-1",
        "name": "Max Lang",
        "sessions": 2,
        "next_at": "2026-02-01T15:00:00Z",
        "next_session_id": str(uuid4()),
        "is_first_meeting": True,
    }
    facts = known(
        concern(ConcernName.UNRELIABLE, clears_on=date(2026, 3, 1)),
        snapshot=[concern(ConcernName.UNRELIABLE, expected=0.31).model_dump(mode="json")],
        students=[student],
    )
    text = PreparationResponse.model_validate_json(prepare(facts.model_dump_json().encode())).data.text
    assert text == (
        "Ada Novak, case 17, as of 31 January 2026\n"
        "\n"
        "Facts\n"
        "- The tutor moved, cancelled or missed 12 of 45 sessions in 90 days, 27%. From now on, 18% to 31% is "
        "likely, because the last weeks weigh more; the chance that it is above the limit of 15% is 93%. At the "
        "opening on 10 January 2026 it was 12 of 45, 27%.\n"
        "\n"
        "Fair to concede\n"
        f"- {ELSEWHERE}\n"
        "\n"
        "Questions\n"
        "- What makes it hard to keep sessions as planned?\n"
        "- Which days or times no longer suit you?\n"
        "- What could we do to make it easier?\n"
        "\n"
        "Students affected in the next 7 days\n"
        "- Max Lang: 2 sessions, first session with the tutor\n"
        "\n"
        "What clears it\n"
        "- Unreliable: Ends on 1 March 2026 if every session is held until then.\n"
    )


def test_a_sudden_change_is_told_in_figures_also_if_it_is_superseded() -> None:
    def text_of(*concerns: Concern, **changes: Any) -> str:
        facts = known(*concerns, **changes)
        return PreparationResponse.model_validate_json(prepare(facts.model_dump_json().encode())).data.text

    told = "- Suddenly worse: 7.0% → 30% in the last 30 days."
    superseded = text_of(UNRELIABLE, concern(ConcernName.GETTING_WORSE, superseded=True))
    assert f"{told}\n" in superseded
    assert "What has changed in the last weeks?" in superseded
    assert f"{told} The tutor moved" in text_of(concern(ConcernName.GETTING_WORSE))
    # Opened on 10 January: what was superseded then may count by itself by now.
    before = text_of(concern(ConcernName.GETTING_WORSE, raised_on="2026-01-10"))
    assert "Counted under Unreliable then." in before
    assert "Raised after the opening." in text_of(concern(ConcernName.GETTING_WORSE, raised_on="2026-01-11"))
    assert "Suddenly worse" not in text_of(UNRELIABLE)
    # Nothing is made up where the last 30 days were no worse.
    level = {"let_down_rate_30d": 0.3, "trend_30d": -0.01}
    assert "→" not in text_of(UNRELIABLE, concern(ConcernName.GETTING_WORSE), recently=level)


def test_the_mail_speaks_to_the_tutor_and_names_nobody_else() -> None:
    facts = known(UNRELIABLE)
    written = mail(facts, facts_of(facts))
    assert written is not None
    assert written.to == "ada@example.org"
    seen = (
        "- You moved, cancelled or missed 12 of 45 sessions in 90 days, 27%. From now on, 18% to 31% is likely, "
        "because the last weeks weigh more. The limit is 15%."
    )
    assert seen in written.body
    assert "your own page" in written.body
    assert "speaks for you" not in written.body
    assert "The tutor" not in written.body
    assert "chance" not in written.body
    assert written.body.startswith("Hello Ada,\n")
    assert written.body.endswith("how you see it.")
    sent = known(UNRELIABLE, concern(ConcernName.GETTING_WORSE, superseded=True), sender="Ann Lee")
    by_somebody = mail(sent, facts_of(sent))
    assert by_somebody is not None
    assert by_somebody.body.endswith("\n\nAnn Lee")
    assert "- Let-downs suddenly rose: 7.0% → 30% in the last 30 days." in by_somebody.body
    allowed = known(UNRELIABLE, reason_days=[{"reason_code": "illness", "days": 1, "let_downs": 5}], excused_90d=1)
    with_allowances = mail(allowed, facts_of(allowed))
    assert with_allowances is not None
    assert (
        "This speaks for you:\n- 1 sick day explains 5 of 16 let-downs in 90 days.\n"
        "- 1 session is excused and counts as a session, not as a let-down.\n" in with_allowances.body
    )
    assert "Across all tutors" not in with_allowances.body
    # No name of a person is cut.
    for name, greeted in (("Dr. Ada Novak", "Dr. Ada Novak"), ("A Novak", "A Novak"), ("Ada", "Ada")):
        titled = known(tutor={**facts.tutor.model_dump(mode="json"), "name": name})
        to_them = mail(titled, [])
        assert to_them is not None
        assert to_them.body.startswith(f"Hello {greeted},")
    unknown = known(UNRELIABLE, tutor={**facts.tutor.model_dump(mode="json"), "email": None})
    assert mail(unknown, facts_of(unknown)) is None


@pytest.fixture(scope="module")
def platform(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("preparation")
    with served(postgres.new_database(home, PUBLISHED), home) as platform:
        yield platform


@pytest.fixture(scope="module")
def reader(platform: Served) -> Iterator[httpx2.Client]:
    """With the least role that reads."""
    with platform.client(new_key(platform, "reader", Role.READ)) as client:
        yield client


@pytest.fixture(scope="module")
def case(reader: httpx2.Client) -> Case:
    """Of a tutor whose name is known."""
    cases = CaseList.model_validate_json(reader.get("/api/cases").content).data
    return next(each for each in cases if each.raised and each.tutor.name)


def prepared(reader: httpx2.Client, case: Case) -> PreparationResponse:
    response = reader.get(f"/api/cases/{case.case_id}/preparation")
    assert response.status_code == 200, response.text
    return PreparationResponse.model_validate_json(response.content)


def test_a_preparation_is_that_of_the_case(reader: httpx2.Client, case: Case) -> None:
    response = reader.get(f"/api/cases/{case.case_id}/preparation")
    assert_is(PreparationResponse, response.content)
    found = prepared(reader, case).data
    assert [fact.concern for fact in found.facts if fact.is_raised] == [each.concern for each in case.raised]
    assert found.tutor.tutor_id == case.tutor.tutor_id
    assert found.tutor.email is not None
    assert found.mail is not None
    explained = reader.get(f"/api/tutors/{case.tutor.tutor_id}/explanation").json()["data"]["concerns"]
    sentences = {each["concern"]: each["sentence"] for each in explained}
    assert all(fact.sentence == sentences[fact.concern] for fact in found.facts)
    tag = response.headers["etag"]
    assert reader.get(response.url, headers={"If-None-Match": tag}).status_code == 304


def test_students_with_sessions_in_the_seven_days_after_the_scores(
    platform: Served, reader: httpx2.Client, case: Case
) -> None:
    tutor = str(case.tutor.tutor_id)
    planned = {
        "Zoe": ["2026-02-01T15:00:00Z", "2026-02-07T23:30:00Z"],
        "Yan": ["2026-02-01T09:00:00Z"],
        "Xia": ["2026-01-31T22:00:00Z", "2026-02-08T00:30:00Z"],
    }
    with platform.client(platform.key) as client:
        for name, times in planned.items():
            for time in times:
                body = session(
                    f"{name} {time}", tutor_id=tutor, student_id=name, status="scheduled", scheduled_time=time
                )
                assert client.post("/api/sessions", json=body).status_code == 202
    students = prepared(reader, case).data.students
    assert [(each.external_id, each.sessions) for each in students if each.external_id in planned] == [
        ("Yan", 1),
        ("Zoe", 2),
    ]
    assert students == sorted(students, key=lambda each: each.next_at)


def test_students_with_sessions_still_to_come_today(platform: Served, reader: httpx2.Client, case: Case) -> None:
    now = datetime.now(UTC)
    soon = now + timedelta(hours=2)
    planned = {"Past": now - timedelta(hours=2), "Soon": soon, "Late": soon + timedelta(days=9)}
    with platform.client(platform.key) as client:
        for name, at in planned.items():
            body = session(
                f"{name} of today",
                tutor_id=str(case.tutor.tutor_id),
                student_id=name,
                status="scheduled",
                scheduled_time=at.isoformat(),
            )
            assert client.post("/api/sessions", json=body).status_code == 202
    [(as_of,)] = execute(platform, "select as_of from marts.publication")
    change = "update marts.publication set as_of = %s returning 1"
    execute(platform, change, soon.date())
    try:
        students = prepared(reader, case).data.students
    finally:
        execute(platform, change, as_of)
    assert [each.external_id for each in students] == ["Soon"]


def test_a_day_with_a_heap_of_let_downs_and_what_is_excused(
    platform: Served, reader: httpx2.Client, case: Case
) -> None:
    before = prepared(reader, case).data.concessions
    assert not any("sick day" in each for each in before)
    execute(
        platform,
        """
        update marts.fct_sessions
        set counted_on = date '2026-01-20', is_let_down = true, caused_by = 'tutor', reason_code = 'sick'
        where session_id in (
            select session_id from marts.fct_sessions
            where tutor_id = %s and is_final and counted_on > date '2026-01-31' - 90 order by session_id limit 4
        )
        returning 1
        """,
        case.tutor.tutor_id,
    )
    excused = execute(
        platform,
        """
        update marts.fct_sessions set is_excused = true, is_let_down = false, caused_by = 'tutor'
        where session_id in (
            select session_id from marts.fct_sessions
            where tutor_id = %s and is_final and counted_on > date '2026-01-31' - 90 and not is_let_down
                and not is_excused
            order by session_id limit 1
        )
        returning 1
        """,
        case.tutor.tutor_id,
    )
    assert excused
    after = prepared(reader, case).data.concessions
    assert any(each.startswith("1 sick day (20 January 2026) explains 4 of ") for each in after)
    assert any("excused and count" in each for each in after)


def test_a_case_that_does_not_exist(reader: httpx2.Client) -> None:
    problem(reader.get("/api/cases/987654321/preparation"), 404)
    problem(reader.get("/api/cases/0/preparation"), 400)
