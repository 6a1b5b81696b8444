"""What was not plain in a file, and what was made of it: said in the summary of its load, in words."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

# Of values like those of a note, so many are shown.
SHOWN_EXAMPLES = 3

NoteKind = Literal["understood", "guessed", "left out"]


@dataclass
class Note:
    """One thing that was noticed, how often, and the first examples of it.

    `understood`: written unusually, but with one meaning only. `guessed`: the likeliest meaning, with the evidence in
    the text; `--strict` refuses such a file. `left out`: cells that cost only themselves.
    """

    kind: NoteKind
    text: str
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """With its count and its examples: `cells are separated by semicolons`, `rating: … cells: 12 (4,5; 3,5)`."""
        text = self.text if self.count <= 1 else f"{self.text}: {self.count:,}"
        return f"{text} ({'; '.join(self.examples)})" if self.examples else text


class Notes:
    """The notes of one file, in the order in which they came up first; equal texts are counted together."""

    def __init__(self) -> None:
        self._notes: dict[tuple[NoteKind, str], Note] = {}

    def add(self, kind: NoteKind, text: str, count: int = 1, examples: Iterable[str] = ()) -> None:
        note = self._notes.setdefault((kind, text), Note(kind, text))
        note.count += count
        for example in examples:
            if len(note.examples) >= SHOWN_EXAMPLES:
                break
            if example not in note.examples:
                note.examples.append(example)

    @property
    def all(self) -> list[Note]:
        return list(self._notes.values())
