"""One tutor with the concerns about them in words."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from api.publication import Meta
from api.tutors.schemas import TutorConcern, TutorDetail, TutorPattern, TutorResponse
from core import patterns
from core.concerns import Concern, Rules, ending, sentence
from core.patterns import Pattern


class Facts(BaseModel):
    """What the query gives."""

    tutor: dict[str, Any]
    concerns: list[Concern]
    patterns: list[Pattern]
    rules: Rules
    meta: Meta


def describe(facts_json: bytes) -> bytes:
    """The body of the answer (`TutorResponse`) from the body of the query (`Facts`)."""
    facts = Facts.model_validate_json(facts_json)
    in_sentences = {
        "concerns": in_words(facts.concerns, facts.rules),
        "patterns": patterns_in_words(facts.patterns, facts.rules),
    }
    tutor = TutorDetail.model_validate({**facts.tutor, **in_sentences})
    return TutorResponse(data=tutor, meta=facts.meta).model_dump_json().encode()


def in_words(concerns: Sequence[Concern], rules: Rules) -> list[TutorConcern]:
    """The concerns with their sentences."""
    return [
        TutorConcern(**dict(concern), sentence=sentence(concern, rules), ending=ending(concern, rules))
        for concern in concerns
    ]


def patterns_in_words(known: Sequence[Pattern], rules: Rules) -> list[TutorPattern]:
    """Patterns with their sentences."""
    return [
        TutorPattern(**dict(pattern), sentence=patterns.sentence(pattern, rules.reliability_counts))
        for pattern in known
    ]
