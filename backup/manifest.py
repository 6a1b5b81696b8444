"""What a backup is of: read in the snapshot that is dumped, kept as JSON, checked before a restore."""

import json
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from importlib.metadata import version
from typing import Any

import psycopg

from core.database import DatabaseRole
from core.errors import TutorqError

MANIFEST = "backup.json"
FORMAT = 1
# In the order of their making. Whatever else is in the database is not tutorq's.
SCHEMAS = ("raw", "app", "ml", "staging", "intermediate", "marts", "test_failures", "analytics")

LOCKED = (
    "the database could not be read: somebody holds a table locked (a migration, `vacuum full`, an open transaction); "
    "try again when that has ended"
)

# What belongs to a role of a process, as `alter … owner to` names it. Sequences of columns go with their table.
OWNED = """
with things as (
    select 0 as place, nspowner as owner, format('schema %%I', nspname) as thing, nspname
    from pg_namespace
    union all
    select
        1, relowner,
        format(
            '%%s %%I.%%I', case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
            else 'table' end, nspname, relname
        ), nspname
    from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid
    where relkind in ('r', 'p', 'v', 'm', 'S') and not exists (
        select from pg_depend
        where
            classid = 'pg_class'::regclass and objid = pg_class.oid and refclassid = 'pg_class'::regclass
            and relkind = 'S' and deptype in ('a', 'i')
    )
    union all
    select 2, proowner, format('routine %%s', pg_proc.oid::regprocedure), nspname
    from pg_proc inner join pg_namespace on pronamespace = pg_namespace.oid
)
select owner::regrole::text, array_agg(thing order by place, thing) from things
where nspname = any(%s) and owner::regrole::text = any(%s) group by 1
"""
# Everybody who was granted something.
GRANTED = """
select distinct rolname::text
from (
    select nspacl as acl from pg_namespace where nspname = any(%(schemas)s)
    union all
    select relacl from pg_class where relnamespace::regnamespace::text = any(%(schemas)s)
    union all
    select attacl from pg_attribute inner join pg_class on attrelid = pg_class.oid
    where relnamespace::regnamespace::text = any(%(schemas)s)
    union all
    select proacl from pg_proc where pronamespace::regnamespace::text = any(%(schemas)s)
) as granted cross join aclexplode(acl) as each inner join pg_roles on grantee = pg_roles.oid
where rolname !~ '^pg_' and grantee <> grantor
"""
FACTS = """
select
    (select version_num from app.alembic_version),
    current_database(),
    current_setting('server_version_num')::integer,
    (select count(*) from raw.sessions),
    (select count(*) from app.email_reports where state in ('queued', 'sending')),
    array(select distinct artifact_uri from ml.models where artifact_uri is not null order by 1),
    array(
        select nspname::text from pg_namespace
        where nspname !~ '^pg_' and nspname <> all(%s) and nspname not in ('public', 'information_schema')
    )
"""


@dataclass
class Manifest:
    """The content of `backup.json`."""

    made_at: str
    tutorq: str
    schema_version: str
    database: str
    postgres: int
    pg_dump: int
    sessions: int
    waiting_mails: int
    generation: int | None
    as_of: str | None
    timezone: str | None
    schemas: list[str]
    left_out_schemas: list[str]
    roles: list[str]
    owned: dict[str, list[str]]
    models: list[str]
    missing_models: list[str] = field(default_factory=list)
    landing_files: int | None = None
    format: int = FORMAT

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=2).encode()

    def to_dict(self) -> dict[str, Any]:
        """What a person or a script wants to know of it."""
        return {name: value for name, value in asdict(self).items() if name not in ("owned", "roles")}

    @classmethod
    def from_json(cls, content: bytes) -> "Manifest":
        """Raises TutorqError if this version cannot read it."""
        try:
            stored = json.loads(content)
            if stored["format"] != FORMAT:
                raise TutorqError(
                    f"the backup was made by tutorq {stored['tutorq']}, and tutorq {version('tutorq')} cannot read its "
                    "format; restore it with that version"
                )
            return cls(**{name: value for name, value in stored.items() if name in {each.name for each in fields(cls)}})
        except (ValueError, KeyError, TypeError) as error:
            raise TutorqError(f"this is no backup by `tutorq db backup`: its {MANIFEST} is broken ({error})") from error

    def refuse_if_newer(self, known_versions: set[str], server: int) -> None:
        """Raises TutorqError if this code or this server is older than what the backup is of."""
        if self.schema_version not in known_versions:
            raise TutorqError(
                f"the backup was made by a newer tutorq ({self.tutorq}, schema {self.schema_version}) than this one "
                f"({version('tutorq')}, schema {max(known_versions)}); install the newer one, then restore"
            )
        if self.postgres // 10_000 > server // 10_000:
            raise TutorqError(
                f"the backup is of Postgres {self.postgres // 10_000}, and this server is {server // 10_000}; "
                f"restore it to Postgres {self.postgres // 10_000} or newer"
            )


def describe(connection: psycopg.Connection, pg_dump: int, now: datetime) -> Manifest:
    """The manifest of the database, as this connection's transaction sees it.

    Raises:
        TutorqError: there is no installation in it, or not a whole one.
    """
    connection.execute("set local search_path = ''")  # so that all names are told with their schema
    try:
        facts = connection.execute(FACTS, [list(SCHEMAS)]).fetchone()
        assert facts is not None, "aggregates always yield a row"
        published = _publication(connection)
    except psycopg.errors.LockNotAvailable as error:
        raise TutorqError(LOCKED) from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise TutorqError(
            f"there is no whole installation to back up here ({error.diag.message_primary}); see `tutorq doctor`"
        ) from error
    schema_version, database, postgres, sessions, mails, models, others = facts
    generation, as_of, timezone = published or (None, None, None)
    present = connection.execute("select nspname::text from pg_namespace where nspname = any(%s)", [list(SCHEMAS)])
    return Manifest(
        made_at=now.isoformat(timespec="seconds"),
        tutorq=version("tutorq"),
        schema_version=schema_version,
        database=database,
        postgres=postgres,
        pg_dump=pg_dump,
        sessions=sessions,
        waiting_mails=mails,
        generation=generation,
        as_of=as_of,
        timezone=timezone,
        schemas=sorted((name for (name,) in present), key=SCHEMAS.index),
        left_out_schemas=others,
        roles=[name for (name,) in connection.execute(GRANTED, {"schemas": list(SCHEMAS)})],
        owned=dict(connection.execute(OWNED, [list(SCHEMAS), [*DatabaseRole]]).fetchall()),
        models=models,
    )


def _publication(connection: psycopg.Connection) -> tuple[int, str, str] | None:
    """Generation, day and zone. Only a plain table is read: a view of tutorq_transform's, or a policy on its table,
    would run with the rights of the owner, who makes backups."""
    connection.execute("set local row_security = off")
    table = "select from pg_class where oid = to_regclass('marts.publication') and relkind = 'r'"
    if connection.execute(table).fetchone() is None:
        return None
    return connection.execute("select generation, as_of::text, timezone from marts.publication").fetchone()
