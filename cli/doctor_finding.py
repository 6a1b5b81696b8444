"""What `tutorq doctor` says of one thing that it looked at."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` says what to do if it is not well."""

    what: str
    ok: bool
    found: str
    advice: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
