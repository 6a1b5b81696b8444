"""Where a reader of events stands: what it has seen, as Postgres names it (decision 58)."""

import re
from dataclasses import dataclass
from itertools import pairwise

from api.bodies import invalid
from api.problems import FieldError

HEADER = "Last-Event-ID"
LONGEST = 4096
# Name of the history, and the text of pg_current_snapshot(): xmin:xmax:xip,xip
PATTERN = re.compile(r"([0-9a-f]{32})\.(\d{1,19}):(\d{1,19}):((?:\d{1,19}(?:,\d{1,19})*)?)")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything that was committed at one moment of one history has been seen."""

    history: str
    snapshot: str

    def __str__(self) -> str:
        return f"{self.history}.{self.snapshot}"

    @staticmethod
    def of(text: str, field: str) -> "Cursor":
        """
        Raises:
            InvalidRequestError: it is no id of an event of this API; the error names the field.
        """
        found = PATTERN.fullmatch(text) if len(text) <= LONGEST else None
        if found is not None:
            history, xmin, xmax, in_progress = found.groups()
            first, last = int(xmin), int(xmax)
            numbers = [int(number) for number in in_progress.split(",") if number]
            in_order = all(before < after for before, after in pairwise(numbers))
            # What Postgres takes as a snapshot.
            if 0 < first <= last < 1 << 63 and in_order and all(first <= each < last for each in numbers):
                return Cursor(history, text.partition(".")[2])
        raise invalid([FieldError(field=field, message="must be the id of an event of this API")])
