"""The week in words: what rules say of figures, and what of a language model's text is taken."""

import dataclasses
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.honesty import Honesty
from core.settings import Settings
from ml.texts import UnusableTextError
from reports import narrative
from reports.narrative import NarrativeTexts, Told
from reports.render import render
from reports.subjects import subject_of
from tests.api.language_model import LanguageModel, Reply, error, language_model, says

if TYPE_CHECKING:
    from tests.reports.conftest import Marketplace

WEEK = {"name": "2026-W05", "number": 5, "starts_on": "2026-01-26", "ends_on": "2026-02-01"}
MONDAY = datetime(2026, 2, 2, 7, 30, tzinfo=UTC)
SECRET = "Zed's 98765432101 subject"
SHARES = st.floats(0, 1)
COUNTS = st.integers(0, 100_000)


def pattern(dimension: str, level: str, **values: Any) -> dict[str, Any]:
    return {
        "dimension": dimension, "level": level, "sessions": 9000, "let_downs": 1200, "rate": 0.1333,
        "other_sessions": 30000, "other_let_downs": 2700, "other_rate": 0.09, "rate_expected": 0.133, "q_value": 0.001,
        **values,
    }  # fmt: skip


def honesty(**values: Any) -> dict[str, Any]:
    counts = {name: 0 for name, field in Honesty.model_fields.items() if field.is_required()}
    shares = [name for name in counts if name.endswith(("share", "expected")) or name.startswith("coverage")]
    return counts | dict.fromkeys(shares) | {"let_downs_expected": 0, "days_to_flag": None} | values


def facts(**parts: Any) -> dict[str, Any]:
    trend = [{"sessions": 3000, "let_downs": 300 + 10 * ago, "let_down_rate": 0.1 + ago / 300} for ago in range(12)]
    return {
        "as_of": "2026-02-02",
        "concerns": {
            "new": 3, "cleared": 1, "by_concern": [
                {"concern": "unreliable", "flags": 2}, {"concern": "no_shows", "flags": 1},
            ], "changes": [{"tutor": {"name": SECRET}}],
        },
        "trend": trend[::-1],
        "cases": {
            "opened": 4, "closed": 1, "reasons": [{"reason": "improved", "cases": 1}], "open": 12, "overdue": 2,
            "without_owner": 1, "overdue_cases": [{"tutor": {"name": SECRET}, "owner_name": SECRET}],
        },
        "outcomes": {"months": 6, "figures": {"known_after_30_days": 20, "raised_after_30_days": 8}},
        "calibration": {
            "totals": honesty(
                forecasts=1180, raised=412, right_share=0.78, right_share_expected=0.84, coverage=0.93,
                coverage_expected=0.92,
            )
        },
        "upcoming": {
            "sessions": 900, "at_risk": 25, "students": 21, "tutors": 4, "expected_let_downs": 8.4,
            "riskiest": [{"tutor": {"name": SECRET}, "student_ids": [SECRET]}],
        },
        "follow_ups": {"total": 14, "coming": []},
        "patterns": [pattern("weekday", "5"), pattern("subject", SECRET, rate=0.2)],
        **parts,
    }  # fmt: skip


