"""Lists as files: the same rows as the JSON, all of them, safe to open, and told to the audit log."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import httpx2
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from pyarrow import parquet

from api import exports
from api.audit.schemas import AuditEntry
from api.cases.schemas import Case
from api.exports import Column, CsvWriter, Kind, ParquetWriter, columns_of
from api.limits import EXPORTS_AT_ONCE
from api.matching.schemas.people import MatchStudent, MatchTutor
from api.matching.schemas.predictions import Match
from api.paging import Page
from api.problems import DatabaseUnavailableError
from api.reports.queries import AuditTrail
from api.reports.schemas import Report, ReportFilters
from api.stand_ins.schemas import StandIn
from api.tutors.schemas import TutorRow
from api.upcoming.schemas import UpcomingSession
from core.roles import Role
from tests.api.conftest import Served, served
from tests.api.lists import fill
from tests.api.test_auth_sessions import new_key
from tests.api.test_problems import problem
from tests.conftest import Postgres

LISTS = {
    "/api/tutors?trend_weeks=3": ("tutors", TutorRow),
    "/api/tutors?sort_by=name&sort_order=asc&is_active=true": ("tutors", TutorRow),
    "/api/sessions/upcoming?sort_by=scheduled_time": ("upcoming-sessions", UpcomingSession),
    "/api/sessions/U-1/stand-ins?": ("stand-ins", StandIn),
    "/api/cases?": ("cases", Case),
    "/api/reports?": ("reports", Report),
    "/api/matching/students?": ("students", MatchStudent),
    "/api/matching/tutors?": ("match-tutors", MatchTutor),
    "/api/matching/students/S-1/matches?": ("matches", Match),
    "/api/matching/tutors/T-1/matches?": ("matches", Match),
}


@pytest.fixture(scope="module")
def platform(postgres: Postgres, people: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("exports")
    with served(postgres.new_database(home, people), home) as platform:
        fill(platform)
        yield platform


@pytest.fixture
def client(platform: Served) -> Iterator[httpx2.Client]:
    """Of a key of its own: how often one may export is limited."""
    with platform.client(new_key(platform, str(uuid4()), Role.ADMIN)) as client:
        yield client


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that each list has several."""
    monkeypatch.setattr(exports, "PAGE_ROWS", 2)


def read_csv(content: bytes) -> tuple[list[str], list[list[str]]]:
    head, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return head, rows


def as_stored(column: Column, value: Any) -> Any:
    """A value of JSON as Parquet gives it."""
    if value is None:
        return None
    if column.kind is Kind.MOMENT:
        return datetime.fromisoformat(value)
    if column.kind is Kind.DAY:
        return date.fromisoformat(value)
    return exports.json.dumps(value, ensure_ascii=False) if column.kind is Kind.JSON else value


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("address", LISTS)
def test_files_hold_what_the_list_holds(client: httpx2.Client, address: str) -> None:
    name, model = LISTS[address]
    expected = client.get(f"{address}&limit=500").json()
    rows, meta = expected["data"], expected["meta"]
    assert len(rows) == meta["total"] >= 3
    columns = list(columns_of(model))
    as_csv = client.get(f"{address}&format=csv")
    assert as_csv.status_code == 200, as_csv.text
    head, lines = read_csv(as_csv.content)
    assert head == [column.name for column in columns]
    assert lines == [[exports._cell(column.of(row)) for column in columns] for row in rows]
    as_parquet = client.get(f"{address}&format=parquet")
    assert as_parquet.status_code == 200, as_parquet.text
    table = parquet.read_table(io.BytesIO(as_parquet.content))
    assert table.to_pylist() == [{each.name: as_stored(each, each.of(row)) for each in columns} for row in rows]
    day = meta.get("as_of", datetime.now(UTC).date().isoformat())
    for answer, ending, kind in (
        (as_csv, "csv", "text/csv; charset=utf-8; header=present"),
        (as_parquet, "parquet", "application/vnd.apache.parquet"),
    ):
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}-{day}.{ending}"'
        assert answer.headers["cache-control"] == "private, no-store"
        assert "link" not in answer.headers


