"""Spelling that does not matter: of headers, of statuses and other words of a fixed list, and of empty cells."""

import re
from difflib import get_close_matches

# What programs write where there is nothing. Nobody is called that, so it holds for names and ids, too.
EMPTY_MARKS = frozenset({"NULL", "null", r"\N", "NaN", "nan", "NaT", "<NA>", "#N/A", "N/A", "n/a", "-", "--"})
# Somebody may be called None, and a subject may be none: empty only where numbers, times or words of a list stand.
_EMPTY_WORDS = {mark.lower() for mark in EMPTY_MARKS} | {"none", "na", "nil", "<null>", "(null)"}

# The way out for words of a file.
MAPPING = "; a mapping may say what it means"

OTHER_SPELLINGS = {"canceled": "cancelled"}

# Nearer than `confirmed` is to `completed`.
_NEAR = 0.75
_SEPARATORS = re.compile(r"[\s_-]+")


def normal(name: str) -> str:
    """A name as it is compared: its letters and digits only, in lower case (`No-Show ` is `noshow`)."""
    return "".join(character for character in name.casefold() if character.isalnum())


def loose(text: str) -> str:
    """A word as it is compared: case, blanks, hyphens and underscores do not matter, unless there is nothing else.

    Other marks stay: `!completed` is not `completed`.
    """
    return _SEPARATORS.sub("", text.casefold()) or text.strip()


def is_empty_word(text: str) -> bool:
    """Whether `text`, in any case, stands for an empty cell where no text has a place."""
    return text.lower() in _EMPTY_WORDS


def word(text: str, allowed: tuple[str, ...]) -> str | None:
    """The one of `allowed` that `text` is but for case, blanks, hyphens and underscores; None if there is none."""
    plain = loose(text)
    return {loose(one): one for one in allowed}.get(OTHER_SPELLINGS.get(plain, plain))


def not_allowed(text: str, is_in_file: bool, *, allowed: tuple[str, ...]) -> str:
    """Why `text` is refused: what is allowed, what was meant if one of them is near, and the way out."""
    near = get_close_matches(loose(text), [loose(one) for one in allowed], 1, _NEAR)
    meant = f" (did you mean {word(near[0], allowed)}?)" if near else ""
    return f"is not one of {', '.join(allowed)}{meant}{MAPPING if is_in_file else ''}"
