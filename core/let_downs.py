"""What makes a session a let-down, in words."""

from collections.abc import Sequence

VERBS = {"reschedules": "moved", "cancellations": "cancelled", "no_shows": "missed"}


def in_words(counts: Sequence[str]) -> str:
    """What the tutor did, by `TUTORQ_RELIABILITY_COUNTS`: `moved, cancelled or missed` if all of them count."""
    *others, last = [VERBS[cause] for cause in counts]
    return f"{', '.join(others)} or {last}" if others else last
