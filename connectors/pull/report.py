"""What a run of a connector did."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Report:
    """`rows` by entity, and the `files` that they lie in; `deleted` of `gone` sessions were here; `notes` in words."""

    name: str
    rows: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    gone: int = 0
    deleted: int = 0
    new_columns: list[str] = field(default_factory=list)
    removed_columns: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, entity: str, rows: int) -> None:
        self.rows[entity] = self.rows.get(entity, 0) + rows

    def compare_columns(self, state: dict[str, Any], entity: str, columns: list[str]) -> None:
        """Name what is new or gone since the columns that `state` remembers, and remember these."""
        known = state.get("columns")
        if known is not None:
            self.new_columns += [f"{entity}.{name}" for name in columns if name not in known]
            self.removed_columns += [f"{entity}.{name}" for name in known if name not in columns]
        state["columns"] = columns

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
