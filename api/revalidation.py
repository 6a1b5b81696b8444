"""The shortest way to an answer: most of what a page asks for has been asked for before."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import ApiError, problem_response
from api.state import AnswerAgain, record_of, route_of

# Some 1.5 kB each; SQL is shared by the addresses that it answers.
REMEMBERED_ADDRESSES = 8192
LONGEST_ADDRESS = 500


@dataclass(frozen=True, slots=True)
class _Answered:
    again: AnswerAgain
    route: str | None


class Revalidation:
    """Middleware: answers before FastAPI what an address stands for, which is known from its last full answer.

    Nothing else goes past FastAPI, and callers are looked at every time.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._answered: dict[tuple[str, bytes], _Answered] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        address = scope["path"], scope["query_string"]
        answered = self._answered.get(address)
        record = record_of(scope)
        if answered is not None:
            record.route = answered.route
            try:
                response = await answered.again(Request(scope, receive, send))
            except ApiError as error:  # all that refuses here (RevalidatedRoute)
                response = problem_response(error, record.request_id)
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)
        if record.answer_again is not None and sum(map(len, address)) <= LONGEST_ADDRESS:
            if len(self._answered) >= REMEMBERED_ADDRESSES:
                del self._answered[next(iter(self._answered))]
            self._answered[address] = _Answered(record.answer_again, route_of(scope))
