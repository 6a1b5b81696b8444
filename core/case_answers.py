"""Did it help? The answers of `case_effect.py` about the cases of `marts.case_effects`, with their words.

The page Outcomes and the weekly report give the same answers. The words name a cause only where the order was drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel

from core.case_effect import CASES_NEEDED, Arm, Expected, Ratio, expected_let_downs, rate_ratio
from core.words import percent, plural


class FollowedCase(BaseModel):
    """A row of `marts.case_effects`."""

    arm: str | None
    is_over: bool
    is_talked_to: bool
    sessions: int
    let_downs: int
    let_downs_expected: float | None
    let_downs_expected_variance: float | None


# As a JSON array.
FOLLOWED = f"""(
    select coalesce(json_agg(followed), '[]')
    from (
        select {", ".join(f"effects.{name}" for name in FollowedCase.model_fields)}
        from marts.case_effects as effects
        order by case_id
    ) as followed
)"""


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """Cases of one arm: those whose 30 days are over, with a session in them; `running` ones have days to go."""

    cases: int
    running: int
    talked_to: int
    sessions: int
    let_downs: int

    @property
    def rate(self) -> float | None:
        return self.let_downs / self.sessions if self.sessions else None


@dataclass(frozen=True, slots=True)
class DrawnAnswer:
    """Talks at once beside later ones, as the order was drawn; `ratio` is None where nothing can be said yet."""

    now: ArmCounts
    later: ArmCounts
    ratio: Ratio | None
    words: str


@dataclass(frozen=True, slots=True)
class ExpectedAnswer:
    """Let-downs after a talk beside those expected at the opening; `interval` is None where nothing can be said yet."""

    cases: int
    sessions: int
    let_downs: int
    expected: float
    interval: Expected | None
    words: str


def drawn_answer(cases: Sequence[FollowedCase]) -> DrawnAnswer:
    now, later = ([case for case in cases if case.arm == name] for name in ("now", "later"))
    ratio = rate_ratio(_arm(now), _arm(later))
    counts = _counts(now), _counts(later)
    return DrawnAnswer(*counts, ratio, _words_of_arms(*counts, ratio))


def expected_answer(cases: Sequence[FollowedCase]) -> ExpectedAnswer:
    known = [
        (case, case.let_downs_expected, case.let_downs_expected_variance)
        for case in _over(cases)
        if case.is_talked_to and case.let_downs_expected is not None and case.let_downs_expected_variance is not None
    ]
    moments = np.array([each[1:] for each in known], dtype=np.float64).reshape(-1, 2)
    interval = expected_let_downs(moments[:, 0], moments[:, 1])
    let_downs = sum(case.let_downs for case, *_ in known)
    return ExpectedAnswer(
        cases=len(known),
        sessions=sum(case.sessions for case, *_ in known),
        let_downs=let_downs,
        expected=float(moments[:, 0].sum()),
        interval=interval,
        words=_words_of_expected(len(known), let_downs, interval),
    )


def answers(cases: Sequence[FollowedCase], *, is_drawn: bool) -> list[str]:
    """What there is to say: by the drawn order if there is one, and beside what was expected."""
    drawn = [drawn_answer(cases).words] if is_drawn or any(case.arm for case in cases) else []
    return [*drawn, expected_answer(cases).words]


def _over(cases: Sequence[FollowedCase]) -> list[FollowedCase]:
    return [case for case in cases if case.is_over and case.sessions]


def _counts(cases: Sequence[FollowedCase]) -> ArmCounts:
    over = _over(cases)
    return ArmCounts(
        cases=len(over),
        running=sum(not case.is_over for case in cases),
        talked_to=sum(case.is_talked_to for case in over),
        sessions=sum(case.sessions for case in over),
        let_downs=sum(case.let_downs for case in over),
    )


def _arm(cases: Sequence[FollowedCase]) -> Arm:
    counts = np.array([(case.sessions, case.let_downs) for case in _over(cases)], dtype=np.float64).reshape(-1, 2)
    return Arm(counts[:, 0], counts[:, 1])


def _words_of_arms(now: ArmCounts, later: ArmCounts, ratio: Ratio | None) -> str:
    least = min(now.cases, later.cases)
    if least < CASES_NEEDED:
        return f"Too few cases to tell yet: {least} of {CASES_NEEDED} per arm."
    if ratio is None:
        return "Too few let-downs to tell yet."
    if ratio.high < 1:
        verdict = "Talking at once instead of waiting helps."
    elif ratio.low > 1:
        verdict = "Talking at once instead of waiting makes it worse."
    else:
        verdict = "The difference may be chance."
    return (
        f"Tutors drawn for a talk at once let down {percent(now.rate)} of their sessions, those drawn to wait "
        f"{percent(later.rate)}: {_change(ratio.ratio)} (95% interval: {_change(ratio.low)} to "
        f"{_change(ratio.high)}). {verdict}"
    )


def _words_of_expected(cases: int, let_downs: int, expected: Expected | None) -> str:
    if expected is None:
        return f"Too few cases to tell yet: {cases} of {CASES_NEEDED} with a talk."
    if expected.low <= let_downs <= expected.high:
        verdict = "The difference may be chance."
    else:
        verdict = "The difference is too large for chance; its cause is not known."
    return (
        f"In {plural(cases, 'case')} with a talk, tutors let down {plural(let_downs, 'session')}; "
        f"{expected.let_downs:,.0f} were expected without any change ({expected.low:,.0f} to {expected.high:,.0f} by "
        f"chance). {verdict}"
    )


def _change(ratio: float) -> str:
    """`0.72` -> `28% fewer`"""
    return f"{abs(1 - ratio):.0%} {'fewer' if ratio < 1 else 'more'}"
