"""The list of tutors, and single tutors."""

import itertools
from collections import Counter
from datetime import date, timedelta
from typing import Any

import httpx2
import pytest
from psycopg.rows import dict_row

from api.tutors.schemas import SORTABLE, Outcome
from core import keys
from core.roles import Role
from tests.api.conftest import Served
from tests.marts import TUTORS
from verify.frames import load_kept
from verify.recompute.quality import QualityReference, variance_shares


def tutors(client: httpx2.Client, **parameters: Any) -> list[dict[str, Any]]:
    """All rows of a list, which has to fit on one page."""
    response = client.get("/api/tutors", params={"limit": 500, **parameters})
    assert response.status_code == 200, response.text
    body = response.json()
    assert len(body["data"]) == body["meta"]["total"]
    rows: list[dict[str, Any]] = body["data"]
    return rows


def rows(published: Served, query: str, *arguments: Any) -> list[dict[str, Any]]:
    with published.database.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, arguments).fetchall()


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("column", SORTABLE)
def test_pages_hold_every_tutor_once_and_in_order(client: httpx2.Client, column: str, order: str) -> None:
    seen: list[dict[str, Any]] = []
    for offset in range(0, TUTORS, 17):
        body = client.get(f"/api/tutors?sort_by={column}&sort_order={order}&limit=17&offset={offset}").json()
        assert body["meta"]["total"] == TUTORS
        seen += body["data"]
    assert len({row["tutor_id"] for row in seen}) == len(seen) == TUTORS
    values = [row[column] for row in seen]
    known = [value for value in values if value is not None]
    assert values == sorted(known, reverse=order == "desc") + [None] * (len(values) - len(known))
    for first, second in itertools.pairwise(seen):
        # Among those of concern, some are more urgent than others.
        if column != "attention" and first[column] == second[column]:
            assert first["tutor_id"] < second["tutor_id"]


def test_a_page_beyond_the_end_is_empty(client: httpx2.Client) -> None:
    body = client.get("/api/tutors?offset=1000").json()
    assert body["data"] == []
    assert body["meta"]["total"] == TUTORS


def test_the_riskiest_come_first_unless_asked_otherwise(client: httpx2.Client) -> None:
    body = client.get("/api/tutors").json()
    assert body["meta"]["limit"] == 50
    chances = [row["risk_probability"] for row in body["data"] if row["risk_probability"] is not None]
    assert chances == sorted(chances, reverse=True)
    assert body["data"][-1]["risk_probability"] is None


def test_filter_by_status(client: httpx2.Client) -> None:
    everyone = tutors(client)
    for wanted in (["watch"], ["high_risk"], ["ok", "insufficient_data"]):
        found = {row["tutor_id"] for row in tutors(client, risk_status=wanted)}
        assert found == {row["tutor_id"] for row in everyone if row["risk_status"] in wanted}
        assert found


def test_filter_by_activity_and_subject(client: httpx2.Client) -> None:
    everyone = tutors(client)
    found = tutors(client, is_active=False, subject="maths")
    assert [row["tutor_id"] for row in found] == [
        row["tutor_id"] for row in everyone if not row["is_active"] and "maths" in row["subjects"]
    ]
    assert found
    assert tutors(client, subject="math") == []


@pytest.mark.parametrize(
    ("text", "count"), [("björn", 6), ("BJÖRN", 6), ("tutor 12", 1), ("t-1", 10), ("%", 0), ("_", 0), ("\\", 0)]
)
def test_search_is_a_part_of_name_or_external_id_in_any_case(client: httpx2.Client, text: str, count: int) -> None:
    found = tutors(client, search=text)
    assert all(text.lower() in f"{row['name']}|{row['external_id']}".lower() for row in found)
    assert len(found) == count


def test_search_finds_the_beginning_of_a_uuid(client: httpx2.Client) -> None:
    """Where no external id was delivered, the dashboard shows the first eight characters."""
    tutor = tutors(client)[0]["tutor_id"]
    for text in (tutor[:8], tutor[:8].upper(), tutor[:13], tutor):
        assert [row["tutor_id"] for row in tutors(client, search=text)] == [tutor], text
    for text in (tutor[1:9], f"{tutor[:8]}x"):
        assert tutors(client, search=text) == [], text
    assert tutor not in {row["tutor_id"] for row in tutors(client, search=tutor[:7])}


