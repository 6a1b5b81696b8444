"""One person's data over the API. It may read; erasing needs the owner of the database, so it is asked for, and done by
the job `erase_persons` or by `tutorq person erase --requested`."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import psycopg
from pydantic_core import from_json

from api.audit_writer import record
from api.database import with_app_tables
from api.persons.schemas import Erasure, ErasureList, ExportedTable, PersonExport
from api.problems import DatabaseUnavailableError, NotFoundError
from core.audit import Action, Entry
from core.database import Database
from core.erased import NO_KEY, ErasedIds
from core.errors import DatabaseUnreachableError
from core.sealing import text_sealer
from core.settings import Settings
from ingest.ids import external_id
from persons.export import Exported, note_export, read_person
from persons.identity import Identity, with_id
from persons.registry import Kind
from persons.sealed import SealedTexts

AT_A_TIME = 1
MOST_LISTED = 500
REQUEST = """
insert into app.erasures (kind, person_id, delivered, asked_by) values ($1, $2, $3, $4)
on conflict (kind, person_id) where done_at is null
do update set delivered = excluded.delivered where erasures.delivered is null and excluded.delivered is not null
returning erasure_id
"""
REQUESTED = f"""
select erasure_id, kind, asked_by, asked_at, done_at, counts::text as counts from app.erasures
where ($1::text is null or kind = $1 and person_id = $2 and done_at is null)
order by erasure_id desc
limit {MOST_LISTED}
"""
KEYED = "select exists (select from raw.erased_ids where id_hash = $1) or not exists (select from raw.erased_ids)"
# A file that was loaded before is to be read once more when it comes again.
ALLOW = "delete from raw.erased_ids where person_hash = $1 returning 1"
READ_AGAIN = "update raw.loads set checksum = ''"
NOBODY = "There is nobody with this id."


class Persons:
    """
    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings, database: Database, erased: ErasedIds) -> None:
        self._pool = pool
        self._settings = settings
        self._database = database
        self._erased = erased
        self._places = asyncio.Semaphore(AT_A_TIME)

    async def export(self, kind: Kind, person_id: UUID, delivered: str, actor: str) -> PersonExport:
        """All that is stored of a person, noted in the audit log.

        Raises:
            NotFoundError: there is nobody with this id.
        """
        async with self._places:
            try:
                identity, tables = await asyncio.to_thread(self._read, kind, person_id, delivered, actor)
            except (DatabaseUnreachableError, psycopg.OperationalError) as error:
                raise DatabaseUnavailableError("Please try again in a moment.") from error
        found = [
            ExportedTable(table=each.table, about=each.about, is_mention=each.is_mention, rows=list(each.rows))
            for each in tables
        ]
        return PersonExport(kind=kind, person_id=str(identity.person_id), tables=found)

    async def request(self, kind: Kind, person_id: UUID, delivered: str, actor: str) -> Erasure:
        """Ask for an erasure; again changes nothing while it waits. Whoever stands only in files or in quarantine is
        erased, too, so nobody need be known: `delivered`, the id as it was sent, finds them there."""

        async def work(connection: asyncpg.Connection) -> Erasure:
            async with connection.transaction():
                added = await connection.fetchval(REQUEST, kind, person_id, external_id(delivered), actor)
                if added is not None:
                    details = {"erasure": added, "state": "requested"}
                    await record(connection, Entry(actor, Action.DATA_ERASE, kind, "[erased]", details))
                [row] = await connection.fetch(REQUESTED, kind, person_id)
            return _erasure(row)

        return await with_app_tables(self._pool, work)

    async def erasures(self) -> ErasureList:
        """The newest ones, the newest first."""
        rows = await with_app_tables(self._pool, lambda connection: connection.fetch(REQUESTED, None, None))
        return ErasureList(data=[_erasure(row) for row in rows])

    async def allow(self, kind: Kind, person_id: UUID, actor: str) -> None:
        """Let rows that name the person in again.

        Raises:
            NotFoundError: nobody of this id was erased.
        """
        person = self._erased.hash(kind, person_id)

        async def work(connection: asyncpg.Connection) -> None:
            async with connection.transaction():
                if not await connection.fetchval(KEYED, self._erased.check):
                    raise DatabaseUnavailableError(NO_KEY)
                if not await connection.fetch(ALLOW, person):
                    raise NotFoundError("Nobody with this id was erased.")
                await connection.execute(READ_AGAIN)
                await record(connection, Entry(actor, Action.DATA_ALLOW, kind, "[erased]"))

        await with_app_tables(self._pool, work)

    def _read(self, kind: Kind, person_id: UUID, delivered: str, actor: str) -> tuple[Identity, Sequence[Exported]]:
        # Read anew: the key may have been rotated since.
        texts = SealedTexts(text_sealer(self._settings))
        with self._database.connect() as connection:
            identity = with_id(connection, kind, person_id, external_id(delivered))
            if not identity.is_known:
                raise NotFoundError(NOBODY)
            tables = list(read_person(connection, identity, texts))
            note_export(connection, identity.kind, identity.person_id, len(tables), actor)
        return identity, tables


def _erasure(row: asyncpg.Record) -> Erasure:
    return Erasure.model_validate({**row, "counts": from_json(row["counts"])})
