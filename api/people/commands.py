"""Changes of people, each written together with its entry in the audit log, by the merge of the file loader.

A person has no version: the last writer wins, column by column, be it a file or a request (decision 25).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any, Literal, Protocol
from uuid import UUID

import asyncpg

from api.audit_writer import record
from api.database import with_connection
from api.erased import erased_among, refused, without_erased
from api.paths import NO_STUDENT, NO_TUTOR
from api.problems import BusyError, ConflictError, DatabaseUnavailableError, ErasedError, NotFoundError
from api.sessions.live import LiveScores
from core import locks
from core.audit import Action, Entry
from core.erased import REASON, ErasedIds, IdKind
from core.prediction_version import RAISE_VERSION
from ingest.contract import STUDENTS, TUTORS, Entity
from ingest.ids import entity_uuid, external_id
from ingest.merge_posts import QUARANTINE_REJECTED, PostMergeSql
from ingest.parser import staged_columns

SOURCE = "api"
# Pairs of more people are left to the next run, which predicts them more cheaply.
MOST_FOLLOWED = 20
# In one statement: it has a time limit.
MOST_MERGED = 1_000

LOCK_NEW = f"select pg_advisory_xact_lock({locks.NEW_PERSON}, hashtext($1))"

Values = Mapping[str, Any]
Became = Literal["created", "updated", "duplicate", "erased"]


@dataclass(frozen=True, slots=True)
class Kind:
    """Students or tutors: what the log calls them, and what is said if there is nobody with an id."""

    name: IdKind
    entity: Entity
    missing: str
    add: Action
    change: Action


STUDENT = Kind("student", STUDENTS, NO_STUDENT, Action.STUDENT_ADD, Action.STUDENT_CHANGE)
TUTOR = Kind("tutor", TUTORS, NO_TUTOR, Action.TUTOR_ADD, Action.TUTOR_CHANGE)


@dataclass(frozen=True, slots=True)
class Person:
    """A person as sent: the id as delivered, and the columns that were sent with it."""

    delivered_id: str
    values: Values

    @property
    def key(self) -> UUID:
        return entity_uuid(self.delivered_id)


class Follow(Protocol):
    """Has predictions follow changed people, as `Scorer.follow`."""

    async def __call__(self, *, students: Sequence[UUID] = (), tutors: Sequence[UUID] = ()) -> None: ...


class People:
    """Writes `raw.students` and `raw.tutors`. What matching, lists and cases show of them follows with the commit.

    Raises (every method):
        BusyError: somebody else has been writing the same person for too long.
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, live: LiveScores, follow: Follow, erased: ErasedIds | None = None) -> None:
        self._pool = pool
        self._erased = erased or ErasedIds(None)
        self._live = live
        self._follow = follow

    async def add(self, kind: Kind, person: Person, actor: str) -> UUID:
        """The id of the new person. One who is known only from sessions is described by this, and counts as new.

        Raises:
            ConflictError: there is one with this id.
            ErasedError: who had this id was erased.
        """
        key = person.key

        async def work(connection: Any) -> None:
            async with connection.transaction():
                if await self._erased_among(connection, kind, [key]):
                    raise ErasedError(f"It {REASON}.")
                # There is no row to lock yet: of two at once, the second one waits, and finds it.
                await connection.execute(LOCK_NEW, str(key))
                stored = (await _stored(connection, kind, [key])).get(key)
                is_new = stored is None or stored["is_stub"]
                # Unchanged, if a batch was faster, with the same content.
                if not is_new or not await _merge(connection, kind, [(key, person)]):
                    raise ConflictError(
                        f"There is a {kind.name} with this id. Change it with PATCH, or send it in a batch, which adds "
                        "and changes."
                    )
                entry = Entry(actor, kind.add, kind.name, str(key), {"fields": sorted(person.values)})
                await self._end(connection, kind, [key], entry)

        await self._run(work)
        await self._after(kind, [key])
        return key

    async def change(self, kind: Kind, key: UUID, values: Values, actor: str) -> bool:
        """Whether this changed anything.

        Raises:
            NotFoundError: there is no such person.
        """

        async def work(connection: Any) -> bool:
            async with connection.transaction():
                stored = (await _stored(connection, kind, [key])).get(key)
                if stored is None:
                    raise NotFoundError(kind.missing)
                if not values or not await _merge(connection, kind, [(key, Person(str(key), values))]):
                    return False
                changed = (await _stored(connection, kind, [key]))[key]
                # Not what was in them: the log is kept for longer than people are.
                details = {"fields": sorted(name for name in values if stored[name] != changed[name])}
                await self._end(connection, kind, [key], Entry(actor, kind.change, kind.name, str(key), details))
                return True

        is_changed = bool(await self._run(work))
        if is_changed:
            await self._after(kind, [key])
        return is_changed

    async def write(
        self, kind: Kind, people: Sequence[Person], invalid: Sequence[tuple[str, str]], actor: str
    ) -> list[Became]:
        """What became of each person: they are added or changed as by a landing file, in one transaction. Of several
        rows of one person the last one wins, column by column.

        Args:
            invalid: pairs of reason and content, for the quarantine.
        """
        together: dict[UUID, Person] = {}
        for person in people:
            key = person.key
            before = together[key].values if key in together else {}
            together[key] = Person(person.delivered_id, {**before, **person.values})

        async def work(connection: Any) -> tuple[set[UUID], set[UUID], set[UUID]]:
            rejected = list(invalid)
            async with connection.transaction():
                erased = await self._erased_among(connection, kind, list(together))
                for key in erased:
                    rejected.append(refused(self._erased.hash(kind.name, key)))
                    del together[key]
                stored = await _stored(connection, kind, list(together))
                changed: set[UUID] = set()
                # By what was sent of them: what was not sent stays.
                by_columns = sorted(together.items(), key=lambda each: (sorted(each[1].values), each[0]))
                for _, group in groupby(by_columns, key=lambda each: sorted(each[1].values)):
                    alike = list(group)
                    for first in range(0, len(alike), MOST_MERGED):
                        changed |= await _merge(connection, kind, alike[first : first + MOST_MERGED])
                if rejected:
                    rejected = await without_erased(connection, self._erased, rejected)
                    reasons, contents = zip(*rejected, strict=True)
                    await connection.execute(
                        QUARANTINE_REJECTED, kind.entity.name, SOURCE, list(reasons), list(contents)
                    )
                added = {key for key in changed if key not in stored or stored[key]["is_stub"]}
                if changed:
                    details = {"added": len(added), "changed": len(changed) - len(added)}
                    entry = Entry(actor, kind.change, kind.entity.name, "batch", details)
                    await self._end(connection, kind, sorted(changed), entry)
            return added, changed, erased

        added, changed, erased = await self._run(work)
        if 0 < len(changed) <= MOST_FOLLOWED:
            await self._after(kind, sorted(changed))
        return [
            "erased" if key in erased else "created" if key in added else "updated" if key in changed else "duplicate"
            for key in (person.key for person in people)
        ]

    async def _erased_among(self, connection: Any, kind: Kind, keys: Sequence[UUID]) -> set[UUID]:
        def hashes() -> list[bytes]:
            return self._erased.hash_all(kind.name, keys)

        found = await erased_among(connection, self._erased, hashes)
        return {key for key in keys if self._erased.hash(kind.name, key) in found} if found else set()

    async def _end(self, connection: Any, kind: Kind, changed: Sequence[UUID], entry: Entry) -> None:
        """What belongs to every change, as the last work of its transaction."""
        await record(connection, entry)
        await connection.execute(RAISE_VERSION)
        if kind is TUTOR:
            await self._live.refresh_tutors(connection, changed)

    async def _after(self, kind: Kind, changed: Sequence[UUID]) -> None:
        await (self._follow(tutors=changed) if kind is TUTOR else self._follow(students=changed))

    async def _run(self, work: Any) -> Any:
        try:
            return await with_connection(self._pool, work)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError, asyncpg.InvalidSchemaNameError) as error:
            raise DatabaseUnavailableError("Its migrations have not been run yet.") from error
        except asyncpg.LockNotAvailableError as error:
            raise BusyError("Somebody else is writing this just now.", headers={"Retry-After": "1"}) from error


