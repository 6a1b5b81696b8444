"""What a language model is asked to put into words, and what of its answer is taken."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

Texts_co = TypeVar("Texts_co", covariant=True)

_NUMBER = re.compile(r"(\d+(?:[.,]\d+)*)(\s*(?:%|per\s?cent\b))?", re.IGNORECASE)
# Not "one", which mostly is no number ("one of you", "one-to-one").
_NUMBER_WORD = re.compile(
    r"\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|seventy"
    r"|eighty|ninety|hundreds?|thousands?|millions?|billions?|half|halves|halved|halving|thirds?|quarters?|fifths?|sixths?"
    r"|sevenths?|eighths?|ninths?|tenths?|hundredths?|twice|thrice|doubl(?:e|es|ed|ing)|tripl(?:e|es|ed|ing)"
    r"|quadrupl(?:e|es|ed|ing)|(?:two|three|four|five|six|ten|hundred)fold|dozens?|zero)\b"
    # 3k, 3x, 3-fold; signs that are fractions or powers.
    r"|\d\s*-?(?:k|m|x|fold)\b|\d\s*\u00d7|[\u00bc-\u00be\u2150-\u215f\u2189\u00b2\u00b3\u00b9\u2070-\u2079]",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?=\s+[\"'(]?[A-Z]|\s*$)")


class UnusableTextError(ValueError):
    """What a language model wrote is not to be shown; the text says why."""


@dataclass(frozen=True)
class TextTask(Generic[Texts_co]):
    """Facts to be put into words.

    Args:
        system: what the language model is told about the task.
        facts: numbers and fixed words, one fact a line; nothing else is sent.
        version: texts of another version, of the task or of what the facts were made by, are not used again.
        form: a dataclass of texts; the answer is a JSON object with its fields.
        check: gives the texts, tidied, or raises UnusableTextError.
    """

    system: str
    facts: str
    version: Sequence[str]
    form: Callable[..., Texts_co]
    check: Callable[[Any], Texts_co]

    def key(self, writer: str) -> str:
        """Names the texts for these facts by this language model."""
        parts = (*self.version, writer, self.system, self.facts)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def read(self, answer: object) -> Texts_co:
        """The texts of an answer.

        Raises:
            UnusableTextError: it is not what was asked for, or must not be shown.
        """
        names = [field.name for field in fields(self.form)]  # type: ignore[arg-type]
        if not isinstance(answer, Mapping) or not all(isinstance(answer.get(name), str) for name in names):
            raise UnusableTextError("not the JSON that was asked for")
        return self.check(self.form(**{name: answer[name] for name in names}))


def tidied(text: str) -> str:
    return " ".join(text.split())


def check_text(text: str, given: str, *, sentences: tuple[int, int], longest: int) -> None:
    """That every number of a text is in `given`, and that it has about the wanted length.

    Args:
        text: as `tidied` gives it.
        sentences: least and greatest number of them.
        longest: in characters.

    Raises:
        UnusableTextError: it is empty, too long or too short, or has a number of its own.
    """
    if not text:
        raise UnusableTextError("empty")
    if len(text) > longest:
        raise UnusableTextError("too long")
    least, most = sentences
    if not least <= len(_SENTENCE_END.findall(text)) <= most:
        raise UnusableTextError(
            f"not {_NUMERALS[least]} {'or' if most == least + 1 else 'to'} {_NUMERALS[most]} sentences"
        )
    if _NUMBER_WORD.search(text) or not set(_numbers(text)) <= set(_numbers(given)):
        raise UnusableTextError("a number that was not given")


_NUMERALS = ("no", "one", "two", "three", "four", "five", "six")


def _numbers(text: str) -> list[tuple[str, bool]]:
    """Every number as it is written, and whether it is a percentage."""
    return [(number, bool(unit)) for number, unit in _NUMBER.findall(text)]
