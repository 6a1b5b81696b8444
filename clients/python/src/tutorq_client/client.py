"""The way into the API."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

from tutorq_client.generated import AuthenticatedClient
from tutorq_client.generated.api.sessions import list_upcoming_sessions
from tutorq_client.generated.api.tutors import get_tutor, list_tutors
from tutorq_client.generated.models import (
    BatchReceipt,
    BatchRow,
    SessionPost,
    SessionReceipt,
    TutorDetail,
    TutorRow,
    UpcomingSession,
)
from tutorq_client.generated.types import UNSET
from tutorq_client.persistence import PersistentTransport
from tutorq_client.problems import ProblemError

KEY_HEADER = "X-API-Key"
MOST_ROWS = 10_000
PAGE_ROWS = 500

# A session as the API describes it; in a mapping, ids, times and statuses may be texts.
Session = SessionPost | Mapping[str, Any]


class Receipt(SessionReceipt):
    """What became of one session; `status` is always `queued`."""

    @property
    def is_stored(self) -> bool:
        """Whether the session is stored as it was sent. If not, `stale` or `conflict` says why."""
        return not self.stale and not self.conflict

    def __repr__(self) -> str:
        return f"Receipt({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"


@dataclass(frozen=True)
class SessionResult:
    """What became of one session of a batch."""

    session: Session
    row: BatchRow

    @property
    def is_rejected(self) -> bool:
        """Whether it was not taken; `fields` says why."""
        return self.row.status == "rejected"

    @property
    def is_stored(self) -> bool:
        """Whether it is stored as it was sent; else `row.status` and `row.conflict` say why not."""
        return self.row.status in ("queued", "duplicate") and not self.row.conflict

    @property
    def fields(self) -> dict[str, list[str]]:
        """What is wrong with it, by field."""
        found: dict[str, list[str]] = {}
        for error in self.row.errors or []:
            found.setdefault(error.field, []).append(error.message)
        return found


class Client:
    """The API at an address, with a key. Use it in a `with` statement, or close it.

    `timeout` is in seconds, for one try; `attempts` and `longest_wait` (seconds) limit how often and after how long a
    request is sent again (`PersistentTransport`). `verify` is as httpx takes it.

    Raises (every method):
        ProblemError: the API refused the request.
        httpx.TransportError: it could not be reached.
    """

    def __init__(
        self,
        address: str,
        key: str,
        *,
        timeout: float = 30,
        attempts: int = 6,
        longest_wait: float = 60,
        verify: ssl.SSLContext | str | bool = True,
    ) -> None:
        transport = PersistentTransport(httpx.HTTPTransport(verify=verify), attempts, longest_wait)
        #: For the operations in `tutorq_client.generated.api`: `call` takes them, and hands this to them.
        self.generated = AuthenticatedClient(
            base_url=address.rstrip("/"),
            token=key,
            prefix="",
            auth_header_name=KEY_HEADER,
            timeout=httpx.Timeout(timeout),
            httpx_args={"transport": transport, "event_hooks": {"response": [_raise_for_problem]}},
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, operation: Any, *arguments: Any, **named: Any) -> Any:
        """The parsed answer of any operation: `client.call(get_overview)`, with `get_overview` from
        `tutorq_client.generated.api.overview`."""
        return operation.sync(*arguments, client=self.generated, **named)

    def rows(self, operation: Any, *arguments: Any, **filters: Any) -> Iterator[Any]:
        """Every row of a list, page by page, even while rows come and go: `client.rows(list_cases, owner="nobody")`."""
        filters.setdefault("limit", PAGE_ROWS)
        while True:
            page = self.call(operation, *arguments, **filters)
            yield from page.data
            if page.meta.next_cursor is None:
                return
            filters.update(cursor=page.meta.next_cursor, offset=UNSET)

    def tutors(self, **filters: Any) -> Iterator[TutorRow]:
        """Tutors with their scores; filters are those of `GET /api/tutors`, such as `attention=True`."""
        return self.rows(list_tutors, **filters)

    def tutor(self, tutor_id: str) -> TutorDetail:
        """One tutor, by UUID or by the id as delivered."""
        found: TutorDetail = self.call(get_tutor, tutor_id).data
        return found

    def upcoming_sessions(self, **filters: Any) -> Iterator[UpcomingSession]:
        """Sessions to come; filters are those of `GET /api/sessions/upcoming`."""
        return self.rows(list_upcoming_sessions, **filters)

    def export(self, path: str, file: str | Path, **filters: Any) -> None:
        """Save every row of a list that fits the filters: `client.export("/api/cases", "cases.csv", owner="nobody")`.

        The name of the file says in which format: .csv or .parquet. The file is there when it is whole.
        """
        file = Path(file)
        kind = file.suffix.removeprefix(".")
        if kind not in ("csv", "parquet"):
            raise ValueError("The file must be called .csv or .parquet")
        unfinished = file.with_name(f"{file.name}.part")
        try:
            with (
                self._http.stream("GET", path, params={**_as_query(filters), "format": kind}) as response,
                unfinished.open("wb") as out,
            ):
                for part in response.iter_bytes():
                    out.write(part)
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)

    def post_session(self, session: Session, *, idempotency_key: str | None = None) -> Receipt:
        """Hand in one session. What became of it is final when this returns: `is_stored` of the receipt. Sending it
        again changes nothing."""
        return Receipt.from_dict(self._post("/api/sessions", session, idempotency_key))

    def post_sessions(self, sessions: Iterable[Session], *, batch_size: int = 1000) -> Iterator[SessionResult]:
        """Hand in many sessions, in batches of at most 10,000: the results come in the order of the sessions.

        The next batch is sent when the results of the last one have been taken: without a loop over the results nothing
        is sent.
        """
        if not 1 <= batch_size <= MOST_ROWS:
            raise ValueError(f"batch_size must be 1 to {MOST_ROWS}")
        waiting = iter(sessions)
        while batch := list(islice(waiting, batch_size)):
            receipt = BatchReceipt.from_dict(self._post("/api/sessions/batch", batch))
            for session, row in zip(batch, receipt.rows, strict=True):
                yield SessionResult(session, row)

    @property
    def _http(self) -> httpx.Client:
        return self.generated.get_httpx_client()

    def _post(self, path: str, body: object, idempotency_key: str | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        response = self._http.post(path, content=json.dumps(_as_json(body), allow_nan=False), headers=headers)
        answer: dict[str, Any] = response.json()
        return answer


def _raise_for_problem(response: httpx.Response) -> None:
    """Before a body is parsed: that of an error may be a page by a proxy, and a redirect has none."""
    if response.status_code >= 300 and response.status_code != httpx.codes.NOT_MODIFIED:
        response.read()
        raise ProblemError.of(response)


def _as_json(value: Any) -> Any:
    """The value as JSON has it: models as objects, times as text, NaN as null."""
    if isinstance(value, SessionPost):
        value = value.to_dict()
    if isinstance(value, Mapping):
        return {str(name): _as_json(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(each) for each in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if value != value:  # NaN and NaT alone are unlike themselves
        return None
    if isinstance(value, float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _as_query(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Filters as parameters: times as the API writes them, and none for what is not filtered by."""

    def plain(value: Any) -> Any:
        return value.isoformat() if hasattr(value, "isoformat") else value

    return {
        name: [plain(each) for each in value] if isinstance(value, (list, tuple)) else plain(value)
        for name, value in filters.items()
        if value is not None
    }
