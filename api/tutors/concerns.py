"""One tutor with the concerns about them in words."""

from collections.abc import Sequence

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from api.tutors.schemas import TutorConcern, TutorPattern
from core import patterns
from core.concerns import Concern, Recently, Rules, ending, sentence
from core.patterns import Pattern


class Known(BaseModel):
    """What sentences are made from."""

    concerns: list[Concern]
    patterns: list[Pattern]
    rules: Rules
    recently: Recently


def describe(found: bytes) -> bytes:
    """The body of the answer (`TutorResponse`) from the body of the query. Columns of the marts go through as they
    are: to check what Postgres has made takes longer than to read it."""
    scores, _, facts_json = found.partition(b"\n")
    facts = from_json(facts_json)
    known = Known.model_validate(facts)
    others = {
        "profile": facts["profile"],
        "concerns": [
            {
                **row,
                "sentence": sentence(concern, known.rules, recently=known.recently),
                "ending": ending(concern, known.rules),
            }
            for row, concern in zip(facts["concerns"], known.concerns, strict=True)
        ],
        "patterns": patterns_in_words(known.patterns, known.rules),
    }
    data = b",".join((scores.removesuffix(b"}"), to_json(others).removeprefix(b"{")))
    return b'{"data":%b,"meta":%b}' % (data, to_json(facts["meta"]))


def in_words(concerns: Sequence[Concern], rules: Rules, recently: Recently) -> list[TutorConcern]:
    """The concerns with their sentences."""
    return [
        TutorConcern(
            **dict(concern), sentence=sentence(concern, rules, recently=recently), ending=ending(concern, rules)
        )
        for concern in concerns
    ]


def patterns_in_words(known: Sequence[Pattern], rules: Rules) -> list[TutorPattern]:
    """Patterns with their sentences."""
    return [
        TutorPattern(**dict(pattern), sentence=patterns.sentence(pattern, rules.reliability_counts))
        for pattern in known
    ]
