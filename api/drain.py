"""How a process ends without failing a request: first it says so, then it stops to listen (decision 84)."""

import time
from typing import Any

import structlog
import uvicorn

log = structlog.get_logger("api")


class Drain:
    """Whether this process is about to end. While it drains, it takes requests, as those who send them need time to
    notice; each answer ends its connection."""

    def __init__(self) -> None:
        self.has_begun = False

    def begin(self) -> None:
        self.has_begun = True


class DrainingServer(uvicorn.Server):
    """uvicorn, which goes on for `drain_seconds` after it was told to end: `/api/ready` answers 503, and streams of
    events end. After a second Ctrl-C it ends at once."""

    def __init__(self, config: uvicorn.Config, drain_seconds: float) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._ends_at: float | None = None

    async def on_tick(self, counter: int) -> bool:
        if not await super().on_tick(counter):
            return False
        if self._ends_at is None:
            self._ends_at = time.monotonic() + self._drain_seconds
            self._begin()
        return self.force_exit or time.monotonic() >= self._ends_at

    def _begin(self) -> None:
        made: dict[str, Any] = self.lifespan.state
        made["drain"].begin()
        made["events"].end_streams()
        if self._drain_seconds:
            log.info("draining", seconds=self._drain_seconds)
