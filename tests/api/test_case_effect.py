"""`GET /api/cases/effect`: what is counted of cases that were drawn and of those with a talk, and in which words."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx2
import psycopg
import pytest

from api.cases.effect import FollowedCases, response_of
from core.case_answers import FollowedCase
from tests.api.conftest import Served

ROW = {
    "arm": None, "is_over": True, "is_talked_to": False, "sessions": 20, "let_downs": 4, "let_downs_expected": 5.0,
    "let_downs_expected_variance": 6.0,
}  # fmt: skip
# Of tutors who have sessions in December, closed ones: open ones may be there already.
MADE = """
with made as (
    insert into app.cases (
        tutor_id, state, reason, closed_at, snapshot, opened_by, opened_on, opened_at, arm,
        let_down_rate_expected, let_down_rate_low, let_down_rate_high
    )
    select
        tutor_id, 'resolved', 'improved', '2026-01-31', jsonb_build_array(jsonb_build_object('concern', concern)),
        'test', '2025-12-10', '2025-12-10 12:00+00', case when concern = 'unreliable' then arm end, 0.2, 0.1, 0.32
    from marts.dim_tutors
    cross join lateral (values (('x' || left(md5(tutor_id::text), 6))::bit(24)::integer)) as number (value)
    cross join lateral (
        values (
            case when value % 8 = 0 then 'low_ratings' else 'unreliable' end,
            case when value % 2 = 0 then 'now' else 'later' end
        )
    ) as kind (concern, arm)
    returning *
)

insert into app.case_events (case_id, kind, actor, version, details, happened_at)
select case_id, 'contact', 'test', 1, '{}', opened_at + interval '3 days' from made where arm = 'now'
"""
COUNTED = """
select
    count(distinct tutor_id), count(*), count(*) filter (where is_let_down)
from marts.fct_sessions
inner join app.cases using (tutor_id)
where opened_by = 'test' and arm = %s and is_final and counted_on between '2025-12-11' and '2026-01-09'
"""


def effect_of(rows: Sequence[dict[str, Any]]) -> Any:
    cases = [FollowedCase.model_validate(ROW | row) for row in rows]
    body = FollowedCases(is_drawn=True, cases=cases).model_dump_json().encode()
    return json.loads(response_of(body))["data"]


@pytest.fixture
def cases(published: Served) -> Iterator[psycopg.Connection]:
    with published.database.connect(autocommit=True) as connection:
        connection.execute(MADE)
        yield connection
        with connection.transaction():
            connection.execute("set local session_replication_role = replica")
            connection.execute("delete from app.case_events where actor = 'test'")
            connection.execute("delete from app.cases where opened_by = 'test'")


def test_sessions_of_the_30_days_are_counted_by_arm(cases: psycopg.Connection, client: httpx2.Client) -> None:
    data = client.get("/api/cases/effect").raise_for_status().json()["data"]
    assert data["is_drawn"] is False
    for name in ("now", "later"):
        arm = data["drawn"][name]
        counted = cases.execute(COUNTED.encode(), [name]).fetchone()
        assert counted is not None
        assert (arm["cases"], arm["sessions"], arm["let_downs"]) == counted
        assert arm["cases"] >= data["cases_needed"], "or nothing is tested"
        assert arm["talked_to"] == (arm["cases"] if name == "now" else 0)
        assert arm["let_down_rate"] == arm["let_downs"] / arm["sessions"]
    drawn, now, later = data["drawn"], data["drawn"]["now"], data["drawn"]["later"]
    assert drawn["rate_ratio"] == pytest.approx(now["let_down_rate"] / later["let_down_rate"])
    assert drawn["low"] < drawn["rate_ratio"] < drawn["high"]
    expected = data["expected"]
    assert [expected[name] for name in ("cases", "sessions", "let_downs")] == [
        now[name] for name in ("cases", "sessions", "let_downs")
    ]
    assert expected["expected"] == pytest.approx(0.2 * now["sessions"])
    assert expected["low"] < expected["expected"] < expected["high"]


def test_it_is_revalidated_and_takes_no_parameters(client: httpx2.Client) -> None:
    first = client.get("/api/cases/effect")
    again = client.get("/api/cases/effect", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert client.get("/api/cases/effect?arm=now").status_code == 400


def test_without_cases_everything_is_zero_or_null() -> None:
    data = effect_of([])
    assert (data["drawn"]["rate_ratio"], data["drawn"]["now"]["let_down_rate"], data["expected"]["low"]) == (None,) * 3
    assert (data["drawn"]["now"]["cases"], data["expected"]["expected"]) == (0, 0)
    assert data["drawn"]["words"] == "Too few cases to tell yet: 0 of 10 per arm."
    assert data["expected"]["words"] == "Too few cases to tell yet: 0 of 10 with a talk."


def test_the_smaller_arm_decides_what_is_enough() -> None:
    rows = [{"arm": "now"}] * 12 + [{"arm": "later"}] * 7 + [{"arm": "later", "is_over": False}] * 5
    rows += [{"arm": "later", "sessions": 0, "let_downs": 0, "let_downs_expected": 0}]
    drawn = effect_of(rows)["drawn"]
    assert drawn["words"] == "Too few cases to tell yet: 7 of 10 per arm."
    assert (drawn["later"]["cases"], drawn["later"]["running"], drawn["rate_ratio"]) == (7, 5, None)


def arms(now: list[int], later: list[int]) -> list[dict[str, Any]]:
    """Six cases of each number of let-downs in 20 sessions."""
    return [
        {"arm": arm, "let_downs": let_downs}
        for arm, numbers in (("now", now), ("later", later))
        for let_downs in numbers * 6
    ]


@pytest.mark.parametrize(
    ("now", "later", "change", "verdict"),
    [
        (
            [1, 2],
            [4, 5],
            "let down 7.5% of their sessions, those drawn to wait 22%: 67% fewer",
            "instead of waiting helps.",
        ),
        ([4, 5], [1, 2], "drawn to wait 7.5%: 200% more", "instead of waiting makes it worse."),
        ([3, 6], [4, 6], "drawn to wait 25%: 10% fewer", "The difference may be chance."),
    ],
)
def test_the_words_say_what_the_interval_says(now: list[int], later: list[int], change: str, verdict: str) -> None:
    words = effect_of(arms(now, later))["drawn"]["words"]
    assert change in words
    assert words.endswith(verdict)


def test_arms_without_let_downs_have_no_ratio() -> None:
    drawn = effect_of(arms([0], [4, 5]) * 2)["drawn"]
    assert (drawn["rate_ratio"], drawn["words"]) == (None, "Too few let-downs to tell yet.")


@pytest.mark.parametrize(
    ("let_downs", "verdict"),
    [
        (2, "The difference is too large for chance; its cause is not known."),
        (5, "The difference may be chance."),
        (9, "The difference is too large for chance; its cause is not known."),
    ],
)
def test_what_was_expected_is_worded_without_a_cause(let_downs: int, verdict: str) -> None:
    talked_to = [{"is_talked_to": True, "let_downs": let_downs}] * 12
    # Neither without a talk, nor without an estimate at the opening, nor too early.
    others = [{}, {"is_talked_to": True, "let_downs_expected": None}, {"is_talked_to": True, "is_over": False}]
    expected = effect_of([*talked_to, *others])["expected"]
    assert (expected["cases"], expected["sessions"], expected["expected"]) == (12, 240, 60)
    said = f"In 12 cases with a talk, tutors let down {12 * let_downs} sessions; 60 were expected without any change ("
    assert expected["words"].startswith(said)
    assert expected["words"].endswith(verdict)
