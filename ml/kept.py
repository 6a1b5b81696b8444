"""Which pairs are stored: all of active people, or the best of each student."""

from typing import Literal

import psycopg

Kept = Literal["all", "top"]

# 145 bytes a pair with its keys, 2.4 s a million pairs: beyond this, all pairs soon take gigabytes, and minutes every
# night, for pairs that nobody looks at.
MOST_OF_ALL = 5_000_000


def kept_by(setting: Kept | None, possible: int) -> Kept:
    """What TUTORQ_MATCH_PAIRS means where so many pairs of active people are possible."""
    return setting or ("top" if possible > MOST_OF_ALL else "all")


def kept_in(connection: psycopg.Connection) -> list[Kept]:
    """What the buckets keep as they were last written: both, if a change of mode is under way or was interrupted; none
    before the first prediction."""
    return [kept for (kept,) in connection.execute("select distinct kept from ml.prediction_buckets order by 1")]
