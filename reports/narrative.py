"""The week in sentences: made of figures by rules, or put into other words by a language model that gets these alone.

No sentence has a name. Those with words of the marketplace's own, as subjects are, are never sent: they follow the
language model's text as they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field

from core import concerns, honesty, patterns
from core.words import about, plural
from ml.texts import TextTask, check_text, tidied
from reports.subjects import CLOSE_REASONS, long_date

Json = Mapping[str, Any]

# Goes with every stored text: a text of another prompt is not used again.
PROMPT_VERSION = "weekly-1"
MOST_PATTERNS = 2
LEAST_WEEKS = 4
LONGEST_CHARACTERS = 900

SYSTEM_PROMPT = """\
You write the opening of a weekly report for those who lead the tutors of a tutoring marketplace.
You get facts in three parts. Answer with a JSON object and nothing else:
{"week": "...", "ahead": "...", "background": "..."}
Each is one to six plain sentences in prose, from the facts of its part only, the most important fact first.
Write every number in digits, exactly as it is given, with its % sign if it has one; leave numbers out rather than \
change, round, compare or compute them. Do not guess at causes, do not praise or blame, do not say that a talk helped.
No names, no headings, no lists."""


@dataclass(frozen=True)
class NarrativeTexts:
    """What the week brought, what comes, and what to know about the figures."""

    week: str
    ahead: str
    background: str


class Narrative(BaseModel):
    """The week in words; every number also appears in the figures."""

    source: Literal["rules", "model"] = Field(
        description="Author: fixed rules, or a language model whose numbers are checked."
    )
    paragraphs: list[str] = Field(description="The week, the week ahead, notes on the figures.")


@dataclass(frozen=True)
class Told:
    """Sentences of the three parts, and those of the last one that are not sent to anybody."""

    week: Sequence[str]
    ahead: Sequence[str]
    background: Sequence[str]
    kept_back: Sequence[str]

    @property
    def texts(self) -> NarrativeTexts:
        """The text by rules, without what is kept back."""
        return NarrativeTexts(" ".join(self.week), " ".join(self.ahead), " ".join(self.background))

    def narrative(self, texts: NarrativeTexts, source: Literal["rules", "model"]) -> Narrative:
        """These texts, and after them what is kept back."""
        parts = asdict(texts)
        parts["background"] = " ".join([parts["background"], *self.kept_back])
        return Narrative(source=source, paragraphs=list(parts.values()))

    def task(self) -> TextTask[NarrativeTexts]:
        """The texts to be written by a language model."""
        parts = {"week": self.week, "ahead": self.ahead, "background": self.background}
        given = "\n".join(f"{name}:\n" + "\n".join(f"- {each}" for each in part) for name, part in parts.items())
        return TextTask(SYSTEM_PROMPT, given, (PROMPT_VERSION,), NarrativeTexts, self._checked)

    def _checked(self, texts: NarrativeTexts) -> NarrativeTexts:
        """Raises UnusableTextError if a part has a number that its own facts have not."""
        given = asdict(self.texts)
        checked = {name: tidied(text) for name, text in asdict(texts).items()}
        for name, text in checked.items():
            check_text(text, given[name], sentences=(1, 6), longest=LONGEST_CHARACTERS)
        return NarrativeTexts(**checked)


def told(week: Json, facts: Json) -> Told:
    """The sentences about a week.

    Args:
        week: as `reports.weekly.described` gives it.
        facts: the sections of the report, and `patterns`.
    """
    found = [patterns.Pattern.model_validate(row) for row in facts["patterns"]][:MOST_PATTERNS]
    said = {
        is_own: [
            patterns.of_platform(each) for each in found if (each.dimension is patterns.Dimension.SUBJECT) == is_own
        ]
        for is_own in (False, True)
    }
    if not found:
        said[False] = ["No weekday, time of day or subject stands out across the platform."]
    calibration = facts["calibration"]
    return Told(
        week=[_raised(week, facts["concerns"]), *_let_downs(facts["trend"]), _cases(facts["cases"]), *_outcomes(facts)],
        ahead=list(_coming(week, facts)),
        background=[*said[False], honesty.in_short(honesty.Honesty.model_validate(calibration["totals"]))],
        kept_back=said[True],
    )


def _raised(week: Json, known: Json) -> str:
    by_concern = ", ".join(f"{concerns.label(each['concern'])} ({each['flags']:,})" for each in known["by_concern"])
    new = f"{plural(known['new'], 'concern')} {_were(known['new'])} raised" if known["new"] else "no concern was raised"
    cleared = f"{known['cleared']:,} {_were(known['cleared'])} cleared" if known["cleared"] else "none was cleared"
    return (
        f"In week {week['number']}, from {long_date(week['starts_on'])} to {long_date(week['ends_on'])}, "
        f"{new}{f': {by_concern}' if by_concern else ''}; {cleared}."
    )


def _let_downs(trend: Sequence[Json]) -> Iterable[str]:
    *before, last = trend
    if not last["sessions"]:
        return ["There were no sessions."]
    were = _were(last["let_downs"])
    counted = f"{last['let_downs']:,} of {plural(last['sessions'], 'session')} {were} let down, {_rate(last)}"
    rates = [each["let_down_rate"] for each in before if each["sessions"]]
    if len(rates) < LEAST_WEEKS:
        return [f"{counted}."]
    low, high = min(rates), max(rates)
    between = f"{len(rates)} weeks before ({low:.1%} to {high:.1%})"
    if last["let_down_rate"] > high:
        return [f"{counted}, more than in any of the {between}."]
    if last["let_down_rate"] < low:
        return [f"{counted}, less than in any of the {between}."]
    return [f"{counted}, as in the {between}."]


def _cases(known: Json) -> str:
    reasons = ", ".join(f"{CLOSE_REASONS[each['reason']]} ({each['cases']:,})" for each in known["reasons"])
    opened = plural(known["opened"], "case") if known["opened"] else "No case"
    closed = f"{known['closed']:,} {_were(known['closed'])} closed" if known["closed"] else "none was closed"
    done = f"{opened} {'were' if known['opened'] > 1 else 'was'} opened, {closed}{f': {reasons}' if reasons else ''}."
    if not known["open"]:
        return f"{done} No case is open today."
    standing = f"Today {known['open']:,} {'is' if known['open'] == 1 else 'are'} open"
    overdue = f"{known['overdue']:,} overdue" if known["overdue"] else "none overdue"
    unowned = f"{known['without_owner']:,} without an owner" if known["without_owner"] else "none without an owner"
    return f"{done} {standing}, {overdue} and {unowned}."


def _outcomes(facts: Json) -> Iterable[str]:
    figures, months = facts["outcomes"]["figures"], facts["outcomes"]["months"]
    if figures["known_after_30_days"]:
        yield (
            f"Of {plural(figures['known_after_30_days'], 'case')} of the last {months} months that are 30 days old, "
            f"{figures['raised_after_30_days']:,} still had the concern raised."
        )


def _coming(week: Json, facts: Json) -> Iterable[str]:
    if date.fromisoformat(week["ends_on"]) + timedelta(days=7) < date.fromisoformat(str(facts["as_of"])):
        yield "The following week is over, too."
        return
    yield _ahead(facts["upcoming"])
    yield _follow_ups(facts["follow_ups"]["total"])


def _ahead(upcoming: Json) -> str:
    if not upcoming["sessions"]:
        return "No planned sessions are left in the week ahead."
    planned = plural(upcoming["sessions"], "planned session")
    if not upcoming["at_risk"]:
        return f"In the week ahead, none of {planned} has a high let-down risk."
    have = "has" if upcoming["at_risk"] == 1 else "have"
    return (
        f"In the week ahead, {upcoming['at_risk']:,} of {planned} {have} a high let-down risk, with "
        f"{plural(upcoming['students'], 'student')}; {about(upcoming['expected_let_downs'])} of these "
        f"sessions are likely to be let down."
    )


def _follow_ups(total: int) -> str:
    if not total:
        return "No follow-up is due then."
    return f"{plural(total, 'follow-up')} {'is' if total == 1 else 'are'} due then."


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _rate(week: Json) -> str:
    return f"{week['let_down_rate']:.1%}"
