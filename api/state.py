"""What goes along with a request, in Starlette's `request.state` and nowhere else.

Two things stand there: what the application made once, at its start (`LifespanState` in lifespan.py), and the record of
the request. Endpoints get the first by aliases (dependencies.py); the second is written on the way to the answer.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from core.roles import Role

# The answer to a request for an address that was answered before. Raises `ApiError` if the caller may not read it.
AnswerAgain = Callable[[Request], Awaitable[Response]]
# The same for a caller who may read it with this role.
AnswerAs = Callable[[Request, Role], Awaitable[Response]]


@dataclass(slots=True)
class RequestRecord:
    """What the log line, the metrics and problems tell of a request. `status` is there once the answer has begun.

    `EveryRequest` (every_request.py) makes it. `auth` names the caller, `UnexpectedErrors` (problems.py) notes what
    nobody expected, what answers without a route of its own names one, and caching.py says what the address stands for,
    and how the next request for it may be answered.
    """

    request_id: str
    status: int | None = None
    caller: str | None = None
    error: Exception | None = None
    route: str | None = None
    answer_as: AnswerAs | None = None
    answer_again: AnswerAgain | None = None


def start_record(scope: Scope, request_id: str) -> RequestRecord:
    """The record of a request that has just come in."""
    record = scope.setdefault("state", {})["record"] = RequestRecord(request_id)
    return record


def record_of(scope: Scope) -> RequestRecord:
    record: RequestRecord = scope["state"]["record"]
    return record


def route_of(scope: Scope) -> str | None:
    """Template of the route that took the request, never its path, which may name somebody; None if there is none."""
    return record_of(scope).route or getattr(scope.get("route"), "path", None)


class FromState:
    """Dependency on what the lifespan made, by its name there."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, request: Request) -> Any:
        return getattr(request.state, self.name)


def from_state(name: str) -> Any:
    """For aliases: `MartsDep = Annotated[Marts, from_state("marts")]`. A test compares types with `LifespanState`."""
    return Depends(FromState(name))
