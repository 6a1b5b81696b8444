"""People and sessions in addresses: by UUID, or by the external id that it was made from, whatever characters it has.

Servers hand the path on unescaped, so that the `/` of an id `a/b`, sent as `a%2Fb`, would look like one between two
parts of the path. `EscapedPaths` leaves `%2F` and `%25` as they came, and `IdPath` takes them away.
"""

import re
from typing import Annotated
from urllib.parse import unquote, unquote_to_bytes
from uuid import UUID

from fastapi import Path
from pydantic import BeforeValidator
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import NotFoundError
from ingest.contract import LONGEST_ID, NO_NUL
from ingest.ids import entity_uuid, external_id

NO_STUDENT = "There is no student with this id."
NO_TUTOR = "There is no tutor with this id."
NO_SESSION = "There is no session with this id."

_KEPT = re.compile(rb"%(?:2[Ff]|25)")


class EscapedPaths:
    """Middleware: in the path, `%2F` and `%25` stay escaped until the parts of the path are told apart."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path") if scope["type"] == "http" else None
        if raw and _KEPT.search(raw):
            # Escaped once more, they come out of the unescaping as they went in.
            escaped = _KEPT.sub(lambda found: b"%25" + found.group()[1:].upper(), raw)
            scope["path"] = unquote_to_bytes(escaped).decode("utf-8", "replace")
        await self.app(scope, receive, send)


def _unescaped(part: object) -> object:
    return unquote(part) if isinstance(part, str) else part


_HELP = "UUID, or the external id as delivered; escape `/` as `%2F`, and `%` as `%25`."
IdPath = Annotated[
    str,
    BeforeValidator(_unescaped),
    Path(min_length=1, max_length=LONGEST_ID, pattern=NO_NUL, description=_HELP),
]


def names_of(delivered: str, missing: str) -> list[str | None]:
    """The UUID of an id, as text, and the external id that it is, if it is no UUID.

    Whoever writes people with SQL may give them UUIDs that were not made from their external ids.

    Raises:
        NotFoundError: as `uuid_of`.
    """
    return [str(uuid_of(delivered, missing)), external_id(delivered)]


def uuid_of(delivered: str, missing: str) -> UUID:
    """
    Raises:
        NotFoundError: it is blank; nobody is called that.
    """
    try:
        return entity_uuid(delivered)
    except ValueError as error:
        raise NotFoundError(missing) from error
