"""Why a prediction is what it is: what each feature adds, and texts for both sides that rest on these numbers alone.

Nothing here knows a name, an id or a free text, so none can get into a text or into a request for one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ml.features import MATCH, WORST_MISMATCH, Floats, Matrix
from ml.model import Model
from ml.texts import TextTask, check_text, tidied

Severity = Literal["none", "low", "medium", "high"]

# Goes with every stored text: a text of another prompt is not used again.
PROMPT_VERSION = "1"

# In log-odds: 0.02 moves a probability by half a per cent at most, which is nothing to tell anybody.
LEAST_CONTRIBUTION = 0.02
LABELS = {feature.name: feature.label for feature in MATCH.features}
MISMATCH_LABELS = {
    "pace_mismatch": "Pace",
    "style_mismatch": "Teaching style",
    "communication_mismatch": "Communication",
    "age_mismatch": "Age",
}


@dataclass(frozen=True)
class Contribution:
    """What one feature adds to the log-odds of churn. `value` is None if it is unknown."""

    feature: str
    label: str
    value: float | None
    contribution: float


@dataclass(frozen=True)
class Mismatch:
    """How far two people are apart: from 0 to `most`; None if a preference is unknown."""

    name: str
    label: str
    value: float | None
    most: float
    severity: Severity | None


@dataclass(frozen=True)
class StatedPreferences:
    """What one of the two prefers: pace and communication 1-5, urgency 1-5 (students only); None = unknown."""

    pace: int | None
    communication: int | None
    style: str | None
    urgency: int | None = None


@dataclass(frozen=True)
class MatchFacts:
    """All that a text about a pair may rest on. Probabilities are fractions 0-1."""

    churn_probability: float
    risk_level: str
    medium_from: float
    high_from: float
    compatibility_score: float | None
    student: StatedPreferences
    tutor: StatedPreferences
    contributions: Sequence[Contribution]
    model_version: str
    sessions_together: int = 0  # above 0 they have met, and the probability is of a first session that is over


@dataclass(frozen=True)
class Texts:
    """Two to three sentences for each side."""

    for_student: str
    for_tutor: str


def contributions(model: Model, rows: Matrix) -> list[list[Contribution]]:
    """What moves each pair's prediction, strongest first. Left out is what moves next to nothing, unless it is that the
    two agree: rules take that for granted, and people want to know.

    `rows`: (pairs, features) in the order of the model, NaN = unknown. The contributions of a pair and the bias, which
    is left out here, sum to the log-odds of its probability.
    """
    amounts = model.contributions(rows)[:, : len(model.features)]
    return [_strongest_first(model.features, values, each) for values, each in zip(rows, amounts, strict=True)]


def _strongest_first(features: Sequence[str], values: Matrix, amounts: Floats) -> list[Contribution]:
    found = [
        Contribution(name, LABELS.get(name, name), None if np.isnan(value) else float(value), float(amount))
        for name, value, amount in zip(features, values, amounts, strict=True)
        if abs(amount) >= LEAST_CONTRIBUTION or (value == 0 and name in WORST_MISMATCH)
    ]
    return sorted(found, key=lambda item: (-abs(item.contribution), item.feature))


def mismatches(values: Mapping[str, float | None]) -> list[Mismatch]:
    """The four mismatches of a pair, by the names of `WORST_MISMATCH`, weightiest first."""
    return [
        Mismatch(name, MISMATCH_LABELS[name], values[name], most, _severity(values[name], most))
        for name, most in WORST_MISMATCH.items()
    ]


def _severity(value: float | None, most: float) -> Severity | None:
    if value is None:
        return None
    if value == 0:
        return "none"
    share = value / most
    return "low" if share <= 0.25 else "medium" if share <= 0.5 else "high"


# ---- clauses: one fact in words, without a capital letter and a full stop


def _percent(value: float) -> str:
    return f"{value * 100:.0f}%"


def _count(number: float, noun: str) -> str:
    return f"{number:g} {noun if number == 1 else f'{noun}s'}"


def _steps(value: float, what: str, is_raised: bool) -> str:
    if value == 0:
        return f"they prefer the same {what}"
    return f"their preferred {what} differs by {'' if is_raised else 'only '}{value:g} of 4 steps"


def _style(value: float) -> str:
    if value == 0:
        return "they prefer the same teaching style"
    return "their teaching styles differ" if value == 1 else "one of them is flexible about the teaching style"


def _more_or_less_often(is_raised: bool) -> str:
    return "more often" if is_raised else "less often"


# Value, and whether it raises the risk. A feature that is not here stays out of texts: the lead time of a pair that
# is not booked is a stand-in and no fact about it.
_CLAUSES: dict[str, Callable[[float, bool], str]] = {
    "pace_mismatch": lambda value, is_raised: _steps(value, "pace", is_raised),
    "style_mismatch": lambda value, _: _style(value),
    "communication_mismatch": lambda value, is_raised: _steps(value, "way of communicating", is_raised),
    "age_mismatch": lambda value, _: (
        f"they are {_count(round(value), 'year')} apart in age" if value else "they are of the same age"
    ),
    "student_age": lambda _, is_raised: f"students of this age leave {_more_or_less_often(is_raised)}",
    "student_urgency": lambda value, is_raised: (
        f"students with an urgency of {value:g} out of 5 leave {_more_or_less_often(is_raised)}"
    ),
    "student_first_meetings": lambda value, _: f"the student has met {_count(round(value), 'tutor')} before",
    "student_pending_meetings": lambda value, _: (
        f"the student has met {_count(round(value), 'new tutor')} without a second session yet"
    ),
    "student_continuation_rate": lambda value, _: f"the student goes on with an estimated {_percent(value)} of tutors",
    "student_sessions_per_pair": lambda value, _: (
        f"the student has had about {_count(round(value), 'session')} with each tutor so far"
    ),
    "student_rating_given": lambda value, _: f"the student's ratings are around {value:.1f} out of 5",
    "tutor_experience_years": lambda value, _: f"the tutor has {_count(round(value), 'year')} of experience",
    "tutor_sessions_90d": lambda value, _: (
        f"the tutor had {_count(round(value), 'session')} planned in the last 90 days"
    ),
    "tutor_let_down_rate": lambda value, _: (
        f"the tutor moves, cancels or misses an estimated {_percent(value)} of sessions"
    ),
    "tutor_reschedule_rate": lambda value, _: f"the tutor reschedules an estimated {_percent(value)} of sessions",
    "tutor_no_show_rate": lambda value, _: f"the tutor misses an estimated {_percent(value)} of sessions",
    "tutor_continuation_rate": lambda value, _: f"an estimated {_percent(value)} of new students stay with the tutor",
    "tutor_rating": lambda value, _: f"ratings of the tutor in 90 days are around {value:.1f} out of 5",
    "tutor_rating_all_time": lambda value, _: f"ratings of the tutor are around {value:.1f} out of 5",
}


def clauses(found: Sequence[Contribution], *, raising: bool, most: int) -> list[str]:
    """Known facts that raise the risk (or lower it), strongest first, `most` of them at most."""
    chosen = [
        _CLAUSES[item.feature](item.value, raising)
        for item in found
        if item.value is not None and item.feature in _CLAUSES and (item.contribution > 0) == raising
    ]
    return chosen[:most]


def reasons(found: Sequence[Contribution]) -> list[str]:
    """Up to two facts in favour of a pair and one against it, as sentences without a full stop."""
    in_favour = [_capital(clause) for clause in clauses(found, raising=False, most=2)]
    against = [f"But {clause}" for clause in clauses(found, raising=True, most=1)]
    return in_favour + against if in_favour else [_capital(clause) for clause in clauses(found, raising=True, most=1)]


# ---- texts by rules


def rule_texts(facts: MatchFacts) -> Texts:
    """Texts that read well on their own, made of the facts by fixed rules."""
    return Texts(for_student=_for_student(facts), for_tutor=_for_tutor(facts))


def _for_student(facts: MatchFacts) -> str:
    share = _percent(facts.churn_probability)
    verdict = {
        "low": "This tutor is likely to suit the student",
        "medium": "It is open whether this tutor suits the student",
        "high": "This tutor is a risky choice for the student",
    }[facts.risk_level]
    good = clauses(facts.contributions, raising=False, most=2)
    bad = clauses(facts.contributions, raising=True, most=2)
    if facts.sessions_together:
        sentences = [
            f"They have had {_count(facts.sessions_together, 'session')} together. Of two who have not met, the risk "
            f"that the student leaves after the first session would be {share}."
        ]
    else:
        sentences = [f"{verdict}: the risk of leaving after the first session is {share}."]
    if good:
        sentences.append(f"In its favour, {_joined(good)}.")
    if bad:
        sentences.append(f"{'On the other hand' if good else 'Against it'}, {_joined(bad)}.")
    if not good and not bad:
        sentences.append("Little is known about this pair yet, so this is close to the average of all pairs.")
    return " ".join(sentences)


def _for_tutor(facts: MatchFacts) -> str:
    lead = {
        "low": "The match looks good; a first session as planned should do.",
        "medium": "The match can go well if the first session does.",
        "high": "This match needs care: take time to get to know the student in the first session.",
    }[facts.risk_level]
    if facts.sessions_together:
        lead = "You know the student already."
    advice = _advice(facts.student, facts.tutor, "next" if facts.sessions_together else "first")[:2]
    if not advice:
        advice = ["Ask the student how they like to work, and agree on the next session before this one ends."]
    return " ".join([lead, *advice])


def _advice(student: StatedPreferences, tutor: StatedPreferences, coming: str) -> list[str]:
    """What the tutor can do in the coming session, first or next, the widest gap first."""
    found: list[tuple[float, str]] = []
    if student.pace is not None and tutor.pace is not None and student.pace != tutor.pace:
        direction, hint = ("faster", "too slow") if student.pace > tutor.pace else ("slower", "too fast")
        text = (
            f"The student prefers a {direction} pace than you do ({student.pace} against {tutor.pace} out of 5): "
            f"ask early whether you are going {hint}."
        )
        found.append((abs(student.pace - tutor.pace) / 4, text))
    if student.style is not None and tutor.style is not None and student.style != tutor.style:
        text = (
            f"The student prefers {_a(student.style)} style and yours is {tutor.style}: "
            f"plan the {coming} session to suit the student."
        )
        found.append((0.5 if "flexible" in (student.style, tutor.style) else 1, text))
    if (
        student.communication is not None
        and tutor.communication is not None
        and student.communication != tutor.communication
    ):
        tone = "more casual" if student.communication > tutor.communication else "more formal"
        text = (
            f"The student likes a {tone} tone than you do "
            f"({student.communication} against {tutor.communication} out of 5)."
        )
        found.append((abs(student.communication - tutor.communication) / 4, text))
    if student.urgency is not None and student.urgency >= 4:
        text = (
            f"The student is in a hurry (urgency {student.urgency} out of 5): agree on a goal in the {coming} session."
        )
        found.append((student.urgency / 10, text))
    return [text for _, text in sorted(found, key=lambda item: -item[0])]


def _joined(parts: Sequence[str]) -> str:
    return " and ".join(parts)


def _a(noun: str) -> str:
    return f"{'an' if noun.startswith('i') else 'a'} {noun}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# ---- what a language model is asked, and what of its answer is taken

SYSTEM_PROMPT = """\
You explain to the staff of a tutoring marketplace how well a student and a tutor fit.
You get facts about one pair. Answer with a JSON object and nothing else:
{"for_student": "...", "for_tutor": "..."}
for_student: two or three sentences on why this tutor is a good or a risky choice for the student.
for_tutor: two or three sentences addressed to the tutor as "you": what to know and to do in the coming session.
Say nothing of a first session if the two have met.
Use the given facts only. Write every number in digits, exactly as it is given, with its % sign if it has one; leave \
numbers out rather than change, round, compare or compute them. Plain, kind English; no names, no headings, no lists."""

_UNIT = {"communication": "1 formal to 5 casual", "pace": "1 slow to 5 fast"}


def prompt(facts: MatchFacts) -> str:
    """The facts as the language model gets them: numbers and fixed words, rounded, one a line."""
    lines = [
        f"Risk of leaving after the first session: {_percent(facts.churn_probability)} ({facts.risk_level}; "
        f"medium from {_percent(facts.medium_from)}, high from {_percent(facts.high_from)})"
    ]
    if facts.sessions_together:
        lines.append(f"They have met. Sessions together so far: {facts.sessions_together}")
    if facts.compatibility_score is not None:
        lines.append(f"Fit of their preferences: {_percent(facts.compatibility_score)}")
    pairs = (
        ("Preferred pace", _UNIT["pace"], facts.student.pace, facts.tutor.pace),
        ("Way of communicating", _UNIT["communication"], facts.student.communication, facts.tutor.communication),
        ("Teaching style", "structured, flexible or interactive", facts.student.style, facts.tutor.style),
    )
    for what, scale, student, tutor in pairs:
        lines.append(f"{what} ({scale}): student {_known(student)}, tutor {_known(tutor)}")
    if facts.student.urgency is not None:
        lines.append(f"Urgency of the student (1 relaxed to 5 urgent): {facts.student.urgency}")
    for raising, what in ((True, "Raises the risk"), (False, "Lowers the risk")):
        lines += [f"{what}: {clause}" for clause in clauses(facts.contributions, raising=raising, most=4)]
    return "\n".join(lines)


def _known(value: object) -> object:
    return "unknown" if value is None else value


def task(facts: MatchFacts) -> TextTask[Texts]:
    """The texts about this pair, to be written."""
    given = prompt(facts)
    version = (PROMPT_VERSION, facts.model_version)
    return TextTask(SYSTEM_PROMPT, given, version, Texts, lambda texts: check(texts, given))


LONGEST_CHARACTERS = 700


def check(texts: Texts, given: str) -> Texts:
    """The texts, tidied, if every number in them is among those of the prompt `given`.

    Raises:
        UnusableTextError: a text is empty, too long, not of two or three sentences, or has a number of its own.
    """
    checked = Texts(tidied(texts.for_student), tidied(texts.for_tutor))
    for text in (checked.for_student, checked.for_tutor):
        check_text(text, given, sentences=(2, 3), longest=LONGEST_CHARACTERS)
    return checked