async def _stored(connection: Any, kind: Kind, keys: Sequence[UUID]) -> dict[UUID, Any]:
    """The rows there are, locked until the end of the transaction, in key order."""
    entity = kind.entity
    sql = f"select * from {entity.table} where {entity.key} = any($1::uuid[]) order by {entity.key} for update"
    return {row[entity.key]: row for row in await connection.fetch(sql, keys)}


async def _merge(connection: Any, kind: Kind, people: Sequence[tuple[UUID, Person]]) -> set[UUID]:
    """Write people, of whom the same columns were sent, as a landing file of these columns would. Who changed."""
    entity = kind.entity
    sql = PostMergeSql(entity, staged_columns(entity, {entity.key, *people[0][1].values}))
    rows = [
        {
            "line": line,
            entity.key: key,
            "external_id": external_id(person.delivered_id),
            **{name: _cell(value) for name, value in person.values.items()},
        }
        for line, (key, person) in enumerate(people)
    ]
    arrays: Iterable[list[Any]] = ([row[name] for row in rows] for name in sql.staged_names)
    merged = await connection.fetch(sql.merge(are_distinct=True), *arrays)
    return {key for (key,) in merged}


def _cell(value: Any) -> Any:
    """The value as it is staged."""
    if isinstance(value, list):
        return ";".join(value)
    return Decimal(repr(value)) if isinstance(value, float) else value