def test_filters_count_before_paging(client: httpx2.Client) -> None:
    body = client.get("/api/tutors?is_active=true&limit=3&offset=3").json()
    assert len(body["data"]) == 3
    assert body["meta"]["total"] == TUTORS - TUTORS // 9


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=ten", "limit"),
        ("offset=-1", "offset"),
        ("offset=99999999999999999999", "offset"),
        ("sort_by=email", "sort_by"),
        ("sort_by=risk_status", "sort_by"),
        ("sort_by=name;drop table marts.tutor_scores", "sort_by"),
        ("sort_order=up", "sort_order"),
        ("risk_status=bad", "risk_status.0"),
        ("is_active=perhaps", "is_active"),
        ("search=", "search"),
        ("search=a%00b", "search"),
        ("subject=" + "x" * 201, "subject"),
        ("risk_statuss=ok", "risk_statuss"),
    ],
)
def test_a_wrong_parameter_is_named(client: httpx2.Client, query: str, field: str) -> None:
    response = client.get(f"/api/tutors?{query}")
    assert response.status_code == 400
    problem = response.json()
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["type"] == "urn:tutorq:problem:invalid-request"


def test_every_wrong_parameter_is_named_at_once(client: httpx2.Client) -> None:
    problem = client.get("/api/tutors?limit=0&offset=-1&colour=red").json()
    assert sorted(error["field"] for error in problem["errors"]) == ["colour", "limit", "offset"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/tutors/T-1?verbose=1",
        "/api/tutors/T-1/explanation?lang=de",
        "/api/tutors/T-1/history?day=3",
        "/api/tutors/T-1/history?days=0",
        "/api/tutors/T-1/history?days=731",
        "/api/tutors/T-1/history?limit=501",
        "/api/overview?days=3",
        "/api/tutors/a%00b",
        "/api/tutors/" + "x" * 201,
    ],
)
def test_nothing_wrong_is_ignored_on_other_routes(client: httpx2.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 400
    assert len(response.json()["errors"]) == 1


def test_a_tutor_is_the_stored_row_with_the_profile(published: Served, client: httpx2.Client) -> None:
    stored = rows(published, "select * from marts.tutor_scores where external_id = 'T-6'")[0]
    profile = rows(published, "select * from marts.dim_tutors where external_id = 'T-6'")[0]
    data = client.get("/api/tutors/T-6").json()["data"]
    for column in ("sessions_90d", "let_down_rate_90d", "risk_probability", "quality_score", "subjects", "name"):
        assert data[column] == stored[column]
    assert data["risk_status_since"] == stored["risk_status_since"].isoformat()
    assert data["profile"]["email"] == profile["email"]
    assert data["profile"]["experience_years"] == float(profile["experience_years"])


@pytest.mark.parametrize(
    ("before", "today"),
    [
        ("reschedule_rate_expected", "let_down_rate_expected"),
        ("reschedules_30d", "moved_sessions_30d"),
        ("short_notice_reschedules_90d", "short_notice_90d"),
    ],
)
def test_who_sorts_by_a_former_name_is_told_the_new_one(client: httpx2.Client, before: str, today: str) -> None:
    response = client.get(f"/api/tutors?sort_by={before}")
    assert response.status_code == 400
    assert f"{before} is now {today}" in response.json()["errors"][0]["message"]
    assert client.get(f"/api/tutors?sort_by={today}").status_code == 200


def test_uuid_and_external_id_name_the_same_tutor(client: httpx2.Client) -> None:
    by_name = client.get("/api/tutors/T-3").json()
    tutor_id = by_name["data"]["tutor_id"]
    assert client.get(f"/api/tutors/{tutor_id}").json() == by_name
    assert client.get(f"/api/tutors/{tutor_id.upper()}").json() == by_name


@pytest.mark.parametrize("part", ["", "/history", "/explanation"])
@pytest.mark.parametrize("tutor", ["nobody", "00000000-0000-0000-0000-000000000000", "T-3'--", "T-"])
def test_an_unknown_tutor_is_a_404(client: httpx2.Client, tutor: str, part: str) -> None:
    response = client.get(f"/api/tutors/{tutor}{part}")
    assert response.status_code == 404
    assert response.json()["detail"].startswith("There is no tutor with this id, or none who has had a session")


def test_history_has_the_events_of_these_days_newest_first(published: Served, client: httpx2.Client) -> None:
    as_of = date(2026, 1, 31)
    for days in (30, 90, 400):
        body = client.get(f"/api/tutors/T-6/history?days={days}&limit=500").json()
        events = body["data"]["events"]
        assert body["meta"]["total_events"] == len(events)
        stored = rows(
            published,
            """
            select * from marts.fct_sessions
            where tutor_id = %s and counted_on > %s
                and (
                    has_reschedule or status = 'no_show' or rating <= 2
                    or (status = 'cancelled' and initiator = 'tutor')
                )
            """,
            body["data"]["tutor_id"],
            as_of - timedelta(days=days),
        )
        assert {event["session_id"] for event in events} == {str(row["session_id"]) for row in stored}
        times = [event["happened_at"] for event in events]
        assert times == sorted(times, reverse=True)
        assert events
    limited = client.get("/api/tutors/T-6/history?days=400&limit=2").json()
    assert limited["data"]["events"] == events[:2]
    assert limited["meta"]["total_events"] == len(events)


def test_history_says_what_counts(published: Served, client: httpx2.Client) -> None:
    counted = excused = 0
    for row in tutors(client):
        events = client.get(f"/api/tutors/{row['tutor_id']}/history?limit=500").json()["data"]["events"]
        kinds = [event["kind"] for event in events if event["is_counted"]]
        assert kinds.count("reschedule") == row["tutor_reschedules_90d"]
        assert kinds.count("tutor_cancellation") == row["tutor_cancellations_90d"]
        assert kinds.count("no_show") == row["tutor_no_shows_90d"]
        counted += len(kinds)
        for event in events:
            if event["is_excused"]:
                assert not event["is_counted"]
                excused += 1
    assert counted
    assert excused


def test_history_says_who_excused_what_and_why_and_whose_session_it_was(
    published: Served, client: httpx2.Client
) -> None:
    with published.database.connect() as connection:
        reader = keys.create(connection, "reader", Role.READ).secret
    with published.client(reader) as client_of_reader:
        notes: Counter[tuple[str, str]] = Counter()
        for row in tutors(client):
            data = client_of_reader.get(f"/api/tutors/{row['tutor_id']}/history?limit=500").json()["data"]
            stored = {
                str(each["session_id"]): each
                for each in rows(
                    published,
                    """
                    select
                        sessions.session_id, students.student_id, students.external_id, students.name, excuses.reason,
                        excuses.created_by, to_json(excuses.created_at) #>> '{}' as created_at
                    from marts.fct_sessions as sessions
                    inner join marts.dim_students as students on sessions.student_id = students.student_id
                    left join app.excuses as excuses on sessions.session_id = excuses.session_id
                    where sessions.tutor_id = %s
                    """,
                    row["tutor_id"],
                )
            }
            for event in data["events"]:
                known = stored[event["session_id"]]
                student = (event["student_id"], event["student_external_id"], event["student_name"])
                assert student == (str(known["student_id"]), known["external_id"], known["name"])
                note = {name: known[name] for name in ("reason", "created_by", "created_at")}
                assert event["excuse"] == (note if event["is_excused"] else None)
                notes["event", event["excuse"]["reason"] if event["excuse"] else "none"] += 1
            for day in data["calendar"]:
                excused = sum(each["sessions"] for each in day["outcomes"] if each["outcome"] == "excused")
                assert sum(each["sessions"] for each in day["excuses"]) == excused
                for each in day["excuses"]:
                    assert (each["reason"], each["created_by"]) == ("ill", "test")
                    notes["day", each["reason"]] += each["sessions"]
    assert notes["event", "none"]
    assert notes["event", "ill"] == notes["day", "ill"] > 0


def test_excuses_of_one_day_are_told_apart_by_their_reasons(published: Served, client: httpx2.Client) -> None:
    one, *others = rows(
        published,
        """
        select tutor_id, session_id, counted_on from marts.fct_sessions
        where is_final and not is_excused and counted_on between '2025-11-03' and '2026-01-31'
            and tutor_id = (select tutor_id from marts.tutor_scores order by sessions_90d desc, tutor_id limit 1)
        order by counted_on, session_id limit 3
        """,
    )
    session_ids = [one["session_id"], *(each["session_id"] for each in others)]
    path = f"/api/tutors/{one['tutor_id']}/history?days=90"
    excuse = "insert into app.excuses (session_id, reason, created_by) select unnest(%s::uuid[]), %s, %s"
    with published.database.connect(autocommit=True) as connection:
        # All three on one day.
        connection.execute(
            "update intermediate.int_session_facts set counted_on = %s where session_id = any(%s)",
            [one["counted_on"], session_ids],
        )
        connection.execute(excuse, [session_ids[:1], "Storm", "Ada"])
        connection.execute(excuse, [session_ids[1:], "Ill", "Ben"])
        mark = "update intermediate.int_session_facts set is_excused = %s where session_id = any(%s)"
        try:
            # The scores do not know of them yet.
            assert notes_of(client, path, one["counted_on"]) == []
            connection.execute(mark, [True, session_ids])
            assert notes_of(client, path, one["counted_on"]) == [("Storm", "Ada", 1), ("Ill", "Ben", 2)]
        finally:
            connection.execute(mark, [False, session_ids])
            connection.execute("delete from app.excuses where session_id = any(%s)", [session_ids])
            for each in others:
                connection.execute(
                    "update intermediate.int_session_facts set counted_on = %s where session_id = %s",
                    [each["counted_on"], each["session_id"]],
                )


def notes_of(client: httpx2.Client, path: str, day: date) -> list[tuple[str, str, int]]:
    (found,) = [each for each in client.get(path).json()["data"]["calendar"] if each["day"] == day.isoformat()]
    return [(each["reason"], each["created_by"], each["sessions"]) for each in found["excuses"]]


def test_every_session_is_in_the_calendar_once(published: Served, client: httpx2.Client) -> None:
    by_outcome = {"missed": "tutor_no_shows", "cancelled": "tutor_cancellations", "moved": "tutor_reschedules"}
    seen = set()
    for row in tutors(client):
        calendar = client.get(f"/api/tutors/{row['tutor_id']}/history?days=90").json()["data"]["calendar"]
        assert sum(day["sessions"] for day in calendar) == row["sessions_90d"]
        assert sum(day["let_downs"] for day in calendar) == row["let_downs_90d"]
        assert [day["day"] for day in calendar] == sorted(day["day"] for day in calendar)
        for day in calendar:
            assert sum(each["sessions"] for each in day["outcomes"]) == day["sessions"]
            places = [list(Outcome).index(each["outcome"]) for each in day["outcomes"]]
            assert places == sorted(set(places))
            seen |= {each["outcome"] for each in day["outcomes"]}
        for outcome, figure in by_outcome.items():
            counts = [each["sessions"] for day in calendar for each in day["outcomes"] if each["outcome"] == outcome]
            assert sum(counts) == row[f"{figure}_90d"], outcome
    assert seen == {"missed", "cancelled", "moved", "excused", "other", "held"}, "nobody says when sessions begin"


def test_a_day_that_explains_several_let_downs_is_an_episode(published: Served, client: httpx2.Client) -> None:
    (stored,) = rows(
        published,
        """
        select tutor_id, counted_on, count(*) as sessions, count(*) filter (where is_let_down) as let_downs
        from marts.fct_sessions
        where is_let_down and counted_on between '2025-11-03' and '2026-01-31'
        group by tutor_id, counted_on order by count(*) desc, counted_on limit 1
        """,
    )
    path = f"/api/tutors/{stored['tutor_id']}/history?days=90"
    assert client.get(path).json()["data"]["episodes"] == []
    day = stored["counted_on"].isoformat()
    with published.database.connect(autocommit=True) as connection:
        connection.execute("create table public.kept as select * from intermediate.int_session_facts")
        # A sick morning: two more lessons of that day, and all for one reason.
        connection.execute(
            """
            update intermediate.int_session_facts
            set counted_on = %(day)s, reason_code = 'illness', is_let_down = true, is_final = true, caused_by = 'tutor',
                is_tutor_cancellation = true, is_tutor_reschedule = false, is_tutor_no_show = false, is_excused = false
            where session_id in (
                select session_id from marts.fct_sessions
                where tutor_id = %(tutor)s and (is_let_down and counted_on = %(day)s or not is_let_down and is_final)
                order by is_let_down desc, session_id limit 5
            )
            """,
            {"day": stored["counted_on"], "tutor": stored["tutor_id"]},
        )
        try:
            data = client.get(path).json()["data"]
        finally:
            connection.execute("delete from intermediate.int_session_facts")
            connection.execute("insert into intermediate.int_session_facts select * from public.kept")
            connection.execute("drop table public.kept")
    in_all = sum(each["let_downs"] for each in data["calendar"])
    assert data["episodes"] == [{"day": day, "reason_code": "illness", "let_downs": 5, "let_downs_in_all": in_all}]
    (sick,) = [each for each in data["calendar"] if each["day"] == day]
    assert sick["outcomes"][0] == {"outcome": "cancelled", "sessions": 5}
    assert sick["can_be_excused"] == 5


def test_history_has_weeks_beside_the_platform_and_daily_scores(client: httpx2.Client) -> None:
    data = client.get("/api/tutors/T-6/history?days=14").json()["data"]
    weeks = [week["week_start"] for week in data["weeks"]]
    # 2026-01-31 is a Saturday: of the fourteen days, the first ones fall in the week of the 12th.
    assert weeks == sorted(weeks)
    assert set(weeks) <= {"2026-01-12", "2026-01-19", "2026-01-26"}
    assert weeks[0] == "2026-01-12"
    assert all(week["platform_let_down_rate"] is not None for week in data["weeks"])
    assert [day["as_of"] for day in data["scores"]] == [f"2026-01-{day}" for day in range(18, 32)]


def test_an_explanation_is_made_of_stored_numbers(published: Served, client: httpx2.Client) -> None:
    weights, shares = set(), set()
    for row in tutors(client):
        data = client.get(f"/api/tutors/{row['tutor_id']}/explanation").json()["data"]
        by_name = {component["name"]: component for component in data["components"]}
        assert list(by_name) == ["reliability", "attendance", "first_session", "rating"]
        for name, component in by_name.items():
            assert component["value"] == row[f"{name}_component"]
        reliability = by_name["reliability"]["evidence"]
        assert (reliability["n"], reliability["k"]) == (row["sessions_90d"], row["let_downs_90d"])
        kinds = [session["kind"] for session in data["evidence_sessions"]]
        assert len(kinds) == row["let_downs_90d"]
        assert kinds.count("reschedule") == row["tutor_reschedules_90d"]
        assert kinds.count("cancellation") == row["tutor_cancellations_90d"]
        assert kinds.count("no_show") == row["tutor_no_shows_90d"]
        weights.add(tuple(component["weight"] for component in data["components"]))
        shares.add(tuple(component["variance_share"] for component in data["components"]))
    assert weights == {(0.4, 0.25, 0.2, 0.15)}
    with published.database.connect() as connection:
        kept = load_kept(connection)
    assert shares.pop() == pytest.approx(variance_shares(QualityReference(kept.means, kept.covariance)))
    assert not shares


def test_an_explanation_speaks_plainly(published: Served, client: httpx2.Client) -> None:
    flagged = tutors(client, risk_status="high_risk")[0]
    data = client.get(f"/api/tutors/{flagged['tutor_id']}/explanation").json()["data"]
    (unreliable,) = [concern for concern in data["concerns"] if concern["concern"] == "unreliable"]
    held = f"moved, cancelled or missed {flagged['let_downs_90d']} of {flagged['sessions_90d']} sessions"
    assert data["sentence"].startswith("Needs attention since ")
    assert held in unreliable["sentence"]
    assert "above the limit of 15%" in unreliable["sentence"]
    without = next(row for row in tutors(client) if row["sessions_90d"] == 0)
    data = client.get(f"/api/tutors/{without['tutor_id']}/explanation").json()["data"]
    assert data["sentence"] == "Not rated: there was no session in the last 90 days, too few for a fair judgement."
    assert data["components"][0]["value"] is None
    assert data["components"][0]["sentence"] == "No session in the last 90 days, so reliability does not count."


def test_trend_has_one_rate_per_week_and_null_without_sessions(client: httpx2.Client) -> None:
    rows = client.get("/api/tutors?limit=500&trend_weeks=6").json()["data"]
    # The fixture is as of Saturday, 31 January 2026; its last week begins on the 26th.
    mondays = ["2025-12-22", "2025-12-29", "2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26"]
    seen = set()
    for row in rows[:5]:
        weeks = client.get(f"/api/tutors/{row['tutor_id']}/history?days=90").json()["data"]["weeks"]
        rates = {week["week_start"]: week["let_down_rate"] for week in weeks}
        assert row["weekly_let_down_rates"] == [rates.get(monday) for monday in mondays]
        seen |= set(row["weekly_let_down_rates"])
    assert None in {rate for row in rows for rate in row["weekly_let_down_rates"]}
    assert len(seen) > 2
    assert client.get("/api/tutors?limit=1").json()["data"][0]["weekly_let_down_rates"] == []


def test_since_when_is_left_out_while_it_is_not_known(client: httpx2.Client, published: Served) -> None:
    calm = tutors(client, risk_status="ok", attention=False)[0]
    tutor = calm["tutor_id"]
    path = f"/api/tutors/{tutor}/explanation"
    assert client.get(path).json()["data"]["sentence"].startswith("Fine since ")
    with published.database.connect() as connection:
        connection.execute("update marts.tutor_scores set risk_status_since = null where tutor_id = %s", [tutor])
    try:
        data = client.get(path).json()["data"]
    finally:
        with published.database.connect() as connection:
            connection.execute(
                "update marts.tutor_scores set risk_status_since = %s where tutor_id = %s",
                [calm["risk_status_since"], tutor],
            )
    assert data["risk_status_since"] is None
    assert data["sentence"].startswith("Fine: the tutor moved, cancelled or missed ")
