"""Booking tools by their APIs: what has changed, and what has begun since, as sessions and moves."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from typing import Any

import dlt
from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator, OffsetPaginator, SinglePagePaginator
from psycopg.rows import namedtuple_row
from requests.auth import HTTPBasicAuth

from connectors import acuity, calcom, calendly
from connectors.bookings import PLACES, REMEMBER, Booking, Place, ids_of, named_hashes, rows_of
from connectors.configuration import BookingConnector, require_key
from connectors.pull.http import rest
from connectors.pull.landing import table_of
from connectors.pull.report import Report
from core.database import Database
from core.erased import ErasedIds
from core.errors import TutorqError

# Clocks differ, and a change is listed a moment after its time.
OVERLAP = timedelta(hours=1)
PAGE = 100
MOST_OF_A_DAY = 5_000
REMEMBERED = REMEMBER.format(connector="%(connector)s", given="%(given)s").encode()
PLACED = PLACES.format(connector="%(connector)s", given="%(given)s").encode()


def resources(
    name: str, connector: BookingConnector, database: Database, erased: ErasedIds, report: Report
) -> list[Any]:
    """One, whose rows are sessions and reschedules."""
    read_bookings = {"calcom": _calcom, "calendly": _calendly, "acuity": _acuity}[connector.kind]
    key = require_key(name)

    def read() -> Iterator[Any]:
        state, now = dlt.current.resource_state(), datetime.now(UTC)
        found = read_bookings(connector, key, state, now, report)
        rows = rows_of(found, places(database, name, found, erased))
        known = set(state.get("told", []))
        told: list[str] = []
        for table, found_rows in (("sessions", rows.sessions), ("reschedules", rows.reschedules)):
            by_content = {_told(connector.kind, row): row for row in found_rows}
            told += by_content
            if fresh := [row for content, row in by_content.items() if content not in known]:
                report.add(table, len(fresh))
                yield dlt.mark.with_table_name(table_of(fresh), table)
        state.update(told=told, cursor=now.isoformat())

    return [dlt.resource(read, name="bookings")]


def places(database: Database, connector: str, found: Sequence[Booking], erased: ErasedIds) -> dict[str, Place]:
    """The session of each booking, after their moves have been remembered, but for those of erased people.

    Raises:
        TutorqError: people were erased with another key.
    """
    with database.connect() as connection:
        hashes = erased.read_all(connection)
        links = json.dumps(
            [each.move.link for each in found if each.move and hashes.isdisjoint(named_hashes(each, erased))]
        )
        connection.execute(REMEMBERED, {"connector": connector, "given": links})
        cursor = connection.cursor(row_factory=namedtuple_row)
        rows = cursor.execute(PLACED, {"connector": connector, "given": json.dumps(ids_of(found))}).fetchall()
    return {row[0]: Place(*row[1:]) for row in rows}


def _told(kind: str, row: Mapping[str, Any]) -> str:
    """A row in short. Acuity's versions are times of reading, which change nothing."""
    content = {name: value for name, value in row.items() if kind != "acuity" or name != "updated_at"}
    return sha1(json.dumps(content, sort_keys=True).encode(), usedforsecurity=False).hexdigest()[:16]


def _window(connector: BookingConnector, state: dict[str, Any], now: datetime) -> tuple[datetime, datetime]:
    """Bookings that begin within it are read, whether or not they have changed: time itself ends them."""
    first = datetime.combine(connector.since, datetime.min.time(), UTC)
    if cursor := state.get("cursor"):
        first = max(first, datetime.fromisoformat(cursor) - timedelta(days=connector.back_days))
    return first, now + timedelta(days=connector.ahead_days)


