"""Writes posted sessions to `raw`, all or nothing of what is given, and answers after the commit."""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
import structlog

from api.database import PASSING_ERRORS, UNREACHABLE_ERRORS, is_in_transaction
from api.erased import found_among, refused, without_erased
from api.idempotency import CLAIM, RECALL, Claim, mismatch
from api.problems import ApiError, BusyError, ConflictError, DatabaseUnavailableError, ErasedError, InternalError
from api.sessions.live import LiveScores
from core.erased import AMONG, REASON, ErasedIds
from ingest import stubs
from ingest.contract import RESCHEDULES, SESSIONS, Entity
from ingest.merge_posts import QUARANTINE_REJECTED, PostMergeSql
from ingest.posts import EntityId
from ingest.rows import RESCHEDULE_OVERRIDE_SQL, RESCHEDULE_SQL, SESSION_OVERRIDE_SQL, SESSION_SQL, Row

SOURCE = "api"
OVERRULED = "was replaced by a version that has the same updated_at but other content"

# Without the setting Postgres plans the look at people anew for each post, because it expects ten of them.
BEGIN = "begin; set local plan_cache_mode = force_generic_plan"
# Rows of one statement. Their values are encoded on the event loop, which must not stand still for long.
STATEMENT_ROWS = 1_000
ATTEMPTS = 5
PAUSE_SECONDS = 0.02
# Of the time for a commit: how long a row may wait for another writer of the same row.
LOCK_SHARE = 0.2
CAREFUL_LOCK_MILLISECONDS = 100

# By entity, whether no key comes twice, and whether stored versions are overridden.
MERGE = {
    (entity.name, are_distinct, overrides): sql.merge(are_distinct=are_distinct)
    for entity, overrides, sql in (
        (SESSIONS, False, SESSION_SQL),
        (SESSIONS, True, SESSION_OVERRIDE_SQL),
        (RESCHEDULES, False, RESCHEDULE_SQL),
        (RESCHEDULES, True, RESCHEDULE_OVERRIDE_SQL),
    )
    for are_distinct in (True, False)
}
SAME, OVERRULE, LOSERS = (
    {entity.name: statement(sql) for entity, sql in ((SESSIONS, SESSION_SQL), (RESCHEDULES, RESCHEDULE_SQL))}
    for statement in (PostMergeSql.same, PostMergeSql.overrule, PostMergeSql.losers)
)
NOTE_OVERRIDDEN = {
    SESSIONS.name: SESSION_OVERRIDE_SQL.overridden(),
    RESCHEDULES.name: RESCHEDULE_OVERRIDE_SQL.overridden(),
}
# Whether anybody was erased, and who is unknown. Parameters: the hash of the key of erasures, then an array each of ids
# and of external ids, for tutors and then for students.
LOOK = " union all ".join(
    (
        "select 'erased', null::uuid, encode(id_hash, 'hex') "
        f"from ({AMONG.format(parameter='array[$1]')}) as found (id_hash)",
        *(
            stubs.unknown_people(str(column.references), column.name, f"${2 * place}", f"${2 * place + 1}")
            for place, column in enumerate(SESSIONS.references, start=1)
        ),
    )
)
ADD_PEOPLE = {
    str(column.references): (
        stubs.insert_stubs(str(column.references), column.name, stubs.GIVEN_PEOPLE),
        stubs.fill_external_ids(str(column.references), column.name, stubs.GIVEN_PEOPLE),
    )
    for column in SESSIONS.references
}

REMEMBER = """
update app.idempotency_keys as known set answer = given.answer
from unnest($1::text[], $2::text[], $3::text[]) as given (caller, idempotency_key, answer)
where known.caller = given.caller and known.idempotency_key = given.idempotency_key
"""
UNCLAIM = """
delete from app.idempotency_keys as known
using unnest($1::text[], $2::text[]) as failed (caller, idempotency_key)
where known.caller = failed.caller and known.idempotency_key = failed.idempotency_key
"""

# A foreign key fails if somebody deletes a tutor or a student whom we have just seen.
RETRIED_ERRORS = (*PASSING_ERRORS, asyncpg.SerializationError, asyncpg.ForeignKeyViolationError)
LATER_ERRORS = (*UNREACHABLE_ERRORS, asyncpg.ReadOnlySQLTransactionError)
UNMIGRATED_ERRORS = (
    asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError,
    asyncpg.InvalidSchemaNameError,
)  # fmt: skip

