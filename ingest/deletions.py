"""Sessions that their source has deleted."""

from collections.abc import Sequence

from core.database import Database

DELETE = """
select
    raw.delete_sessions(%(ids)s, %(actor)s),
    (select count(*) from unnest(%(ids)s::text[]) as given (id) where raw.entity_uuid(id) is null)
"""


def delete_sessions(database: Database, ids: Sequence[str], actor: str) -> tuple[int, int]:
    """Delete sessions and their moves, by their ids as delivered: how many there were, and how many texts are no ids.

    The id of a lesson with several students (`group_lessons`) deletes the sessions of all of them.

    Each is noted as deleted, so that only a version with an `updated_at` after this moment brings it back. The audit
    log keeps what was deleted, by `actor`. Once more changes nothing.

    Raises:
        DatabaseUnreachableError: the server cannot be reached.
    """
    with database.connect() as connection:
        row = connection.execute(DELETE, {"ids": list(ids), "actor": actor}).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)
