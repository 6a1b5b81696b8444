"""Whole buckets of pairs, in three moves: a plan, its parts, and one publication.

A plan says which buckets are predicted anew, and by which model. A part is a bucket, filled into a table beside the one
that is read. Parts may be made by several processes, in any order, and again where a process was killed. The
publication puts all parts of a plan in the place of the old buckets, in one transaction: readers see all of the old
pairs or all of the new ones.

While a plan is open, whoever predicts single people leaves them noted as touched, for a part may have been made of what
they were before. A new plan ends those that have a bucket in common with it.

No function here takes a lock of `core.locks`: the callers in `ml.predictions` do.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import LiteralString

import psycopg
from psycopg import sql

from core import locks
from core.database import Database
from core.errors import TutorqError
from core.prediction_version import RAISE_VERSION
from core.settings import Settings
from ml.copy_rows import COLUMNS, HEADER, TRAILER, RowEncoder
from ml.kept import Kept
from ml.model import Model
from ml.pairs import BUCKETS, Block

# How long a swap waits for readers before it lets others pass and tries again.
SWAP_PATIENCE, SWAP_ATTEMPTS, SWAP_PAUSE_SECONDS = "2s", 30, 1.0

COPY = sql.SQL("copy {} ({}) from stdin (format binary{})")
PUBLISH_BUCKETS = """
insert into ml.prediction_buckets (bucket, model_version, as_of, pairs, run_id, kept, possible)
select parts.bucket, plans.model_version, parts.as_of, parts.pairs, plans.run_id, plans.kept, parts.possible
from ml.prediction_parts as parts inner join ml.prediction_plans as plans on parts.run_id = plans.run_id
where parts.run_id = %s
on conflict (bucket) do update set
    model_version = excluded.model_version, as_of = excluded.as_of, pairs = excluded.pairs,
    run_id = excluded.run_id, kept = excluded.kept, possible = excluded.possible, predicted_at = now()