def test_rules_say_what_happened_what_comes_and_how_far_to_trust_it() -> None:
    told = narrative.told(WEEK, facts())
    words = told.narrative(told.texts, "rules")
    assert words.paragraphs == [
        "In week 5, from 26 January 2026 to 1 February 2026, 3 concerns were raised: unreliable (2), no-shows (1); 1 "
        "was cleared. 300 of 3,000 sessions were let down, 10.0%, less than in any of the 11 weeks before (10.3% to "
        "13.7%). 4 cases were opened, 1 was closed: the tutor improved (1). Today 12 are open, 2 overdue and 1 without "
        "an owner. Of 20 cases of the last 6 months that are 30 days old, 8 still had the concern raised.",
        "In the week ahead, 25 of 900 planned sessions have a high let-down risk, with 21 students; about 8 of these "
        "sessions are likely to be let down. 14 follow-ups are due then.",
        "On Fridays, 13% of all sessions are let down, otherwise 9.0%. Of 412 weekly checks of flagged tutors, 30 days "
        "ago or more, 78% were right (84% forecast). 93% of 1,180 outcomes lay within the forecast range (92% "
        "expected). "
        f"In {SECRET}, 20% of all sessions are let down, otherwise 9.0%.",
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"opened": 0, "closed": 0}, "No case was opened, none was closed. Today 12 are open, 2 overdue and"),
        ({"opened": 1, "closed": 3}, "1 case was opened, 3 were closed: "),
        ({"overdue": 0, "without_owner": 0}, "Today 12 are open, none overdue and none without an owner."),
        ({"open": 0, "overdue": 0, "without_owner": 0}, "No case is open today."),
    ],
)
def test_cases_in_words(changes: dict[str, int], says: str) -> None:
    some = facts()
    some["cases"] |= changes | ({} if changes.get("closed", 1) else {"reasons": []})
    assert says in narrative.told(WEEK, some).texts.week


def test_an_empty_week_reads_well() -> None:
    nothing = facts(
        concerns={"new": 0, "cleared": 0, "by_concern": [], "changes": []},
        trend=[{"sessions": 0, "let_downs": 0, "let_down_rate": None}] * 12,
        cases={"opened": 1, "closed": 0, "reasons": [], "open": 1, "overdue": 0, "without_owner": 0},
        outcomes={"months": 6, "figures": {"known_after_30_days": 0, "raised_after_30_days": 0}},
        calibration={"totals": honesty()},
        upcoming={"sessions": 0, "at_risk": 0, "students": 0, "expected_let_downs": 0},
        follow_ups={"total": 0},
        patterns=[],
    )
    told = narrative.told(WEEK, nothing)
    assert told.texts == NarrativeTexts(
        "In week 5, from 26 January 2026 to 1 February 2026, no concern was raised; none was cleared. There were no "
        "sessions. 1 case was opened, none was closed. Today 1 is open, none overdue and none without an owner.",
        "No planned sessions are left in the week ahead. No follow-up is due then.",
        "No weekday, time of day or subject stands out across the platform. No forecast is 30 days old yet, so it is "
        "not known how often flags are right.",
    )


@pytest.mark.parametrize(
    ("as_of", "says"),
    [("2026-02-08", "In the week ahead, 25 of 900"), ("2026-02-09", "The following week is over, too.")],
)
def test_of_old_weeks_nothing_is_ahead(as_of: str, says: str) -> None:
    assert narrative.told(WEEK, facts(as_of=as_of)).texts.ahead.startswith(says)


def test_the_sessions_at_risk_are_let_down_and_not_the_students() -> None:
    upcoming = {"sessions": 900, "at_risk": 1, "students": 1, "expected_let_downs": 0.3}
    assert narrative.told(WEEK, facts(upcoming=upcoming)).texts.ahead.startswith(
        "In the week ahead, 1 of 900 planned sessions has a high let-down risk, with 1 student; less than 1 of these "
        "sessions are likely to be let down."
    )


@pytest.mark.parametrize(
    "text",
    ["Let-downs doubled.", "A fifth of it.", "Dozens of cases.", "½ of it.", "About 3k sessions.", "A 3-fold rise."],
)
def test_amounts_that_are_no_digits_are_not_taken(text: str) -> None:
    told = narrative.told(WEEK, facts())
    with pytest.raises(UnusableTextError, match="a number that was not given"):
        told.task().read({"week": text, "ahead": "Fine.", "background": "Fine."})


def test_flags_that_cannot_be_judged_are_not_called_young() -> None:
    known = honesty(forecasts=40, coverage=0.9, coverage_expected=0.9)
    assert narrative.told(WEEK, facts(calibration={"totals": known})).texts.background.endswith(
        "No flag of 30 days ago or more can be judged yet. 90% of 40 outcomes lay within the forecast range "
        "(90% expected)."
    )


