"""Sessions that their source has deleted."""

from collections.abc import Sequence

from core.database import Database


def delete_sessions(database: Database, ids: Sequence[str], actor: str) -> int:
    """Delete sessions and their moves, by their ids as delivered; how many there were.

    Each is noted as deleted, so that only a version with an `updated_at` after this moment brings it back. The audit
    log keeps what was deleted, by `actor`. Once more changes nothing.

    Raises:
        DatabaseUnreachableError: the server cannot be reached.
    """
    with database.connect() as connection:
        row = connection.execute("select raw.delete_sessions(%s, %s)", [list(ids), actor]).fetchone()
    return int(row[0]) if row else 0
