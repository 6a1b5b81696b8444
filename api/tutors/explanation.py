"""A tutor's scores in plain words.

The reader may be the tutor: sentences say what was counted and how sure it is, never what somebody is like.
Every number is a stored column; nothing is computed here.
"""

from collections.abc import Sequence

from pydantic import BaseModel

from api.publication import Meta
from api.tutors.concerns import in_words, patterns_in_words
from api.tutors.schemas import (
    Component,
    ComponentEvidence,
    EvidenceSession,
    RiskStatus,
    Slot,
    TutorExplanation,
    TutorExplanationResponse,
    TutorScore,
)
from core import concerns
from core.let_downs import in_words as let_down
from core.patterns import Pattern
from core.words import estimated, percent, plural


class Baseline(BaseModel):
    """The columns of `marts.platform_baseline` that tutors are compared with."""

    let_down_rate_90d: float | None
    tutor_no_show_rate_90d: float | None
    first_session_rate: float | None
    rating_mean_90d: float | None
    reliability_share: float | None
    attendance_share: float | None
    first_session_share: float | None
    rating_share: float | None


class Rules(concerns.Rules):
    """The columns of `marts.publication` that say how scores were made."""

    risk_threshold: float
    timezone: str
    reliability_weight: float
    attendance_weight: float
    first_session_weight: float
    rating_weight: float


class Facts(BaseModel):
    """What the query gives: all that an explanation is made from."""

    score: TutorScore
    baseline: Baseline
    rules: Rules
    concerns: list[concerns.Concern]
    patterns: list[Pattern]
    slots: list[Slot]
    evidence_sessions: list[EvidenceSession]
    meta: Meta


def explain(facts_json: bytes) -> bytes:
    """The body of the answer (`TutorExplanationResponse`) from the body of the query (`Facts`)."""
    facts = Facts.model_validate_json(facts_json)
    score = facts.score
    recently = concerns.Recently(let_down_rate_30d=score.let_down_rate_30d, trend_30d=score.trend_30d)
    explanation = TutorExplanation(
        tutor_id=score.tutor_id,
        external_id=score.external_id,
        name=score.name,
        risk_status=score.risk_status,
        risk_status_since=score.risk_status_since,
        risk_probability=score.risk_probability,
        risk_threshold=facts.rules.risk_threshold,
        reliability_counts=facts.rules.reliability_counts,
        quality_score=score.quality_score,
        sentence=status_sentence(score, facts.concerns, facts.rules),
        attention=score.attention,
        concerns=in_words(facts.concerns, facts.rules, recently),
        patterns=patterns_in_words(facts.patterns, facts.rules),
        slots=facts.slots,
        timezone=facts.rules.timezone,
        components=[
            _reliability(score, facts),
            _attendance(score, facts),
            _first_session(score, facts),
            _rating(score, facts),
        ],
        evidence_sessions=facts.evidence_sessions,
    )
    return TutorExplanationResponse(data=explanation, meta=facts.meta).model_dump_json().encode()


def status_sentence(score: TutorScore, known: Sequence[concerns.Concern], rules: Rules) -> str:
    """The status in one sentence: what is of concern, or else what is known of let-downs."""
    raised = [each for each in known if each.status is concerns.ConcernStatus.RAISED and not each.superseded]
    if score.attention and raised:
        since = min(each.raised_on for each in raised if each.raised_on)
        return f"Needs attention since {since:%-d %B %Y}: {concerns.listed([each.concern for each in raised])}."
    sessions = plural(score.sessions_90d, "session")
    if score.risk_status is RiskStatus.INSUFFICIENT_DATA:
        held = "no session" if score.sessions_90d == 0 else f"only {sessions}"
        return f"Not rated: there was {held} in the last 90 days, too few for a fair judgement."
    what = f"the tutor {let_down(rules.reliability_counts)} {score.let_downs_90d} of {sessions} in the last 90 days"
    sure = (
        f"the probability that the long-run rate is above {percent(rules.risk_threshold)} is "
        f"{estimated(score.risk_probability)}"
    )
    since_then = f" since {score.risk_status_since:%-d %B %Y}" if score.risk_status_since else ""
    if score.risk_status is RiskStatus.OK:
        return f"Fine{since_then}: {what}, and {sure}."
    if score.risk_status is RiskStatus.WATCH:
        return f"On watch{since_then}: {what}, and {sure}, which is not certain enough for more than a closer look."
    return f"High risk{since_then}: {what}, and {sure}."