@st.composite
def any_told(draw: st.DrawFn) -> Told:
    weeks = [
        {"sessions": n, "let_downs": (k := draw(st.integers(0, n))), "let_down_rate": k / n if n else None}
        for n in draw(st.lists(COUNTS, min_size=12, max_size=12))
    ]
    some = facts()
    some["concerns"] |= {"new": draw(COUNTS), "cleared": draw(COUNTS)}
    some["cases"] |= {name: draw(COUNTS) for name in ("opened", "closed", "open", "overdue", "without_owner")}
    some["outcomes"] = {
        "months": 6, "figures": {"known_after_30_days": draw(COUNTS), "raised_after_30_days": draw(COUNTS)},
    }  # fmt: skip
    some["upcoming"] |= {"sessions": draw(COUNTS), "at_risk": draw(COUNTS), "students": draw(COUNTS)}
    some["calibration"] = {
        "totals": honesty(
            forecasts=draw(COUNTS), raised=draw(COUNTS), right_share=draw(SHARES), right_share_expected=draw(SHARES),
            coverage=draw(SHARES), coverage_expected=draw(SHARES),
        )
    }  # fmt: skip
    some["patterns"] = [
        pattern("weekday", str(draw(st.integers(1, 7))), rate=draw(SHARES)),
        draw(
            st.sampled_from(
                [pattern("daypart", "14-18"), pattern("subject", SECRET, rate=draw(SHARES)), pattern("lesson", "first")]
            )
        ),
    ]
    return narrative.told(WEEK, {**some, "trend": weeks})


@given(any_told())
def test_texts_by_rules_would_pass_as_texts_of_a_model(told: Told) -> None:
    task = told.task()
    assert task.read(dataclasses.asdict(told.texts)) == told.texts
    assert "None" not in "".join(dataclasses.astuple(told.texts))


@given(any_told())
def test_nothing_is_sent_but_numbers_and_fixed_words(told: Told) -> None:
    """Tutors, owners and students have a name that would be seen, and so has one subject."""
    sent = told.task().facts
    assert "Zed" not in sent
    assert "98765432101" not in sent
    shown = " ".join(told.narrative(told.texts, "rules").paragraphs)
    assert ("Zed" in shown) == bool(told.kept_back)


NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?%?")


@given(any_told(), st.sampled_from(["week", "ahead", "background"]), st.integers(0, 10_000), st.booleans(), st.data())
def test_a_number_that_does_not_stand_in_the_facts_of_its_part_is_found(
    told: Told, part: str, number: int, is_percentage: bool, data: st.DataObject
) -> None:
    """In place of any number of a text that is otherwise right, or put behind it."""
    fine = dataclasses.asdict(told.texts)
    known = set(NUMBER.findall(fine[part]))
    other = f"{number:,}{'%' if is_percentage else ''}"
    assume(other not in known)
    places = [match.span() for match in NUMBER.finditer(fine[part])]
    if places:
        start, end = data.draw(st.sampled_from(places))
        changed = f"{fine[part][:start]}{other}{fine[part][end:]}"
    else:
        changed = f"{fine[part][:-1]}, {other}."
    with pytest.raises(UnusableTextError, match="a number that was not given"):
        told.task().read({**fine, part: changed})


@given(any_told())
def test_a_number_of_another_part_is_not_taken(told: Told) -> None:
    fine = dataclasses.asdict(told.texts)
    assume("14 follow-ups" in fine["ahead"])
    assume("14" not in NUMBER.findall(fine["background"]))
    with pytest.raises(UnusableTextError, match="a number that was not given"):
        told.task().read({**fine, "background": "About 14 of them stand out."})


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("a text", "not the JSON"),
        ({"week": "Fine.", "ahead": "Fine."}, "not the JSON"),
        ({"week": "Fine.", "ahead": "Fine.", "background": ["Fine."]}, "not the JSON"),
        ({"week": "Fine.", "ahead": " ", "background": "Fine."}, "empty"),
        ({"week": "Fine.", "ahead": "Fine. " * 7, "background": "Fine."}, "not one to six sentences"),
        ({"week": "Fine.", "ahead": "Half of it.", "background": "Fine."}, "a number that was not given"),
        ({"week": f"Fine{'.' * 900}", "ahead": "Fine.", "background": "Fine."}, "too long"),
    ],
)
def test_an_answer_that_is_not_to_be_shown(answer: Any, fault: str) -> None:
    with pytest.raises(UnusableTextError, match=fault):
        narrative.told(WEEK, facts()).task().read(answer)


