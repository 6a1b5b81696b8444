"""What people are called in answers: `Tutor 3f2a`. The same person is called the same in all answers of a session."""

from collections.abc import Iterable
from hashlib import sha256

SHORTEST = 4


class Masks:
    """What the people of one session are called.

    A mask is the beginning of a hash of the id, longer where two people would share it. Students are always masked,
    tutors unless `tutor_names` is set.
    """

    def __init__(self, *, tutor_names: bool) -> None:
        self.tutor_names = tutor_names
        self._ids: dict[str, str] = {}
        self._called: dict[tuple[str, str], str] = {}

    def tutor(self, tutor_id: str, name: str | None) -> str:
        """What a tutor is called: by name if that is known and allowed, else by a mask."""
        # Of two with one name, the second one is told by the mask, too.
        named = [name, *(f"{name} ({mask})" for mask in _masks("tutor", tutor_id))] if name and self.tutor_names else []
        return self._call("tutor", tutor_id, [*named, *_masks("Tutor", tutor_id)])

    def student(self, student_id: str) -> str:
        return self._call("student", student_id, _masks("Student", student_id))

    def id_of(self, said: str) -> str:
        """The id of whom answers of this session call so; anything else is taken for an id."""
        return self._ids.get(" ".join(said.split()).casefold(), said.strip())

    def _call(self, kind: str, person_id: str, names: Iterable[str]) -> str:
        if known := self._called.get((kind, person_id)):
            return known
        name = next(name for name in names if " ".join(name.split()).casefold() not in self._ids)
        self._ids[" ".join(name.split()).casefold()] = person_id
        self._called[kind, person_id] = name
        return name


def _masks(kind: str, person_id: str) -> list[str]:
    digest = sha256(person_id.encode()).hexdigest()
    return [f"{kind} {digest[:length]}" for length in range(SHORTEST, len(digest) + 1)]