def test_nested_fields_have_names_with_dots_and_types_of_their_own() -> None:
    kinds = {column.name: column.kind for column in columns_of(Case)}
    assert (kinds["tutor.name"], kinds["tutor.is_active"]) == (Kind.TEXT, Kind.BOOLEAN)
    assert kinds["owner.name"] is Kind.TEXT
    assert (kinds["raised"], kinds["weekly_let_down_rates"]) == (Kind.JSON, Kind.NUMBERS)
    assert (kinds["due_on"], kinds["opened_at"]) == (Kind.DAY, Kind.MOMENT)
    tutors = {column.name: column.kind for column in columns_of(TutorRow)}
    assert (tutors["subjects"], tutors["concerns"], tutors["risk_status"]) == (Kind.TEXTS, Kind.TEXTS, Kind.TEXT)
    assert (tutors["sessions_90d"], tutors["quality_score"]) == (Kind.INTEGER, Kind.NUMBER)
    assert {column.name: column.kind for column in columns_of(AuditEntry)}["details"] is Kind.JSON


def test_what_a_spreadsheet_would_run_is_text(platform: Served, client: httpx2.Client) -> None:
    names = ["=1+1", "+Ann", "-Ann", "@Ann", "\tAnn", 'Änn, "the" 1st', "O'Hara"]
    query = "?sort_by=name&sort_order=asc&search=S-&format=csv"
    with platform.database.connect() as connection:
        for number, name in enumerate(names):
            connection.execute("update raw.students set name = %s where external_id = %s", (name, f"S-{1 + number}"))
        connection.execute("update ml.prediction_version set version = version + 1")
    answer = client.get(f"/api/matching/students{query}")
    head, rows = read_csv(answer.content)
    by_id = {row[head.index("external_id")]: row[head.index("name")] for row in rows}
    expected = ["'=1+1", "'+Ann", "'-Ann", "'@Ann", "'\tAnn", 'Änn, "the" 1st', "O'Hara"]
    assert [by_id[f"S-{1 + number}"] for number in range(len(names))] == expected
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer.content.count(b"\r\n") == answer.content.count(b"\n") == len(rows) + 1
    # Numbers stay numbers, below 0, too.
    head, rows = read_csv(client.get("/api/tutors?format=csv").content)
    trends = [row[head.index("trend_30d")] for row in rows]
    assert any(trend.startswith("-") for trend in trends), trends
    table = parquet.read_table(io.BytesIO(client.get(f"/api/matching/students{query[:-3]}parquet").content))
    assert set(names) <= set(table["name"].to_pylist())


def test_an_empty_list_is_a_file_with_a_head(client: httpx2.Client) -> None:
    head, rows = read_csv(client.get("/api/tutors?search=nobody&format=csv").content)
    assert ("tutor_id" in head, rows) == (True, [])
    table = parquet.read_table(io.BytesIO(client.get("/api/tutors?search=nobody&format=parquet").content))
    assert (table.num_rows, table.column_names) == (0, head)


def test_a_page_and_a_file_exclude_each_other(client: httpx2.Client) -> None:
    for query in ("limit=50", "offset=0", "cursor=abc"):
        told = problem(client.get(f"/api/tutors?format=csv&{query}"), 400)
        assert [error.field for error in told.errors or []] == [query.partition("=")[0]]
    assert "parquet" in problem(client.get("/api/tutors?format=xlsx"), 400).errors[0].message  # type: ignore[index]


