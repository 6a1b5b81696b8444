"""The Python client, installed as pip does it, against the running API."""

import importlib
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import httpx
import pytest
from pyarrow import parquet

from core.settings import PROJECT_ROOT
from tests.api.conftest import served
from tests.clients.conftest import Platform
from tests.conftest import Postgres
from tests.marts import TUTORS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tutorq_client(python_client: Path) -> Iterator[ModuleType]:
    sys.path.insert(0, str(python_client))
    try:
        yield importlib.import_module("tutorq_client")
    finally:
        sys.path.remove(str(python_client))


@pytest.fixture
def reader(tutorq_client: ModuleType, platform: Platform) -> Iterator[Any]:
    with tutorq_client.Client(platform.url, platform.read_key) as client:
        yield client


@pytest.fixture
def sender(tutorq_client: ModuleType, platform: Platform) -> Iterator[Any]:
    with tutorq_client.Client(platform.url, platform.ingest_key) as client:
        yield client


def session(session_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "session_id": session_id, "tutor_id": "T-1", "student_id": "S-1", "status": "completed",
        "scheduled_time": datetime(2026, 1, 20, 10, tzinfo=UTC), **changes,
    }  # fmt: skip


def test_lists_are_followed_to_their_end(tutorq_client: ModuleType, reader: Any) -> None:
    listed = list(reader.tutors(limit=7))
    assert len({tutor.tutor_id for tutor in listed}) == len(listed) >= TUTORS
    raised = list(reader.tutors(attention=True, sort_by="attention", risk_status=["high_risk", "watch"]))
    assert {tutor.risk_status for tutor in raised} <= {"high_risk", "watch"}
    assert 0 < len(raised) < len(listed)
    assert reader.tutor(str(raised[0].tutor_id)).name == raised[0].name
    # The first page is read when the first row is wanted.
    assert len(list(itertools.islice(reader.tutors(limit=2), 3))) == 3
    from tutorq_client.generated.api.matching import list_match_students, list_matches_of_student

    students = list(reader.rows(list_match_students, limit=3))
    assert len({student.student_id for student in students}) == len(students) > 3
    with pytest.raises(tutorq_client.ProblemError, match="There is no student"):
        next(reader.rows(list_matches_of_student, "nobody"))


def test_lists_are_saved_as_files(reader: Any, tmp_path: Path) -> None:
    reader.export("/api/tutors", tmp_path / "tutors.parquet", risk_status=["high_risk", "watch"], is_active=True)
    wanted = reader.tutors(risk_status=["high_risk", "watch"], is_active=True)
    table = parquet.read_table(tmp_path / "tutors.parquet")
    assert table["tutor_id"].to_pylist() == [str(tutor.tutor_id) for tutor in wanted]
    reader.export("/api/matching/students", str(tmp_path / "students.csv"))
    assert (tmp_path / "students.csv").read_text("utf-8-sig").startswith("student_id,")
    with pytest.raises(ValueError, match=r"\.csv or \.parquet"):
        reader.export("/api/tutors", tmp_path / "tutors.xlsx")
    assert {path.name for path in tmp_path.iterdir()} == {"tutors.parquet", "students.csv"}


def test_sessions_are_sent_in_batches_with_a_result_each(tutorq_client: ModuleType, sender: Any) -> None:
    from tutorq_client.generated.models import SessionPost

    sent = []

    def read() -> Iterator[Any]:
        for number in range(7):
            sent.append(number)
            one = session(f"batch {number}", **({"tutor_id": " ", "rating": 9} if number == 4 else {}))
            yield SessionPost.from_dict({**one, "scheduled_time": "2026-01-20T10:00:00Z"}) if number == 2 else one

    results = sender.post_sessions(read(), batch_size=3)
    first = next(results)
    assert sent == [0, 1, 2], "no more than a batch is read ahead"
    rest = [first, *results]
    assert [result.row.status for result in rest] == ["queued"] * 4 + ["rejected"] + ["queued"] * 2
    assert [result.is_rejected for result in rest].index(True) == 4
    assert rest[4].fields.keys() == {"tutor_id", "rating"}
    assert rest[4].session["session_id"] == "batch 4"
    assert [result.row.status for result in sender.post_sessions([session("batch 0"), session("batch 1")])] == [
        "duplicate", "duplicate",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="1 to 10000"):
        next(sender.post_sessions([], batch_size=0))


def test_what_is_not_a_number_is_null(sender: Any) -> None:
    """As data frames have it where a cell is empty."""
    rows = [session("no rating", rating=float("nan"), subject=None), session("decimal", rating=Decimal("NaN"))]
    assert [result.row.status for result in sender.post_sessions(rows)] == ["queued", "queued"]
    assert sender.post_session(rows[0]).duplicate is True


