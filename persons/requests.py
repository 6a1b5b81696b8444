"""Erasures that were asked for over the API, whose process may not do them: they need the owner of the database."""

from typing import TYPE_CHECKING
from uuid import UUID

import psycopg

if TYPE_CHECKING:
    from persons.registry import Kind

WAITING = "select kind, person_id, delivered from app.erasures where done_at is null order by erasure_id"


def waiting(connection: psycopg.Connection) -> "list[tuple[Kind, UUID, str | None]]":
    """Who is to be erased, as `persons.identity.with_id` takes it, the oldest request first."""
    return connection.execute(WAITING).fetchall()
