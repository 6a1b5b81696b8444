"""Did it help? What the drawn arms, and what was expected at the opening, say of talks."""

from pydantic import BaseModel, Field

from api.database import VERSION, Statement
from api.fields import Count, Fraction
from core.case_answers import FOLLOWED, ArmCounts, FollowedCase, drawn_answer, expected_answer
from core.case_effect import CASES_NEEDED


class FollowedCases(BaseModel):
    """What the answer is made of."""

    is_drawn: bool
    cases: list[FollowedCase]


STATEMENT = Statement(
    f"""
    select
        {VERSION},
        json_build_object('is_drawn', randomise_follow_up, 'cases', {FOLLOWED})
    from marts.publication
    """
)


class EffectArm(BaseModel):
    """Cases drawn for a talk at once, or in 30 days."""

    cases: Count = Field(description="Cases whose 30 days are over, with a session in them.")
    running: Count = Field(description="Cases whose 30 days are not over.")
    talked_to: Count = Field(description="Of `cases`, those with a contact within the 30 days.")
    sessions: Count
    let_downs: Count
    let_down_rate: Fraction | None = Field(description="Null without sessions.")


class DrawnEffect(BaseModel):
    """Let-downs per session in the 30 days after the opening, by drawn arm, whatever was actually done."""

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
    """Let-downs in the 30 days after the opening, of tutors with a talk in that time, compared with the expectation at
    the opening. It does not show a cause."""

    cases: Count = Field(description="Cases whose 30 days are over, with a session and a contact in them.")
    sessions: Count
    let_downs: Count
    expected: float = Field(
        description="Expected let-downs if every tutor had continued as before.", ge=0, examples=[41.2]
    )
    low: float | None = Field(
        description=f"Lower end of the 95% interval of that; null with fewer than {CASES_NEEDED} cases.",
        examples=[30.5],
    )
    high: float | None = Field(description="Upper end of its 95% interval.", examples=[53.1])
    words: str = Field(
        examples=[
            "In 24 cases with a talk, tutors let down 34 sessions; 41 were expected without any change (30 to 53 by "
            "chance). The difference may be chance."
        ]
    )


class CaseEffect(BaseModel):
    """Whether talks help, over all cases opened by let-downs. Never compares before with after: after a bad month, a
    better one follows by chance alone."""

    is_drawn: bool = Field(description="Whether new cases are randomised at present (`TUTORQ_RANDOMISE_FOLLOW_UP`).")
    cases_needed: Count = Field(description="Cases needed in each arm, or with a talk, for an answer.")
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


def _drawn(cases: list[FollowedCase]) -> DrawnEffect:
    answer = drawn_answer(cases)
    return DrawnEffect(
        now=_arm(answer.now),
        later=_arm(answer.later),
        rate_ratio=answer.ratio and answer.ratio.ratio,
        low=answer.ratio and answer.ratio.low,
        high=answer.ratio and answer.ratio.high,
        words=answer.words,
    )


def _arm(counts: ArmCounts) -> EffectArm:
    return EffectArm(
        cases=counts.cases,
        running=counts.running,
        talked_to=counts.talked_to,
        sessions=counts.sessions,
        let_downs=counts.let_downs,
        let_down_rate=counts.rate,
    )


def _expected(cases: list[FollowedCase]) -> ExpectedEffect:
    answer = expected_answer(cases)
    return ExpectedEffect(
        cases=answer.cases,
        sessions=answer.sessions,
        let_downs=answer.let_downs,
        expected=answer.expected,
        low=answer.interval and answer.interval.low,
        high=answer.interval and answer.interval.high,
        words=answer.words,
    )
