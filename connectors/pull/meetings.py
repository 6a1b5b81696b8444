"""Zoom's reports: who was in which meeting of the last days, as later versions of sessions that are known."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from typing import Any
from urllib.parse import quote

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator
from requests.auth import HTTPBasicAuth

from connectors import zoom
from connectors.bookings import CALLED_OFF, STORED, Amendment, amended, moment
from connectors.configuration import ZoomConnector, require_key
from connectors.pull.http import rest, session
from connectors.pull.landing import table_of
from connectors.pull.report import Report
from core.database import Database

# Of a tutor, by ids as delivered.
OF_TUTOR = """
select coalesce(external_id, session_id::text)
from raw.sessions
where tutor_id = raw.entity_uuid(%s) and scheduled_time >= %s and scheduled_time <= now()
"""
STORED_SESSION = STORED.format(given="%s").encode()
# What Zoom calls the field, and the parameter for the next page.
NEXT = "next_page_token"


def resources(name: str, connector: ZoomConnector, database: Database, report: Report) -> list[Any]:
    """One, whose rows are sessions as they are stored, with what the meetings prove."""
    key = require_key(name)

    def read() -> Iterator[Any]:
        now = datetime.now(UTC)
        since = now - timedelta(days=connector.back_days)
        client = rest(connector.url, {"Authorization": f"Bearer {_token(connector, key)}"})
        state = dlt.current.resource_state()
        # A correction that was made since is not undone by the same report.
        told = {content: at for content, at in state.get("told", {}).items() if moment(at) >= since}
        rows: list[dict[str, Any]] = []
        unclear = 0
        for user in _pages(client, "/users", {}, "users"):
            host = user["email"]
            sessions = _sessions(database, connector.tutors.get(host, host), since)
            days = {"from": since.date().isoformat(), "to": now.date().isoformat()}
            meetings = _pages(client, f"/report/users/{quote(user['id'], safe='')}/meetings", days, "meetings")
            for meeting in meetings if sessions else ():
                known = zoom.session_of(meeting, sessions, timedelta(minutes=connector.tolerance_minutes))
                if known is None:
                    unclear += 1
                elif known["status"] not in CALLED_OFF and (proof := _proof(client, meeting, known, host, connector)):
                    content = _content(proof)
                    if content not in told and (row := amended(known, proof)):
                        rows.append(row)
                    told[content] = proof.at
        if unclear:
            report.notes.append(f"meetings that are no session of their host, or more than one: {unclear}")
        if rows:
            report.add("sessions", len(rows))
            yield dlt.mark.with_table_name(table_of(rows), "sessions")
        state["told"] = told

    return [dlt.resource(read, name="meetings")]


def _proof(
    client: RESTClient, meeting: Mapping[str, Any], known: Mapping[str, Any], host: str, connector: ZoomConnector
) -> Amendment | None:
    # Twice, as Zoom wants it: an id may begin with a slash.
    identifier = quote(quote(meeting["uuid"], safe=""), safe="")
    participants = _pages(client, f"/report/meetings/{identifier}/participants", {}, "participants")
    return zoom.amendment(known, host, participants, timedelta(minutes=connector.waited_minutes))


def _content(proof: Amendment) -> str:
    """A session, and what is said of it, in short."""
    content = json.dumps([proof.booking, proof.changes], sort_keys=True).encode()
    return sha1(content, usedforsecurity=False).hexdigest()[:16]


def _sessions(database: Database, tutor: str, since: datetime) -> list[dict[str, Any]]:
    with database.connect() as connection:
        ids = connection.execute(OF_TUTOR, [tutor, since]).fetchall()
        rows = [connection.execute(STORED_SESSION, each).fetchone() for each in ids]
    return sorted((row[0] for row in rows if row), key=lambda row: moment(row["scheduled_time"]))


def _token(connector: ZoomConnector, key: str) -> str:
    client, _, secret = key.partition(":")
    params = {"grant_type": "account_credentials", "account_id": connector.account}
    answer = session().post(connector.token_url, params=params, auth=HTTPBasicAuth(client, secret))
    return str(answer.json()["access_token"])


def _pages(client: RESTClient, path: str, params: dict[str, Any], what: str) -> Iterator[dict[str, Any]]:
    paginator = JSONResponseCursorPaginator(cursor_path=NEXT, cursor_param=NEXT)
    pages = client.paginate(path, params={"page_size": 300, **params}, paginator=paginator, data_selector=what)
    yield from (item for page in pages for item in page)
