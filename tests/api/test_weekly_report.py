"""The weekly report over HTTP."""

import json
import time
from datetime import date, timedelta
from pathlib import Path

import httpx2
import pytest

from api.weekly_report.schemas import WeeklyReportResponse
from reports.weekly import Week
from reports.weekly_sections import TREND_WEEKS
from tests.api.conftest import Served, served
from tests.api.language_model import Reply, language_model, says
from tests.api.test_openapi import assert_is
from tests.api.test_problems import problem


def as_of(client: httpx2.Client) -> date:
    return date.fromisoformat(client.get("/api/overview").json()["meta"]["as_of"])


def test_the_last_whole_week_unless_another_is_asked_for(client: httpx2.Client) -> None:
    answer = client.get("/api/weekly-report")
    assert_is(WeeklyReportResponse, answer.content)
    data = answer.json()["data"]
    newest = Week.of(as_of(client))
    last = newest.after(-1)
    assert data["week"] == {
        "name": last.name, "number": last.starts_on.isocalendar().week, "starts_on": last.starts_on.isoformat(),
        "ends_on": last.ends_on.isoformat(), "is_over": True,
    }  # fmt: skip
    assert (data["previous"], data["following"]) == (last.after(-1).name, newest.name)
    assert client.get("/api/weekly-report", params={"week": last.name}).json()["data"] == data

    running = client.get("/api/weekly-report", params={"week": newest.name}).json()["data"]
    assert (running["week"]["is_over"], running["following"]) == (False, None)


def test_it_counts_as_the_overview_does(client: httpx2.Client) -> None:
    newest = Week.of(as_of(client))
    trend = client.get("/api/weekly-report", params={"week": newest.name}).json()["data"]["trend"]
    assert len(trend) == TREND_WEEKS
    weeks = {week["week_start"]: week for week in client.get("/api/overview").json()["data"]["weeks"]}
    known = [week for week in trend if week["week_start"] in weeks]
    assert known
    for week in known:
        same = weeks[week["week_start"]]
        assert (week["sessions"], week["let_downs"]) == (same["sessions"], same["let_downs"])


@pytest.mark.parametrize("week", ["2026-W54", "2025-W53", "2026-5", "last", "2026-W00", "0000-W01"])
def test_a_week_that_is_none(client: httpx2.Client, week: str) -> None:
    found = problem(client.get("/api/weekly-report", params={"week": week}), 400)
    assert found.errors is not None
    assert [error.field for error in found.errors] == ["week"]


def test_a_week_to_come(client: httpx2.Client) -> None:
    day = as_of(client) + timedelta(days=7)
    assert "begins after" in problem(client.get("/api/weekly-report", params={"week": Week.of(day).name}), 404).detail


def test_long_before_there_was_anything(client: httpx2.Client) -> None:
    data = client.get("/api/weekly-report", params={"week": "2001-W01"}).json()["data"]
    assert {week["sessions"] for week in data["trend"]} == {0}
    assert (data["concerns"]["new"], data["upcoming"]["sessions"]) == (0, 0)


def test_who_gets_in(published: Served, unpublished: Served) -> None:
    with published.client(None) as nobody:
        problem(nobody.get("/api/weekly-report"), 401)
    with unpublished.client(unpublished.key) as reader:
        problem(reader.get("/api/weekly-report"), 503)


def test_what_has_not_changed_is_not_sent_again(client: httpx2.Client) -> None:
    first = client.get("/api/weekly-report")
    again = client.get("/api/weekly-report", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def narrative(client: httpx2.Client) -> tuple[str, list[str]]:
    known = client.get("/api/weekly-report").json()["data"]["narrative"]
    return known["source"], known["paragraphs"]


def test_a_language_model_words_it_for_whoever_asks_next(published: Served, tmp_path: Path) -> None:
    """Nobody waits for it: the text of rules comes first, or the other one if it took no time."""
    with language_model() as model:
        model.reply = says(json.dumps({"week": "A week.", "ahead": "Another.", "background": "Nothing stands out."}))
        with (
            served(published.database, tmp_path, openai_base_url=model.base_url, openai_model="test") as api,
            api.client(api.key) as client,
        ):
            deadline = time.monotonic() + 20
            while (found := narrative(client))[0] == "rules":
                assert found[1][0].startswith("In week ")
                assert time.monotonic() < deadline
            assert found[1][:2] == ["A week.", "Another."]
            assert narrative(client) == found
        assert len(model.requests) == 1
        sent = model.requests[0]["messages"][1]["content"]
        with published.database.connect() as connection:
            names = [name for (name,) in connection.execute("select name from marts.dim_tutors where name is not null")]
        assert not [name for name in names if name in sent]


def test_a_language_model_that_stalls_holds_nobody_up(published: Served, tmp_path: Path) -> None:
    """It would not answer before the test ends: that there is an answer shows that nobody waited."""
    with language_model() as model:
        model.reply = Reply(stalls=True)
        served_by = served(
            published.database, tmp_path, openai_base_url=model.base_url, openai_model="stalls", explanation_seconds=600
        )
        with served_by as api, api.client(api.key) as client:
            assert narrative(client)[0] == "rules"