def _reliability(score: TutorScore, facts: Facts) -> Component:
    short = score.short_notice_90d
    if score.sessions_90d == 0:
        sentence = "No session in the last 90 days, so reliability does not count."
    else:
        did, sessions = let_down(facts.rules.reliability_counts), plural(score.sessions_90d, "session")
        sentence = (
            f"The tutor {did} {score.let_downs_90d} of {sessions} in the last 90 days; "
            f"across all tutors, the share is {percent(facts.baseline.let_down_rate_90d)}. "
            f"{f'{short} at short notice. ' if short else ''}"
            "What is excused or caused by students is not a let-down."
        )
    return Component(
        name="reliability",
        value=score.reliability_component,
        weight=facts.rules.reliability_weight,
        variance_share=facts.baseline.reliability_share,
        evidence=ComponentEvidence(
            n=score.sessions_90d,
            k=score.let_downs_90d,
            mean=None,
            expected=score.let_down_rate_expected,
            platform=facts.baseline.let_down_rate_90d,
        ),
        sentence=sentence,
    )


def _attendance(score: TutorScore, facts: Facts) -> Component:
    if score.sessions_90d == 0:
        sentence = "No session in the last 90 days, so attendance does not count."
    else:
        sentence = (
            f"The tutor missed {score.tutor_no_shows_90d} of {plural(score.sessions_90d, 'session')} in the last "
            f"90 days; across all tutors, the share is {percent(facts.baseline.tutor_no_show_rate_90d)}."
        )
    return Component(
        name="attendance",
        value=score.attendance_component,
        weight=facts.rules.attendance_weight,
        variance_share=facts.baseline.attendance_share,
        evidence=ComponentEvidence(
            n=score.sessions_90d,
            k=score.tutor_no_shows_90d,
            mean=None,
            expected=score.tutor_no_show_rate_expected,
            platform=facts.baseline.tutor_no_show_rate_90d,
        ),
        sentence=sentence,
    )


def _first_session(score: TutorScore, facts: Facts) -> Component:
    if score.first_meetings == 0:
        sentence = "No first session with a student is old enough to tell whether the student came back."
    else:
        sentence = (
            f"After {score.first_meetings_continued} of {plural(score.first_meetings, 'first session')} with a new "
            f"student, the student came back in time; across all tutors, the share is "
            f"{percent(facts.baseline.first_session_rate)}."
        )
    return Component(
        name="first_session",
        value=score.first_session_component,
        weight=facts.rules.first_session_weight,
        variance_share=facts.baseline.first_session_share,
        evidence=ComponentEvidence(
            n=score.first_meetings,
            k=score.first_meetings_continued,
            mean=None,
            expected=score.first_session_rate_expected,
            platform=facts.baseline.first_session_rate,
        ),
        sentence=sentence,
    )


def _rating(score: TutorScore, facts: Facts) -> Component:
    if score.rating_mean_90d is None:
        sentence = "No rating in the last 90 days, so ratings do not count."
    else:
        platform = facts.baseline.rating_mean_90d
        comparison = "" if platform is None else f"; across all tutors, the mean is {platform:.1f}"
        sentence = (
            f"{plural(score.ratings_90d, 'rating')} in the last 90 days, with a mean of "
            f"{score.rating_mean_90d:.1f} of 5{comparison}. A few ratings alone move the score little."
        )
    return Component(
        name="rating",
        value=score.rating_component,
        weight=facts.rules.rating_weight,
        variance_share=facts.baseline.rating_share,
        evidence=ComponentEvidence(
            n=score.ratings_90d,
            k=None,
            mean=score.rating_mean_90d,
            expected=score.rating_expected,
            platform=facts.baseline.rating_mean_90d,
        ),
        sentence=sentence,
    )