def test_files_are_for_those_who_may_see_the_list_and_are_audited(platform: Served, client: httpx2.Client) -> None:
    read, ingest = (new_key(platform, f"{role} {uuid4()}", role) for role in (Role.READ, Role.INGEST))
    with platform.client(ingest) as sender:
        problem(sender.get("/api/tutors?format=csv"), 403)
    with platform.client(None) as nobody:
        problem(nobody.get("/api/tutors?format=csv"), 401)
    with platform.client(read) as reader:
        problem(reader.get("/api/audit?format=csv"), 403)
        head, rows = read_csv(reader.get("/api/reports?format=csv").content)
        assert {row[head.index("recipient")] for row in rows} == {"a…@example.org"}
    head, rows = read_csv(client.get("/api/reports?format=csv").content)
    assert {row[head.index("recipient")] for row in rows} == {"ann@example.org"}
    noted = client.get("/api/audit?action=export&limit=2").json()["data"]
    told = {"rows": len(rows), "format": "csv"}
    assert [(entry["subject_id"], entry["details"]) for entry in noted] == [("reports", told)] * 2
    assert noted[0]["actor"] != noted[1]["actor"]
    head, rows = read_csv(client.get("/api/audit?action=export&format=csv").content)
    assert [row[head.index("subject_id")] for row in rows][:2] == ["reports", "reports"]
    assert '"format": "csv"' in rows[0][head.index("details")]


def test_there_is_a_limit(client: httpx2.Client) -> None:
    answers = [client.get("/api/reports?format=csv") for _ in range(EXPORTS_AT_ONCE + 1)]
    assert [answer.status_code for answer in answers] == [200] * EXPORTS_AT_ONCE + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1


@pytest.mark.usefixtures("small_pages")
def test_a_file_that_ends_early_is_not_taken_for_a_whole_one(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = AuditTrail.page

    async def fails_later(self: AuditTrail, filters: ReportFilters, *, with_addresses: bool) -> Page:
        if filters.cursor is not None:
            raise DatabaseUnavailableError("It has just gone.")
        return await page(self, filters, with_addresses=with_addresses)

    monkeypatch.setattr(AuditTrail, "page", fails_later)
    with pytest.raises(httpx2.RemoteProtocolError):
        client.get("/api/reports?format=csv")


COLUMNS = [Column((kind.value,), kind) for kind in Kind]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
VALUES = {
    Kind.TEXT: TEXT,
    Kind.BOOLEAN: st.booleans(),
    Kind.INTEGER: st.integers(-(2**53), 2**53),
    Kind.NUMBER: st.floats(allow_nan=False, allow_infinity=False),
    Kind.DAY: st.dates(date(1, 1, 1)).map(date.isoformat),
    Kind.MOMENT: st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(
        datetime.isoformat
    ),
    Kind.TEXTS: st.lists(TEXT),
    Kind.NUMBERS: st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False)),
    Kind.JSON: st.dictionaries(TEXT, st.none() | TEXT | st.lists(st.booleans())),
}
ROWS = st.lists(st.fixed_dictionaries({kind.value: st.none() | values for kind, values in VALUES.items()}), max_size=8)


def written(writer: exports.Writer, rows: list[Mapping[str, Any]], size: int) -> bytes:
    parts = [writer.rows(rows[start : start + size]) for start in range(0, max(len(rows), 1), size)]
    return b"".join([*parts, writer.end()])


@given(ROWS, st.integers(1, 4))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_rows_come_back_from_parquet(rows: list[Mapping[str, Any]], size: int) -> None:
    table = parquet.read_table(io.BytesIO(written(ParquetWriter(COLUMNS), rows, size)))
    assert table.to_pylist() == [{each.name: as_stored(each, each.of(row)) for each in COLUMNS} for row in rows]


@given(ROWS, st.integers(1, 4))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_rows_come_back_from_csv(rows: list[Mapping[str, Any]], size: int) -> None:
    head, lines = read_csv(written(CsvWriter(COLUMNS), rows, size))
    assert head == [column.name for column in COLUMNS]
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        cells = dict(zip(head, line, strict=True))
        assert cells["text"].removeprefix("'") == (row["text"] or "").removeprefix("'")
        assert not cells["text"].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert not cells["texts"].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert (float(cells["number"]) if cells["number"] else None) == row["number"]
        assert (int(cells["integer"]) if cells["integer"] else None) == row["integer"]
        assert (exports.json.loads(cells["json"]) if cells["json"] else None) == row["json"]
