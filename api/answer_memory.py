"""Answers of the present publication that were asked for again, kept in memory."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from starlette.responses import Response

# Of an entry, beside its bodies.
OVERHEAD_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer of this version. `packed` is the same with gzip, once somebody has asked for that."""

    version: str
    plain: Response
    packed: Response | None = None

    @property
    def size(self) -> int:
        return len(self.plain.body) + (len(self.packed.body) if self.packed else 0) + OVERHEAD_BYTES


class AnswerMemory:
    """The answers that were used last, by address and role, in at most so many bytes; 0 keeps none.

    It is as new as the versions that `find` is told: who takes an answer has looked up the version after the request
    came. Once it was told of another publication, no body of the one before is held, and none is taken.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._publication = ("", 0)

    def __bool__(self) -> bool:
        return bool(self._kept)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def find(self, key: Hashable, version: str) -> Kept | None:
        """The answer, if it is of the present version, which is this one."""
        self.note(version)
        kept = self._kept.get(key)
        if kept is None or kept.version != version:
            return None
        self._kept.move_to_end(key)
        return kept

    def keep(self, key: Hashable, kept: Kept) -> None:
        """Put an answer in, or in the place of another one; those used longest ago make room.

        One of an older publication is late, and is not kept.
        """
        if _publication(kept.version)[1] < self._publication[1]:
            return
        self.note(kept.version)
        self._forget(key)
        if kept.size <= self._most_bytes:
            self._kept[key] = kept
            self._bytes += kept.size
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._kept)))

    def note(self, version: str) -> None:
        """Forget all answers, unless they are of the publication of this version, which is the present one."""
        if _publication(version) != self._publication:
            self._kept.clear()
            self._bytes = 0
            self._publication = _publication(version)

    def _forget(self, key: Hashable) -> None:
        if key in self._kept:
            self._bytes -= self._kept.pop(key).size


def _publication(version: str) -> tuple[str, int]:
    """Generation, and the moment of its last refresh: every version begins with them, whatever else it looks at."""
    generation, refreshed_at, *_ = version.split(".", 2)
    return generation, int(refreshed_at)
