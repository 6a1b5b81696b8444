"""Whether the database is whole: what a restore by other means, or one that was broken off, leaves out."""

import psycopg

from cli.doctor.finding import Finding

SCHEMAS = ("raw", "app", "ml", "staging", "intermediate", "marts", "analytics")
# Everything in these is made by dbt, and rewritten by its role.
OF_DBT = ("staging", "intermediate", "marts", "test_failures", "analytics")
# A table of rows that may stand there more than once.
WITHOUT_KEY = ("raw.changes",)
WATCHED = ("raw.sessions", "raw.reschedules", "raw.tutors", "raw.students", "app.excuses")
# (role, table, right): what each kind of process does first.
RIGHTS = (
    ("tutorq_ingest", "raw.sessions", "insert"),
    ("tutorq_transform", "raw.sessions", "select"),
    ("tutorq_transform", "raw.changes", "delete"),
    ("tutorq_transform", "app.email_reports", "insert"),
    ("tutorq_api", "app.api_keys", "select"),
    ("tutorq_api", "raw.changes", "select"),
)

TOLD = 3
OWNERS = 2
FAULTS = """
select 'there is no schema ' || name as fault, 1 as place
from unnest(%(schemas)s::text[]) as name where to_regnamespace(name) is null
union all
select format('%%I.%%I belongs to %%s', nspname, relname, relowner::regrole), 2
from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid
where
    (nspname = any(%(of_dbt)s) or (nspname = 'ml' and relname ~ '^match_predictions(_|$)'))
    and relkind in ('r', 'p', 'v', 'm') and relowner::regrole::text <> 'tutorq_transform'
union all
select format('the schema %%I belongs to %%s', nspname, nspowner::regrole), 2
from pg_namespace where nspname = any(%(of_dbt)s) and nspowner::regrole::text <> 'tutorq_transform'
union all
select format('%%I.%%I has no primary key', nspname, relname), 3
from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid
where
    nspname in ('raw', 'app', 'ml') and relkind in ('r', 'p') and not relispartition
    and format('%%s.%%s', nspname, relname) <> all(%(without_key)s)
    and not exists (select from pg_index where indrelid = pg_class.oid and indisprimary)
union all
select format('there is no table %%s', name), 1
from unnest(%(watched)s::text[] || %(without_key)s::text[]) as name where to_regclass(name) is null
union all
select format('changes of %%s are not noted (it has no triggers)', name), 3
from unnest(%(watched)s::text[]) as name
where
    to_regclass(name) is not null and (
        select count(*) < 3 from pg_trigger where tgrelid = to_regclass(name) and not tgisinternal and tgenabled <> 'D'
    )
union all
select format('%%s may not %%s %%s', role, privilege, name), 4
from unnest(%(roles)s::text[], %(tables)s::text[], %(privileges)s::text[]) as wanted (role, name, privilege)
where
    to_regrole(role) is not null and to_regclass(name) is not null
    and not (
        has_table_privilege(role, to_regclass(name), privilege)
        and has_schema_privilege(role, split_part(name, '.', 1), 'usage')
    )
order by 2, 1
"""
OF_SOMEBODY_ELSE = "If it was made by hand: `alter … owner to tutorq_transform`. "
RESTORED_IN_PART = (
    "The database was restored in part, or changed by hand. To restore a whole backup, run "
    "`tutorq db restore FILE --replace`; see backups in docs/operations.md."
)


def objects(connection: psycopg.Connection) -> Finding:
    """Tables, owners, keys, triggers and rights, as migrations and dbt make them."""
    roles, tables, privileges = (list(column) for column in zip(*RIGHTS, strict=True))
    rows = connection.execute(
        FAULTS,
        {
            "schemas": list(SCHEMAS), "of_dbt": list(OF_DBT), "without_key": list(WITHOUT_KEY),
            "watched": list(WATCHED), "roles": roles, "tables": tables, "privileges": privileges,
        },
    ).fetchall()  # fmt: skip
    if not rows:
        return Finding("tables and rights", True, "as they should be")
    found = "; ".join(fault for fault, _ in rows[:TOLD]) + (
        f"; and {len(rows) - TOLD} more" if len(rows) > TOLD else ""
    )
    only_owners = all(kind == OWNERS for _, kind in rows)
    return Finding("tables and rights", False, found, f"{OF_SOMEBODY_ELSE if only_owners else ''}{RESTORED_IN_PART}")