def _calcom(
    connector: BookingConnector, key: str, state: dict[str, Any], now: datetime, report: Report
) -> list[Booking]:
    """All that begin in the window until now, and those that have changed."""
    client = rest(connector.url or "https://api.cal.com", {"Authorization": f"Bearer {key}", **calcom.VERSION})
    first, _ = _window(connector, state, now)
    questions = [{"afterStart": first.isoformat(), "sortStart": "asc"}]
    if cursor := state.get("cursor"):
        changed = datetime.fromisoformat(cursor) - OVERLAP
        questions[0]["beforeEnd"] = now.isoformat()
        questions.append({"afterUpdatedAt": changed.isoformat(), "sortUpdatedAt": "asc"})
    items: dict[str, Any] = {}
    for question in questions:
        paginator = OffsetPaginator(
            PAGE, offset_param="skip", limit_param="take", total_path=None, has_more_path="pagination.hasNextPage"
        )
        for page in client.paginate("/v2/bookings", params=question, paginator=paginator, data_selector="data"):
            items |= {item["uid"]: item for item in page}
    _note_fields(report, state, list(items.values()))
    return calcom.bookings(items.values(), connector.moved_by, now)


def _calendly(
    connector: BookingConnector, key: str, state: dict[str, Any], now: datetime, report: Report
) -> list[Booking]:
    """All events of the window; the invitees of those that have changed or begun."""
    if not connector.account:
        raise TutorqError(
            "account is missing: the address of your organization, https://api.calendly.com/organizations/…"
        )
    client = rest(connector.url or "https://api.calendly.com", {"Authorization": f"Bearer {key}"})
    first, last = _window(connector, state, now)
    changed = datetime.fromisoformat(state["cursor"]) - OVERLAP if state.get("cursor") else None
    pages = {"paginator": JSONLinkPaginator("pagination.next_page"), "data_selector": "collection"}
    params = {
        "organization": connector.account,
        "min_start_time": _utc(first),
        "max_start_time": _utc(last),
        "count": PAGE,
    }
    events = [event for page in client.paginate("/scheduled_events", params=params, **pages) for event in page]
    _note_fields(report, state, events)
    found: list[Booking] = []
    for event in events:
        start, updated = (datetime.fromisoformat(event[name]) for name in ("start_time", "updated_at"))
        if changed is None or updated >= changed or start <= now:
            path = f"/scheduled_events/{event['uri'].rstrip('/').rpartition('/')[2]}/invitees"
            pages = {"paginator": JSONLinkPaginator("pagination.next_page"), "data_selector": "collection"}
            invitees = [each for page in client.paginate(path, params={"count": PAGE}, **pages) for each in page]
            found += calendly.bookings(event, invitees, connector.moved_by, now)
    return found


def _acuity(
    connector: BookingConnector, key: str, state: dict[str, Any], now: datetime, report: Report
) -> list[Booking]:
    """All of the window, a day at a time: Acuity has no pages, only a most."""
    if not connector.account:
        raise TutorqError("account is missing: Acuity's user id, beside the API key")
    client = rest(connector.url or acuity.URL, {}, HTTPBasicAuth(connector.account, key))
    first, last = _window(connector, state, now)
    items: list[Any] = []
    for days in range((last.date() - first.date()).days + 1):
        day = (first.date() + timedelta(days=days)).isoformat()
        for canceled in ("false", "true"):
            params = {
                "minDate": day,
                "maxDate": day,
                "max": MOST_OF_A_DAY,
                "canceled": canceled,
                "excludeForms": "true",
            }
            of_day = client.paginate("/api/v1/appointments", params=params, paginator=SinglePagePaginator())
            listed = [item for page in of_day for item in page]
            if len(listed) >= MOST_OF_A_DAY:
                raise TutorqError(
                    f"Acuity lists no more than {MOST_OF_A_DAY:,} appointments of {day}: some would be lost"
                )
            items += listed
    _note_fields(report, state, items)
    return [acuity.booking(item, now) for item in items]


def _note_fields(report: Report, state: dict[str, Any], items: Sequence[Mapping[str, Any]]) -> None:
    """Fields are optional in answers: what one item has is known from then on, and never called gone."""
    fields = list(dict.fromkeys([*state.get("columns", []), *(name for item in items for name in item)]))
    if items:
        report.compare_columns(state, "bookings", fields)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"