"""
# Numbers of runs are given under the lock of writers: no bucket has rows of an earlier run than the one that wrote it
# as a whole.
FORGET_RUNS = """
delete from ml.match_runs
where run_id < (select min(run_id) from ml.prediction_buckets having count(*) = %s)
"""


class PlanEndedError(TutorqError):
    """A later prediction of the same buckets has taken the place of this plan."""

    def __init__(self, run: int) -> None:
        super().__init__(f"prediction {run} was replaced by a later one of the same buckets; there is nothing to do")


@dataclass(frozen=True)
class Plan:
    """Buckets to be predicted. `run` is the number in ml.match_runs that their rows will have."""

    run: int
    model_version: str
    kept: Kept
    buckets: tuple[int, ...]
    is_published: bool = False

    @property
    def shares(self) -> list[tuple[int, ...]]:
        """What processes can do side by side: bucket by bucket; lists of the best are made for all students at once."""
        return [self.buckets] if self.kept == "top" else [(bucket,) for bucket in self.buckets]


@dataclass(frozen=True)
class Part:
    """What is noted of a bucket that was filled. `possible`: active students of the bucket times active tutors."""

    bucket: int
    possible: int
    as_of: date | None


def new_run(connection: psycopg.Connection, settings: Settings, model: Model) -> int:
    """The number of a new row of ml.match_runs. Who makes one holds a lock of writers until the pairs are written."""
    row = connection.execute(
        "insert into ml.match_runs (model_version, medium_from, high_from) values (%s, %s, %s) returning run_id",
        [model.version, settings.match_medium_risk, settings.match_high_risk],
    ).fetchone()
    assert row is not None
    return int(row[0])


def open_plan(
    connection: psycopg.Connection,
    settings: Settings,
    model: Model,
    *,
    kept: Kept,
    buckets: Sequence[int],
    touched: Sequence[int],
    asked_by: str | None = None,
) -> Plan:
    """Note a plan and end those that have a bucket in common with it.

    Args:
        touched: of ml.touched_people, what the publication will have dealt with.
        asked_by: the Dagster run in whose steps the parts are made, if they are.
    """
    buckets = tuple(sorted(set(buckets)))
    connection.execute("delete from ml.prediction_plans where buckets && %s::smallint[]", [list(buckets)])
    plan = Plan(new_run(connection, settings, model), model.version, kept, buckets)
    connection.execute(
        """
        insert into ml.prediction_plans (run_id, model_version, kept, buckets, touched, asked_by)
        values (%s, %s, %s, %s, %s, %s)
        """,
        [plan.run, plan.model_version, kept, list(buckets), list(touched), asked_by],
    )
    return plan


def find_plan(connection: psycopg.Connection, run: int) -> Plan:
    """Raises PlanEndedError if another one has taken its place."""
    row = connection.execute(
        "select model_version, kept, buckets, published_at is not null from ml.prediction_plans where run_id = %s",
        [run],
    ).fetchone()
    if row is None:
        raise PlanEndedError(run)
    version, kept, buckets, is_published = row
    return Plan(run, version, kept, tuple(buckets), is_published)


def run_asked_by(connection: psycopg.Connection, asked_by: str) -> int:
    """The run of the plan that this Dagster run has asked for. Raises TutorqError if a later plan has ended it."""
    (run,) = connection.execute(
        "select max(run_id) from ml.prediction_plans where asked_by = %s", [asked_by]
    ).fetchone() or (None,)
    if run is None:
        raise TutorqError("a later prediction of the same buckets has replaced this one; there is nothing to do")
    return int(run)


def plan_is_open(connection: psycopg.Connection) -> bool:
    """Whether parts are being made, or were and have not been published."""
    return connection.execute(
        "select exists (select from ml.prediction_plans where published_at is null)"
    ).fetchone() == (True,)


def buckets_are_held(connection: psycopg.Connection) -> bool:
    """Whether somebody makes parts at this moment, be it in a run or not."""
    return connection.execute(
        """
        select exists (
            select from pg_locks
            where locktype = 'advisory' and granted and objsubid = 2 and classid = %s::bigint::oid
                and database = (select oid from pg_database where datname = current_database())
        )
        """,
        [locks.PAIRS_BUCKET],
    ).fetchone() == (True,)


def made(connection: psycopg.Connection, run: int) -> dict[int, int]:
    """Pairs by bucket, of the parts of a plan that are there."""
    return dict(connection.execute("select bucket, pairs from ml.prediction_parts where run_id = %s", [run]).fetchall())


def missing_buckets(connection: psycopg.Connection, run: int) -> list[int]:
    """Buckets of a plan whose parts are not there; none once it is published. Raises PlanEndedError."""
    plan = find_plan(connection, run)
    return [] if plan.is_published else sorted(set(plan.buckets) - made(connection, run).keys())


def make_part(database: Database, run: int, part: Part, pairs: Iterable[Block]) -> int:
    """Fill the table of a part and index it; returns the number of pairs. Making it again makes it anew.

    Raises:
        PlanEndedError: the plan ended meanwhile.
    """
    bucket = part.bucket
    coming = _coming(bucket)
    with database.connect() as connection:
        connection.execute(sql.SQL("drop table if exists {}").format(coming))
        # With the table: nobody may take an empty one for a part that is there. After it, as a publication locks the
        # table before it deletes the parts.
        connection.execute("delete from ml.prediction_parts where run_id = %s and bucket = %s", [run, bucket])
        connection.execute(
            sql.SQL("create table {} (like ml.match_predictions including defaults including constraints)").format(
                coming
            )
        )
        connection.commit()
        # Emptied in the transaction that fills it, so rows need no log of their own and are frozen from the start.
        connection.execute(sql.SQL("truncate {}").format(coming))
        count = copy_pairs(connection, coming, ", freeze", RowEncoder(run), pairs)
        connection.execute(
            sql.SQL("alter table {0} add primary key (student_id, tutor_id, bucket), add check (bucket = {1})").format(
                coming, sql.Literal(bucket)
            )
        )
        connection.execute(sql.SQL("create index on {} (tutor_id)").format(coming))
        # A tenth of the usual sample: all students have as many rows, and all tutors.
        connection.execute("set local default_statistics_target = 10")
        connection.execute(sql.SQL("analyze {}").format(coming))
        try:
            connection.execute(
                """
                insert into ml.prediction_parts (run_id, bucket, as_of, pairs, possible) values (%s, %s, %s, %s, %s)
                """,
                [run, bucket, part.as_of, count, part.possible],
            )
        except psycopg.errors.ForeignKeyViolation as error:
            raise PlanEndedError(run) from error
    return count


def publish(connection: psycopg.Connection, run: int) -> None:
    """Put the parts of a plan in the place of the old buckets, in the transaction of the connection. Nothing is done
    where they are there already.

    Raises:
        PlanEndedError: another plan has taken its place.
        TutorqError: parts are missing.
    """
    connection.execute("select from ml.prediction_plans where run_id = %s for update", [run])
    plan = find_plan(connection, run)
    if plan.is_published:
        return
    if missing := missing_buckets(connection, run):
        raise TutorqError(f"buckets {', '.join(map(str, missing))} of prediction {run} have not been made")
    connection.execute(PUBLISH_BUCKETS, [run])
    _swap(connection, plan.buckets)
    # Only what was noted before people were read: what came later is still to be done.
    connection.execute(
        "delete from ml.touched_people where touch_id in "
        "(select unnest(touched) from ml.prediction_plans where run_id = %s)",
        [run],
    )
    connection.execute("delete from ml.prediction_parts where run_id = %s", [run])
    # It stays for whoever repeats a step of it.
    connection.execute("update ml.prediction_plans set published_at = now(), touched = '{}' where run_id = %s", [run])
    connection.execute(RAISE_VERSION)
    connection.execute(FORGET_RUNS, [BUCKETS])


def copy_pairs(
    connection: psycopg.Connection, table: sql.Identifier, option: LiteralString, encoder: RowEncoder,
    blocks_of_it: Iterable[Block],
) -> int:  # fmt: skip
    """Append the rows of these blocks to the table; returns how many they are."""
    pairs = 0
    statement = COPY.format(table, sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), sql.SQL(option))
    with connection.cursor().copy(statement) as copy:
        copy.write(HEADER)
        for block in blocks_of_it:
            copy.write(encoder.encode(block))
            pairs += len(block)
        copy.write(TRAILER)
    return pairs


def _coming(bucket: int) -> sql.Identifier:
    return sql.Identifier("ml", f"match_predictions_{bucket:02d}_next")


def _swap(connection: psycopg.Connection, buckets: Sequence[int]) -> None:
    """Put partitions in the place of others. Takes the lock that all readers need, so it waits for none of them long:
    who came after it would wait as well."""
    steps = []
    for bucket in buckets:
        name = f"match_predictions_{bucket:02d}"
        steps += [
            sql.SQL("drop table if exists {}").format(sql.Identifier("ml", name)),
            sql.SQL("alter table ml.match_predictions attach partition {} for values in ({})").format(
                _coming(bucket), sql.Literal(bucket)
            ),
            sql.SQL("alter table {} rename to {}").format(_coming(bucket), sql.Identifier(name)),
        ]
    for attempt in range(SWAP_ATTEMPTS):
        try:
            with connection.transaction():
                connection.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(SWAP_PATIENCE)))
                for step in steps:
                    connection.execute(step)
                return
        except psycopg.errors.LockNotAvailable:
            if attempt == SWAP_ATTEMPTS - 1:
                raise
            time.sleep(SWAP_PAUSE_SECONDS)
