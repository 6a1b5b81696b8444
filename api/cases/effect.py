"""Did it help? What the drawn arms, and what was expected at the opening, say of talks."""

from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, Field

from api.database import VERSION, Statement, columns
from api.fields import Count, Fraction
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


class FollowedCases(BaseModel):
    """What the answer is made of."""

    is_drawn: bool
    cases: list[FollowedCase]


STATEMENT = Statement(
    f"""
    select
        {VERSION},
        json_build_object(
            'is_drawn', randomise_follow_up,
            'cases', (
                select coalesce(json_agg(followed), '[]')
                from (
                    select {columns(FollowedCase, "effects")} from marts.case_effects as effects order by case_id
                ) as followed
            )
        )
    from marts.publication
    """
)


class EffectArm(BaseModel):
    """Cases that were drawn to be talked about at once, or in 30 days."""

    cases: Count = Field(description="Whose 30 days are over, with a session in them.")
    running: Count = Field(description="Whose 30 days are not over.")
    talked_to: Count = Field(description="Of `cases`, with a contact within the 30 days.")
    sessions: Count
    let_downs: Count
    let_down_rate: Fraction | None = Field(description="Null without sessions.")


class DrawnEffect(BaseModel):
    """Let-downs per session in the 30 days after the opening, by the arm that was drawn, whatever was done then."""

    now: EffectArm
    later: EffectArm
    rate_ratio: float | None = Field(
        description=(
            f"The rate of `now` over that of `later`; null with fewer than {CASES_NEEDED} cases in an arm, or without "
            "a let-down in one."
        ),
        examples=[0.72],
    )
    low: float | None = Field(description="Lower end of its 95% interval.", examples=[0.55])
    high: float | None = Field(description="Upper end. Below 1: talking at once helps.", examples=[0.94])
    words: str = Field(examples=[f"Too few cases to tell yet: 7 of {CASES_NEEDED} per arm."])


class ExpectedEffect(BaseModel):
    """Let-downs in the 30 days after the opening of tutors who were talked to in them, beside what was expected of them
    at the opening. It says nothing of a cause."""

    cases: Count = Field(description="Whose 30 days are over, with a session and a contact in them.")
    sessions: Count
    let_downs: Count
    expected: float = Field(description="Let-downs, if every tutor had gone on as before.", ge=0, examples=[41.2])
    low: float | None = Field(
        description=f"Lower end of the 95% interval of that; null with fewer than {CASES_NEEDED} cases.",
        examples=[30.5],
    )
    high: float | None = Field(description="Upper end of it.", examples=[53.1])
    words: str = Field(
        examples=[
            "Tutors who were talked to let down 34 sessions; 41 were expected without any change (30 to 53 by chance). "
            "The difference may be chance."
        ]
    )


class CaseEffect(BaseModel):
    """Whether talks help, of all cases that let-downs opened. Never before against after: a tutor with a bad month has
    a better one next by chance alone."""

    is_drawn: bool = Field(description="Whether it is drawn now when to talk (`TUTORQ_RANDOMISE_FOLLOW_UP`).")
    cases_needed: Count = Field(description="In each arm, or with a talk, before anything is said.")
    drawn: DrawnEffect
    expected: ExpectedEffect


class CaseEffectResponse(BaseModel):
    """Whether talks help."""

    data: CaseEffect


def response_of(body: bytes) -> bytes:
    """The answer from the body of STATEMENT."""
    followed = FollowedCases.model_validate_json(body)
    effect = CaseEffect(
        is_drawn=followed.is_drawn,
        cases_needed=CASES_NEEDED,
        drawn=_drawn(followed.cases),
        expected=_expected(followed.cases),
    )
    return CaseEffectResponse(data=effect).model_dump_json().encode()


class _Drawn(NamedTuple):
    shown: EffectArm
    counted: Arm


def _drawn(cases: list[FollowedCase]) -> DrawnEffect:
    now, later = (_arm([case for case in cases if case.arm == name]) for name in ("now", "later"))
    ratio = rate_ratio(now.counted, later.counted)
    return DrawnEffect(
        now=now.shown,
        later=later.shown,
        rate_ratio=ratio and ratio.ratio,
        low=ratio and ratio.low,
        high=ratio and ratio.high,
        words=_words_of_arms(now.shown, later.shown, ratio),
    )


def _arm(cases: list[FollowedCase]) -> _Drawn:
    over = [case for case in cases if case.is_over and case.sessions]
    sessions, let_downs = (sum(getattr(case, name) for case in over) for name in ("sessions", "let_downs"))
    shown = EffectArm(
        cases=len(over),
        running=sum(not case.is_over for case in cases),
        talked_to=sum(case.is_talked_to for case in over),
        sessions=sessions,
        let_downs=let_downs,
        let_down_rate=let_downs / sessions if sessions else None,
    )
    counts = np.array([(case.sessions, case.let_downs) for case in over], dtype=np.float64).reshape(-1, 2)
    return _Drawn(shown, Arm(counts[:, 0], counts[:, 1]))


def _expected(cases: list[FollowedCase]) -> ExpectedEffect:
    over = [
        (case, case.let_downs_expected, case.let_downs_expected_variance)
        for case in cases
        if case.is_over and case.is_talked_to and case.sessions
    ]
    known = [(case, mean, variance) for case, mean, variance in over if mean is not None and variance is not None]
    moments = np.array([each[1:] for each in known], dtype=np.float64).reshape(-1, 2)
    found = expected_let_downs(moments[:, 0], moments[:, 1])
    let_downs = sum(case.let_downs for case, *_ in known)
    return ExpectedEffect(
        cases=len(known),
        sessions=sum(case.sessions for case, *_ in known),
        let_downs=let_downs,
        expected=float(moments[:, 0].sum()),
        low=found and found.low,
        high=found and found.high,
        words=_words_of_expected(len(known), let_downs, found),
    )


def _words_of_arms(now: EffectArm, later: EffectArm, ratio: Ratio | None) -> str:
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
        f"Tutors drawn for a talk at once let down {percent(now.let_down_rate)} of their sessions, those drawn to wait "
        f"{percent(later.let_down_rate)}: {_change(ratio.ratio)} (between {_change(ratio.low)} and "
        f"{_change(ratio.high)}). {verdict}"
    )


def _words_of_expected(cases: int, let_downs: int, expected: Expected | None) -> str:
    if expected is None:
        return f"Too few cases to tell yet: {cases} of {CASES_NEEDED} with a talk."
    if let_downs < expected.low:
        verdict = "That is fewer than chance explains; the cause is not known."
    elif let_downs > expected.high:
        verdict = "That is more than chance explains; the cause is not known."
    else:
        verdict = "The difference may be chance."
    return (
        f"Tutors who were talked to let down {plural(let_downs, 'session')}; {expected.let_downs:,.0f} were expected "
        f"without any change ({expected.low:,.0f} to {expected.high:,.0f} by chance). {verdict}"
    )


def _change(ratio: float) -> str:
    """`0.72` -> `28% fewer`"""
    return f"{abs(1 - ratio):.0%} {'fewer' if ratio < 1 else 'more'}"