log = structlog.get_logger("api")


Status = Literal["queued", "duplicate", "stale", "conflict"]


@dataclass(slots=True)
class Outcome:
    """What became of a row.

    `is_changed`: it changed what is stored. `is_stale`: an older version than what is stored, it was left out.
    `is_conflict`: it contradicts a version as new, and was put in quarantine. `stored_version`: the `updated_at` of the
    version that it lost against; None if that has none. `is_deleted`: that version is a deletion. `error`: it could not
    be stored.
    """

    is_changed: bool = False
    is_stale: bool = False
    is_conflict: bool = False
    stored_version: datetime | None = None
    is_deleted: bool = False
    error: ApiError | None = None

    @property
    def status(self) -> Status:
        """The same in one word."""
        if self.is_changed:
            return "queued"
        if self.is_conflict:
            return "conflict"
        return "stale" if self.is_stale else "duplicate"

    @property
    def remarks(self) -> dict[str, object]:
        """What the answer tells besides."""
        remarks: dict[str, object] = {}
        if self.is_conflict:
            remarks["conflict"] = True
        if self.is_conflict or self.status == "stale":
            remarks["stored_updated_at"] = None if self.stored_version is None else self.stored_version.isoformat()
        if self.is_deleted and not self.is_changed:
            remarks["deleted"] = True
        return remarks


@dataclass(frozen=True, slots=True)
class Receipt:
    """The body of an answer, and pairs of reason and content for the quarantine."""

    body: str
    rejected: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Post:
    """The rows of one request, and how to turn their outcomes into its answer.

    `render` raises an `ApiError` if the request has failed as a whole.
    """

    rows: Sequence[Row]
    render: Callable[[Sequence[Outcome]], Receipt]
    claim: Claim | None = None


Answer = str | ApiError


class Ledger:
    """The only writer of posted sessions in this process, over a pool of its own."""

    def __init__(self, pool: asyncpg.Pool, commit_seconds: float, erased: ErasedIds | None = None) -> None:
        self._pool = pool
        self._commit_seconds = commit_seconds
        self._erased = erased or ErasedIds(None)
        self.live = LiveScores(pool)

    @staticmethod
    def server_settings(commit_seconds: float) -> dict[str, str]:
        """For the pool: what the API has given up must not go on in the server, and hold its locks."""
        return {
            "statement_timeout": f"{int(commit_seconds * 1000)}ms",
            "lock_timeout": f"{int(commit_seconds * LOCK_SHARE * 1000)}ms",
            "idle_in_transaction_session_timeout": f"{int(commit_seconds * 2000)}ms",
        }

    async def write(self, posts: Sequence[Post], override_by: str | None = None) -> list[Answer]:
        """Write all rows in one transaction; the answers come after its commit.

        A row that the database refuses fails its own post only.

        Args:
            override_by: who says that the rows replace what is stored, even if that is newer; for the audit log.

        Raises:
            BusyError: it took too long; the rows may be stored or not, and may be sent again.
            DatabaseUnavailableError: the database cannot be reached.
        """
        is_careful = False
        for _ in range(ATTEMPTS):
            try:
                return await self._attempt(posts, override_by, is_careful=is_careful)
            except UNMIGRATED_ERRORS as error:
                raise DatabaseUnavailableError("Its migrations have not been run yet.") from error
            except RETRIED_ERRORS:
                pass
            except LATER_ERRORS as error:
                if isinstance(error, ValueError):  # asyncpg's InterfaceErrors about arguments: a mistake of ours
                    raise
                raise DatabaseUnavailableError("Please try again in a moment.", headers={"Retry-After": "5"}) from error
            except asyncpg.PostgresError:
                if is_careful:
                    raise
                is_careful = True
                continue
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))
        raise _busy("Too many others write the same rows.")

    async def write_within(self, connection: Any, rows: Sequence[Row]) -> list[UUID]:
        """Write newer versions of sessions in the transaction of the connection, whose last work is to refresh the
        scores. Returns the sessions that have changed.

        Raises:
            ConflictError: a stored version is as new, or newer.
        """
        transaction = _Transaction(connection, None, self._erased)
        [answer] = await transaction.write([Post(rows, _none_lost)], is_careful=False)
        if isinstance(answer, ApiError):
            raise answer
        return transaction.changed

    async def _attempt(self, posts: Sequence[Post], override_by: str | None, *, is_careful: bool) -> list[Answer]:
        try:
            connection = await self._pool.acquire(timeout=self._commit_seconds)
        except TimeoutError as error:
            raise _busy("It took too long to answer.") from error
        is_late = False

        def give_up() -> None:
            nonlocal is_late
            is_late = True
            # Not a cancellation, which would wait for the server.
            connection.terminate()

        watchdog = asyncio.get_running_loop().call_later(self._commit_seconds, give_up)
        try:
            await connection.execute(BEGIN)
            try:
                transaction = _Transaction(connection, override_by, self._erased)
                answers = await transaction.write(posts, is_careful=is_careful)
                left = await self.live.commit(connection, transaction.changed)
            except BaseException:
                if is_in_transaction(connection):
                    await connection.execute("rollback")
                raise
            self.live.follow_up(left)
            return answers
        except Exception as error:
            if is_late:
                raise _busy("It took too long to answer.") from error
            if isinstance(error, asyncpg.InternalClientError):
                connection.terminate()
            raise
        finally:
            watchdog.cancel()
            await self._pool.release(connection)