# ---- in the mail

WORDED = {"week": "A calm week.", "ahead": "Little comes.", "background": "Nothing stands out."}


@pytest.fixture
def model() -> Iterator[LanguageModel]:
    with language_model() as model:
        model.reply = says(json.dumps(WORDED))
        yield model


@pytest.fixture
def over(reporting: "Marketplace") -> "Marketplace":
    """Reporting has been on for long, and all of the week is counted."""
    reporting.execute("update app.report_switches set on_since = '2026-01-20'")
    reporting.execute("update marts.publication set as_of = '2026-02-02'")
    reporting.execute("delete from app.explanations; delete from app.explanation_calls")
    return reporting


def queued(marketplace: "Marketplace", model: LanguageModel, **changes: Any) -> dict[str, Any]:
    """The weekly report that is queued on Monday morning."""
    marketplace.queue(MONDAY, openai_base_url=model.base_url, openai_model="test-model", **changes)
    ((_, _, payload),) = marketplace.outbox("weekly_report")
    told: dict[str, Any] = payload
    return told


def test_a_language_model_words_the_report_before_it_is_queued(over: "Marketplace", model: LanguageModel) -> None:
    payload = queued(over, model)
    assert payload["narrative"]["source"] == "model"
    assert [text.split(". ")[0].rstrip(".") for text in payload["narrative"]["paragraphs"]] == [
        "A calm week", "Little comes", "Nothing stands out",
    ]  # fmt: skip
    assert len(model.requests) == 1
    mail = render(Settings(), "weekly_report", subject_of("weekly_report", payload), payload)
    for text in (mail.text, mail.html):
        assert "A calm week." in text
        assert "A language model wrote this text" in text
    # It is told, so nobody is asked again.
    over.queue(MONDAY, openai_base_url=model.base_url, openai_model="test-model")
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (error(500), ("failed", "status 500")),
        (
            says(json.dumps({**WORDED, "week": "A week with 4711 concerns."})),
            ("unusable", "a number that was not given"),
        ),
        (says("no JSON"), ("unusable", "not the JSON that was asked for")),
        (Reply(stalls=True), ("failed", "deadline")),
    ],
)
def test_whatever_fails_the_report_goes_out_in_the_words_of_rules(
    over: "Marketplace", model: LanguageModel, reply: Reply, outcome: tuple[str, str]
) -> None:
    model.reply = reply
    payload = queued(over, model, explanation_seconds=0.5 if reply.stalls else 8)
    assert payload["narrative"]["source"] == "rules"
    assert payload["narrative"]["paragraphs"][0].startswith("In week 5, from 26 January 2026")
    assert over.execute("select outcome, reason from app.explanation_calls") == [outcome]
    mail = render(Settings(), "weekly_report", subject_of("weekly_report", payload), payload)
    assert "language model" not in mail.text + mail.html


def test_without_budget_or_before_monday_nobody_is_asked(over: "Marketplace", model: LanguageModel) -> None:
    over.queue(MONDAY.replace(hour=5), openai_base_url=model.base_url)
    assert queued(over, model, explanation_daily_budget=0)["narrative"]["source"] == "rules"
    assert model.requests == []


def test_a_report_queued_by_the_version_before_is_still_sent(over: "Marketplace", model: LanguageModel) -> None:
    payload = queued(over, model)
    del payload["narrative"], payload["calibration"]
    payload["sections"].remove("calibration")
    mail = render(Settings(), "weekly_report", subject_of("weekly_report", payload), payload)
    assert "Let-downs by week" in mail.text