def test_a_file_that_fails_leaves_nothing(tutorq_client: ModuleType, reader: Any, tmp_path: Path) -> None:
    with pytest.raises(tutorq_client.ProblemError):
        reader.export("/api/tutors", tmp_path / "tutors.csv", limit=3)

    class Ends(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"tutor_id"
            raise httpx.ReadError("lost")

    asked: list[httpx.Request] = []
    with tutorq_client.Client("http://tutorq.example", "key") as client:
        client.generated.get_httpx_client()._transport._inner = httpx.MockTransport(
            lambda request: (asked.append(request), httpx.Response(200, stream=Ends()))[1]
        )
        with pytest.raises(httpx.ReadError):
            client.export("/api/reports", tmp_path / "mail.csv", since=datetime(2026, 1, 20, 10, tzinfo=UTC))
    assert asked[0].url.params["since"] == "2026-01-20T10:00:00+00:00"
    assert list(tmp_path.iterdir()) == []


def test_a_session_is_sent_once(sender: Any) -> None:
    one = session("once", rating=4.5)
    first = sender.post_session(one, idempotency_key="once")
    assert (first.session_id, first.status) == ("once", "queued")
    again = sender.post_session(one, idempotency_key="once")
    assert again.to_dict() == first.to_dict(), "the first answer, not that of a duplicate"
    assert sender.post_session(one).duplicate is True


def test_a_receipt_says_whether_the_session_is_stored(sender: Any) -> None:
    new, old = (session("versions", rating=rating, updated_at=f"2026-01-2{rating}T10:00:00Z") for rating in (5, 3))
    assert sender.post_session(new).is_stored
    assert sender.post_session(new).is_stored, "a duplicate is stored, too"
    stale = sender.post_session(old)
    assert (stale.status, stale.is_stored) == ("queued", False)
    assert repr(stale) == (
        "Receipt(session_id='versions', status='queued', stored_updated_at='2026-01-25T10:00:00+00:00', stale=True)"
    )
    assert not sender.post_session({**new, "rating": 1}).is_stored, "it contradicts a version as new"
    results = list(sender.post_sessions([new, old, {**new, "rating": 2}, {**new, "rating": 9}]))
    assert [result.row.status for result in results] == ["duplicate", "stale", "conflict", "rejected"]
    assert [result.is_stored for result in results] == [True, False, False, False]


def test_problems_are_exceptions_that_name_the_fields(tutorq_client: ModuleType, reader: Any, sender: Any) -> None:
    with pytest.raises(tutorq_client.ProblemError) as caught:
        list(reader.tutors(limit=0, offset=-1))
    problem = caught.value
    assert (problem.status, problem.type) == (400, "urn:tutorq:problem:invalid-request")
    assert problem.fields.keys() == {"limit", "offset"}
    assert "limit: Input should be greater than or equal to 1" in str(problem)
    assert problem.request_id
    with pytest.raises(tutorq_client.ProblemError, match="403"):
        reader.post_session(session("forbidden"))
    with pytest.raises(tutorq_client.ProblemError, match=r"404 Not found \(There is no tutor"):
        reader.tutor("nobody")
    with pytest.raises(tutorq_client.ProblemError) as caught:
        sender.post_session(session("wrong", status="vanished"))
    assert caught.value.fields.keys() == {"status"}


def test_it_waits_when_it_is_told_to(
    tutorq_client: ModuleType, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Ten rows at two a second: the API refuses some of them at first."""
    home = tmp_path_factory.mktemp("slow")
    answered = []
    with (
        served(postgres.new_database(home), home, ingest_rate_per_second=2) as slow,
        tutorq_client.Client(slow.base_url, slow.key) as client,
    ):
        network = client.generated.get_httpx_client()._transport._inner
        handle = network.handle_request

        def watched(request: httpx.Request) -> httpx.Response:
            response: httpx.Response = handle(request)
            answered.append((response.status_code, request.headers["Idempotency-Key"]))
            return response

        network.handle_request = watched
        assert all(client.post_session(session(f"slow {number}")).status == "queued" for number in range(8))
    statuses = [status for status, _ in answered]
    assert statuses.count(202) == 8
    assert 429 in statuses
    assert len({key for _, key in answered}) == 8, "a request keeps its key"


def answers(*outcomes: int | httpx.Response | Exception) -> Any:
    left = iter(outcomes)

    def handle(_: httpx.Request) -> httpx.Response:
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, httpx.Response) else httpx.Response(outcome)

    return httpx.MockTransport(handle)


def status(
    tutorq_client: ModuleType, method: str, *outcomes: int | httpx.Response | Exception
) -> tuple[int, list[float]]:
    from tutorq_client.persistence import PersistentTransport

    waits: list[float] = []
    transport = PersistentTransport(answers(*outcomes), attempts=4, longest_wait=60, sleep=waits.append)
    return transport.handle_request(httpx.Request(method, "http://tutorq.example")).status_code, waits


def busy(retry_after: str) -> httpx.Response:
    return httpx.Response(503, headers={"Retry-After": retry_after})


def test_what_is_sent_again_and_when(tutorq_client: ModuleType) -> None:
    lost, closed = httpx.ReadError("lost"), httpx.ConnectError("closed")
    assert status(tutorq_client, "POST", busy("3"), 202) == (202, [3])
    assert status(tutorq_client, "POST", busy("61"), 202) == (503, [])
    assert status(tutorq_client, "GET", 500) == (500, [])
    code, waits = status(tutorq_client, "GET", 429, 503, lost, 200)
    assert code == 200
    assert all(0.25 * 2**number <= wait <= 0.5 * 2**number for number, wait in enumerate(waits)), waits
    # The last answer is handed on.
    assert status(tutorq_client, "GET", *[busy("1")] * 4) == (503, [1, 1, 1])
    later = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    code, [wait] = status(tutorq_client, "GET", busy(later), 200)
    assert code == 200
    assert 0 < wait <= 30
    # If the first one has changed something, the second one does not do so once more.
    for method in ("PATCH", "DELETE"):
        assert status(tutorq_client, method, closed, lost, 200)[0] == 200
    # The first request with this Idempotency-Key is still under way; other conflicts stay.
    assert status(tutorq_client, "POST", httpx.Response(409, headers={"Retry-After": "1"}), 202) == (202, [1])
    assert status(tutorq_client, "POST", 409, 202) == (409, [])


def test_each_post_has_a_key_of_its_own(tutorq_client: ModuleType) -> None:
    from tutorq_client.persistence import PersistentTransport

    sent = []
    transport = PersistentTransport(
        httpx.MockTransport(lambda request: (sent.append(request), httpx.Response(200))[1]), attempts=1, longest_wait=1
    )
    with httpx.Client(transport=transport) as client:
        for _ in range(2):
            client.post("http://tutorq.example")
        client.post("http://tutorq.example", headers={"Idempotency-Key": "mine"})
        client.get("http://tutorq.example")
    keys = [request.headers.get("Idempotency-Key") for request in sent]
    assert len({UUID(key) for key in keys[:2]}) == 2
    assert keys[2:] == ["mine", None]


def test_what_a_proxy_says_is_a_problem_too(tutorq_client: ModuleType) -> None:
    page = httpx.Response(502, text="<h1>Bad gateway</h1>", request=httpx.Request("GET", "http://tutorq.example"))
    problem = tutorq_client.ProblemError.of(page)
    assert (problem.status, problem.type, problem.fields) == (502, "about:blank", {})
    assert "Bad gateway" in str(problem)


@pytest.mark.parametrize("errors", ["no list", ["a text"], [{"reason": "quota"}], {"field": "x"}, None, 3])
def test_errors_in_another_shape_are_a_problem_too(tutorq_client: ModuleType, errors: object) -> None:
    assert tutorq_client.ProblemError.of(httpx.Response(403, json={"errors": errors, "request_id": 7})).fields == {}
    known = {"errors": [{"field": "rating", "message": "is 9"}, "a text"]}
    assert tutorq_client.ProblemError.of(httpx.Response(400, json=known)).fields == {"rating": ["is 9"]}


@pytest.mark.soak
def test_its_types_are_whole(python_client: Path, tmp_path: Path) -> None:
    """A type checker sees what a list gives; what is generated is read for its types."""
    program = tmp_path / "program.py"
    program.write_text(
        "from tutorq_client import Client\n"
        "with Client('http://tutorq.example', 'key') as client:\n"
        "    for tutor in client.tutors(attention=True):\n"
        "        reveal_type(tutor.risk_probability)\n"
        "    for result in client.post_sessions([{}]):\n"
        "        reveal_type(result.fields)\n"
    )
    own = [str(path) for path in (python_client / "tutorq_client").glob("*.py")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", str(program), *own],
        env={"MYPYPATH": str(python_client), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert re.findall(r'Revealed type is "(.*)"', done.stdout.replace("builtins.", "")) == [
        "float | None", "dict[str, list[str]]",
    ]  # fmt: skip


def test_the_platform_does_without_it() -> None:
    found = [
        path
        for package in ("api", "backup", "cli", "core", "demo", "ingest", "ml", "orchestration", "reports", "verify")
        for path in (PROJECT_ROOT / package).rglob("*.py")
        if "tutorq_client" in path.read_text()
    ]
    assert found == []