class _Transaction:
    """What happens between begin and commit. Rows are locked in the same order everywhere: request keys,
    tutors, students, sessions, reschedules, each in key order."""

    def __init__(self, connection: Any, override_by: str | None, erased: ErasedIds) -> None:
        self._connection = connection
        self._override_by = override_by
        self._erased = erased
        # Places of posts that share the Idempotency-Key of an earlier one among the same posts, with its place.
        self._followers: list[tuple[int, int]] = []
        # By table, the people who have to be added.
        self._unknown: dict[str, list[EntityId]] = {}
        # Sessions that it has changed.
        self.changed: list[UUID] = []

    async def write(self, posts: Sequence[Post], *, is_careful: bool) -> list[Answer]:
        settled = await self._claim(posts)
        going = [at for at in range(len(posts)) if at not in settled]
        rows = [row for at in going for row in posts[at].rows]
        outcomes = [Outcome() for _ in rows]
        erased = await self._refuse_erased(rows, outcomes)
        # Careful work halves the rows, and either half must be in key order, too.
        order = sorted(
            (place for place in range(len(rows)) if place not in erased), key=lambda place: rows[place].session_id
        )
        if is_careful:
            await self._connection.execute(f"set local lock_timeout = {CAREFUL_LOCK_MILLISECONDS}")
            await self._merge_carefully(rows, order, outcomes)
        else:
            for first in range(0, len(order), STATEMENT_ROWS):
                await self._merge(rows, order[first : first + STATEMENT_ROWS], outcomes)
        self.changed = list({rows[at].session_id for at, outcome in enumerate(outcomes) if outcome.is_changed})
        rejected = list(erased.values())
        done = 0
        for at in going:
            post = posts[at]
            mine = outcomes[done : done + len(post.rows)]
            done += len(post.rows)
            try:
                receipt = post.render(mine)
                settled[at] = receipt.body
                rejected += receipt.rejected
            except ApiError as error:
                settled[at] = error
        if rejected:
            rejected = await without_erased(self._connection, self._erased, rejected)
            reasons, contents = zip(*rejected, strict=True)
            await self._connection.execute(QUARANTINE_REJECTED, SESSIONS.name, SOURCE, list(reasons), list(contents))
        await self._remember({at: settled[at] for at in going}, posts)
        self._answer_followers(settled, posts)
        return [settled[at] for at in range(len(posts))]

    async def _refuse_erased(self, rows: Sequence[Row], outcomes: list[Outcome]) -> dict[int, tuple[str, str]]:
        """Rows that name erased people or sessions, by place, as the quarantine takes them: without their content."""
        hashed: list[tuple[bytes, bytes, bytes]] = []

        def hashes() -> list[bytes]:
            of = self._erased.hash
            hashed.extend(
                (of("tutor", row.tutor[0]), of("student", row.student[0]), of("session", row.session_id))
                for row in rows
            )
            return [each for three in hashed for each in three]

        found = await found_among(self._connection, self._erased, hashes, await self._look(rows))
        places = [place for place, three in enumerate(hashed) if not found.isdisjoint(three)]
        for place in places:
            outcomes[place].error = ErasedError(f"The session {REASON}.")
        return {place: refused(hashed[place][2]) for place in places}

    async def _look(self, rows: Sequence[Row]) -> set[bytes]:
        """Remember who is unknown, and say which hashes of erasures are known: nearly always nobody and none."""
        people = ({row.tutor for row in rows}, {row.student for row in rows})
        found = await self._connection.fetch(LOOK, self._erased.check, *_columns(people[0]), *_columns(people[1]))
        for kind, key, text in found:
            if kind != "erased":
                self._unknown.setdefault(kind, []).append((key, text))
        return {bytes.fromhex(text) for kind, _, text in found if kind == "erased"}

    async def _merge_carefully(self, rows: Sequence[Row], order: Sequence[int], outcomes: list[Outcome]) -> None:
        """Halve what the database refuses, until single rows are left."""
        try:
            await self._connection.execute("savepoint half")
            await self._merge(rows, order[:STATEMENT_ROWS], outcomes)
            await self._connection.execute("release savepoint half")
        except (*RETRIED_ERRORS, *LATER_ERRORS):
            raise
        except asyncpg.PostgresError as error:
            await self._connection.execute("rollback to savepoint half; release savepoint half")
            for place in order[:STATEMENT_ROWS]:
                outcomes[place] = Outcome()
            if len(order) == 1:
                outcomes[order[0]].error = _refused(error)
                return
            middle = min(len(order), STATEMENT_ROWS) // 2
            await self._merge_carefully(rows, order[:middle], outcomes)
            await self._merge_carefully(rows, order[middle:], outcomes)
            return
        if len(order) > STATEMENT_ROWS:
            await self._merge_carefully(rows, order[STATEMENT_ROWS:], outcomes)

    async def _merge(self, rows: Sequence[Row], order: Sequence[int], outcomes: list[Outcome]) -> None:
        if self._unknown:
            some = [rows[place] for place in order]
            await self._add_people({"tutors": {row.tutor for row in some}, "students": {row.student for row in some}})
        sessions = [(place, *rows[place].session) for place in order]
        await self._merge_entity(SESSIONS, SESSION_SQL, sessions, outcomes)
        reschedules = [(place, *moved) for place in order if (moved := rows[place].reschedule) is not None]
        if reschedules:
            await self._merge_entity(RESCHEDULES, RESCHEDULE_SQL, reschedules, outcomes)

    async def _merge_entity(
        self, entity: Entity, sql: PostMergeSql, rows: Sequence[tuple[Any, ...]], outcomes: list[Outcome]
    ) -> None:
        if not rows:
            return
        assert len(rows[0]) == len(sql.staged_names)
        place_of = {row[1]: row[0] for row in rows}
        are_distinct = len(place_of) == len(rows)
        overrides = self._override_by is not None
        if overrides:
            await self._connection.execute(NOTE_OVERRIDDEN[entity.name], *_arrays(rows), SOURCE, self._override_by)
        merged = await self._connection.fetch(MERGE[entity.name, are_distinct, overrides], *_arrays(rows))
        changed = {place_of[found] if are_distinct else found for (found,) in merged}
        if rest := _without(rows, changed):
            same = await self._connection.fetch(SAME[entity.name], *_arrays(rest))
            rest = _without(rest, {place for (place,) in same})
        if rest and not overrides:
            overruling = await self._connection.fetch(OVERRULE[entity.name], *_arrays(rest), SOURCE, OVERRULED)
            changed |= {place for (place,) in overruling}
            rest = _without(rest, changed)
        for place in changed:
            outcomes[place].is_changed = True
        if rest:
            losers = await self._connection.fetch(LOSERS[entity.name], *_arrays(rest), SOURCE, entity.conflict)
            for place, is_older, version, is_deleted in losers:
                outcome = outcomes[place]
                # A session comes before its move, and its version is told.
                if not (outcome.is_stale or outcome.is_conflict):
                    outcome.stored_version = version
                outcome.is_stale |= is_older
                outcome.is_conflict |= not is_older
                outcome.is_deleted |= is_deleted

    async def _add_people(self, named: Mapping[str, Set[EntityId]]) -> None:
        for table, (insert, fill) in ADD_PEOPLE.items():
            people = [person for person in self._unknown.get(table, ()) if person in named[table]]
            if people:
                ids, externals = _columns(people)
                await self._connection.execute(insert, ids, externals)
                if any(externals):
                    await self._connection.execute(fill, ids, externals)

    async def _claim(self, posts: Sequence[Post]) -> dict[int, Answer]:
        """Answers of posts that need not or must not be written, by place. Followers get theirs at the end."""
        leaders: dict[tuple[str, str], int] = {}
        settled: dict[int, Answer] = {}
        for at, post in enumerate(posts):
            if post.claim is None:
                continue
            leader = leaders.setdefault(post.claim.name, at)
            if leader != at:
                self._followers.append((at, leader))
        if not leaders:
            return settled
        claims = [claim for at in leaders.values() if (claim := posts[at].claim) is not None]
        ids, names = [claim.caller for claim in claims], [claim.idempotency_key for claim in claims]
        ours = await self._connection.fetch(CLAIM, ids, names, [claim.request_sha256 for claim in claims])
        if len(ours) < len(leaders):
            fresh = {(record[0], record[1]) for record in ours}
            for record in await self._connection.fetch(RECALL, ids, names):
                name = (record["caller"], record["idempotency_key"])
                if name not in fresh:
                    claim = posts[leaders[name]].claim
                    assert claim is not None
                    is_same = claim.request_sha256 == record["request_sha256"]
                    settled[leaders[name]] = record["answer"] if is_same else mismatch()
        for at, _ in self._followers:
            settled[at] = mismatch()
        return settled

    def _answer_followers(self, settled: dict[int, Answer], posts: Sequence[Post]) -> None:
        """Requests that came together with the first one of the same key."""
        for at, leader in self._followers:
            first, claim = posts[leader].claim, posts[at].claim
            assert first is not None
            assert claim is not None
            if first.request_sha256 == claim.request_sha256:
                settled[at] = settled[leader]

    async def _remember(self, answers: dict[int, Answer], posts: Sequence[Post]) -> None:
        claimed = [(claim, answer) for at, answer in answers.items() if (claim := posts[at].claim) is not None]
        good = [(*claim.name, answer) for claim, answer in claimed if isinstance(answer, str)]
        failed = [claim.name for claim, answer in claimed if not isinstance(answer, str)]
        if good:
            await self._connection.execute(REMEMBER, *map(list, zip(*good, strict=True)))
        if failed:
            await self._connection.execute(UNCLAIM, *map(list, zip(*failed, strict=True)))


