"""A signed event of a booking tool, as a session and its move: by the same checks and merge as a posted session."""

import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx2

from api.bodies import invalid
from api.connectors.schemas import ConnectorReceipt
from api.database import with_app_tables
from api.erased import erased_among
from api.problems import DatabaseUnavailableError, FieldError, NotFoundError, UnauthorizedError
from api.sessions.batches import BatchWriter
from api.tls import trusted
from connectors import acuity, calcom, calendly
from connectors.bookings import (
    PLACES,
    REMEMBER,
    STORED,
    Amendment,
    Booking,
    Move,
    Place,
    amended,
    ids_of,
    is_news,
    named_hashes,
    post_of,
)
from connectors.configuration import BookingConnector, read_connectors
from connectors.signatures import CHECKS, ForgedError
from core.erased import ErasedIds
from core.settings import Settings, connector_secrets

REMEMBERED = REMEMBER.format(connector="$1", given="$2")
PLACED = PLACES.format(connector="$1", given="$2")
STORED_SESSION = STORED.format(given="$1")
SIGNATURES = {"calcom": calcom.SIGNATURE, "calendly": calendly.SIGNATURE, "acuity": acuity.SIGNATURE}
FETCH_SECONDS = 10


class Connectors:
    """The booking tools of this installation that send webhooks: those with a `…_WEBHOOK_KEY`.

    Raises:
        TutorqError: connectors.yml cannot be understood.
    """

    def __init__(self, settings: Settings, pool: asyncpg.Pool, writer: BatchWriter, erased: ErasedIds) -> None:
        self._pool, self._writer, self._erased = pool, writer, erased
        self._known: dict[str, tuple[BookingConnector, str]] = {}
        for name, connector in read_connectors(settings).items():
            secret = connector_secrets(name).webhook_key
            if isinstance(connector, BookingConnector) and secret:
                self._known[name] = connector, secret.get_secret_value()

    def require(self, name: str, body: bytes, headers: Any) -> BookingConnector:
        """The connector of this name, if it has signed the body.

        Raises:
            NotFoundError: there is none, or it takes no webhooks.
            UnauthorizedError: the signature is not its service's.
        """
        if name not in self._known:
            raise NotFoundError("There is no such connector that takes webhooks.")
        connector, secret = self._known[name]
        try:
            CHECKS[connector.kind](secret, body, headers.get(SIGNATURES[connector.kind], ""))
        except ForgedError as error:
            raise UnauthorizedError(str(error)) from error
        return connector

    async def take(self, name: str, connector: BookingConnector, event: dict[str, Any]) -> ConnectorReceipt:
        """Write what the event tells; the answer comes after the commit.

        Raises:
            InvalidRequestError: the event lacks what its service says it has.
            DatabaseUnavailableError: the server cannot be reached, or the service that is to be asked; or people were
                erased with another key.
        """
        now = datetime.now(UTC)
        try:
            told = await self._read(name, connector, event, now)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise invalid([FieldError(field="body", message="is no event as the service describes it")]) from error
        if told is None:
            return ConnectorReceipt(status="ignored")
        post = await with_app_tables(self._pool, lambda connection: self._post(connection, name, told))
        if post is None:
            return ConnectorReceipt(status="ignored")
        async with self._writer.place():
            [row] = json.loads(await self._writer.write([post]))["rows"]
        return ConnectorReceipt(status=row["status"])

    async def _post(self, connection: Any, name: str, told: Booking | Amendment) -> dict[str, Any] | None:
        """The event as a post; None if it says nothing new, or of nothing that is known."""
        if isinstance(told, Booking) and told.move:
            await self._remember(connection, name, told, told.move)
        asked = ids_of([told]) if isinstance(told, Booking) else [told.booking]
        rows = await connection.fetch(PLACED, name, json.dumps(asked))
        places = {row["asked"]: Place(*list(row)[1:]) for row in rows}
        stored = await connection.fetchval(STORED_SESSION, places[told.booking].first)
        known = None if stored is None else json.loads(stored)
        if isinstance(told, Amendment):
            return amended(known, told) if known and is_news(known, told) else None
        post = post_of(told, places)
        # An event of a cancellation does not repeat when the booking was made.
        if post is not None and known and known.get("booked_at"):
            post.setdefault("booked_at", known["booked_at"])
        return post

    async def _remember(self, connection: Any, name: str, told: Booking, move: Move) -> None:
        """Keep the move, unless it names somebody who was erased: the ledger refuses that booking."""
        async with connection.transaction():
            if not await erased_among(connection, self._erased, lambda: named_hashes(told, self._erased)):
                await connection.execute(REMEMBERED, name, json.dumps([move.link]))

    async def _read(
        self, name: str, connector: BookingConnector, event: dict[str, Any], now: datetime
    ) -> Booking | Amendment | None:
        if connector.kind == "calcom":
            return calcom.webhook(event, connector.moved_by, now)
        if connector.kind == "calendly":
            return calendly.webhook(event, connector.moved_by, now)
        if event["action"] not in acuity.ACTIONS:
            return None
        return acuity.booking(await self._appointment(name, connector, int(event["id"])), now)

    async def _appointment(self, name: str, connector: BookingConnector, identifier: int) -> Any:
        """Acuity only tells that something has changed."""
        key = connector_secrets(name).key
        url = f"{connector.url or acuity.URL}/api/v1/appointments/{identifier}"
        auth = (connector.account or "", key.get_secret_value() if key else "")
        try:
            async with httpx2.AsyncClient(timeout=FETCH_SECONDS, verify=trusted()) as client:
                answer = await client.get(url, auth=auth)
                return answer.raise_for_status().json()
        except httpx2.HTTPError as error:
            raise DatabaseUnavailableError("The service could not be asked for the appointment.") from error