def _none_lost(outcomes: Sequence[Outcome]) -> Receipt:
    if any(outcome.is_stale or outcome.is_conflict for outcome in outcomes):
        raise ConflictError("A newer version of a session has come meanwhile. Look at it, and try again.")
    return Receipt("")


def _arrays(rows: Sequence[tuple[Any, ...]]) -> Iterable[list[Any]]:
    """An array each of the columns."""
    return map(list, zip(*rows, strict=True))


def _without(rows: Sequence[tuple[Any, ...]], places: Set[int]) -> list[tuple[Any, ...]]:
    """The rows whose place, the first value, is not among these."""
    return [row for row in rows if row[0] not in places]


def _columns(people: Collection[EntityId]) -> tuple[list[UUID], list[str | None]]:
    return [person[0] for person in people], [person[1] for person in people]


def _refused(error: asyncpg.PostgresError) -> ApiError:
    if isinstance(error, asyncpg.LockNotAvailableError):
        return _busy("Another writer holds this session, or its tutor or student.")
    # Its message may contain values of the row.
    log.error("row refused by the database", error=type(error).__qualname__)
    return InternalError("The database refused this row.")


def _busy(detail: str) -> BusyError:
    return BusyError(f"{detail} Send the same again: nothing is stored twice.", headers={"Retry-After": "1"})
