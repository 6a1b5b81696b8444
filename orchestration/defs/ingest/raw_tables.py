"""Raw tables: landing files go in, each file once, and away."""

from collections.abc import Iterator

import dagster as dg
from psycopg import sql

from core.settings import Settings
from ingest import complete_files, failures, left_alone, long_unknown, take_files
from orchestration.defs.ingest.connectors import deps_of
from orchestration.executors import is_spread
from orchestration.policies import OWNER, RETRY_POLICY
from orchestration.resources import Platform
from orchestration.row_counts import table_rows
from orchestration.run_limits import prolong

DESCRIPTIONS = {
    "tutors": "One row per tutor. A stub stands for a tutor known only from a session.",
    "students": "One row per student. A stub stands for a student known only from a session.",
    "sessions": "One row per session, newest version. Whoever writes here, the change is noted for the next scoring.",
    "reschedules": "One row per move of a session, newest version. May arrive before its session.",
}

SHOWN_FILES = 50

# Of files, loads say what was taken, unchanged rows too; of posts, the sessions tell. Either may be all there is.
ROWS_OF_THE_DAY = """
select
    (select count(*) from raw.quarantine where last_seen_at > now() - interval '1 day' and not is_remark),
    greatest(
        (
            select coalesce(sum(read_rows - quarantined_rows), 0)::bigint
            from raw.loads
            where finished_at > now() - interval '1 day'
        ),
        (select count(*) from raw.sessions where loaded_at > now() - interval '1 day')
    )
"""

# Older rows may have been deleted by hand, or because their time was over.
RECONCILED_WITHIN = "7 days"

# People before their sessions, sessions before their reschedules: any order works, this one makes no stubs.
REFERS_TO = {"sessions": ("tutors", "students"), "reschedules": ("sessions",)}


def raw_table(entity: str) -> dg.AssetsDefinition:
    key = dg.AssetKey(["raw", entity])
    readable = dg.AssetCheckSpec(
        "every_file_could_be_read",
        asset=key,
        description="A file of which nothing can be taken is named here, and the others are loaded. It lies in the "
        "folder failed of the landing directory until somebody deletes it, or mends it and drops it again.",
    )
    movable = dg.AssetCheckSpec(
        "every_file_could_be_moved",
        asset=key,
        description="Files that are done with leave the landing directory. What has to stay is not loaded again.",
    )

    @dg.asset(
        key=key,
        deps=[*(dg.AssetKey(["raw", other]) for other in REFERS_TO.get(entity, ())), *deps_of(entity, Settings())],
        group_name="raw",
        kinds={"postgres", "table"},
        owners=[OWNER],
        description=DESCRIPTIONS[entity],
        check_specs=[readable, movable],
        retry_policy=RETRY_POLICY,
    )
    def table(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]
        landing = platform.settings.landing
        if is_spread(platform.settings) and not landing.is_dir():
            raise dg.Failure(
                f"{landing} is no folder on this worker; mount it and name it in TUTORQ_LANDING_DIR",
                allow_retries=False,
            )
        prolong(context, platform.settings, landed_bytes=sum(file.bytes for file in complete_files(landing, entity)))
        taken = take_files(
            platform.landing_database,
            landing,
            entity,
            timezone=platform.settings.timezone,
            is_strict=platform.settings.strict_files,
        )
        refused = failures(landing, entity)
        staying = [file for file in taken if file.stays]
        refused += [f"{file.report.file}: {file.report.message}" for file in staying if file.report.outcome == "failed"]
        with platform.landing_database.connect() as connection:
            rows = table_rows(connection, "raw", entity)
        loaded = [file.report for file in taken if file.is_new]
        loads = [load for report in loaded for load in report.loads]
        counts = {
            name: sum(load.rows[name] for load in loads)
            for name in ("read", "inserted", "updated", "unchanged", "stale", "quarantined")
        }
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows,
                "files_loaded": _bullets([report.file for report in loaded]),
                "files_read_with_a_note": _bullets(
                    [
                        f"{report.file}: {note['kind']}: {note['text']} ({note['count']:,})"
                        for report in loaded
                        for load in report.loads
                        for note in load.notes
                    ]
                ),
                "files_already_in": sum(not file.is_new and bool(file.report.loads) for file in taken),
                **{f"rows_{name}": count for name, count in counts.items()},
                "rows_with_remarks": sum(load.remarks for load in loads),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=readable.name, passed=not refused, metadata={"files_refused": _bullets(refused)}
                ),
                dg.AssetCheckResult(
                    check_name=movable.name,
                    passed=not staying,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={"files_that_stay": _bullets([f"{file.report.file}: {file.stays}" for file in staying])},
                ),
            ],
        )

    return table


def _bullets(lines: list[str]) -> dg.MarkdownMetadataValue:
    shown = [f"- {line}" for line in lines[:SHOWN_FILES]]
    if more := len(lines) - len(shown):
        shown.append(f"- and {more:,} more")
    return dg.MetadataValue.md("\n".join(shown) or "none")


@dg.asset_check(
    asset=["raw", "sessions"],
    description="Nothing lies in the landing directory that is not going to be loaded, such as a file of another name.",
)
def nothing_else_has_landed(platform: Platform) -> dg.AssetCheckResult:
    others = left_alone(platform.settings.landing)
    return dg.AssetCheckResult(
        passed=not others, severity=dg.AssetCheckSeverity.WARN, metadata={"left_alone": _bullets(others)}
    )


def loads_reconcile(entity: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["raw", entity],
        name="read_equals_accepted_plus_quarantined",
        description="What the loads of the last seven days say they took is in the table, and what they refused is "
        "in quarantine. Fails, without holding anything up, after such rows were deleted by hand.",
    )
    def check(platform: Platform) -> dg.AssetCheckResult:
        with platform.landing_database.connect() as connection:
            read, inserted, accepted, quarantined = connection.execute(
                """
                select
                    coalesce(sum(read_rows), 0)::bigint,
                    coalesce(sum(inserted_rows), 0)::bigint,
                    coalesce(sum(inserted_rows + updated_rows + unchanged_rows + stale_rows), 0)::bigint,
                    coalesce(sum(quarantined_rows), 0)::bigint
                from raw.loads
                where entity = %s and finished_at > now() - %s::interval
                """,
                [entity, RECONCILED_WITHIN],
            ).fetchone() or (0, 0, 0, 0)
            unexplained = connection.execute(
                """
                select source
                from raw.loads
                where entity = %(entity)s and finished_at > now() - %(within)s::interval and quarantined_rows > (
                    select count(*) from raw.quarantine
                    where quarantine.entity = loads.entity and quarantine.source = loads.source
                        and not quarantine.is_remark
                )
                """,
                {"entity": entity, "within": RECONCILED_WITHIN},
            ).fetchall()
            rows = connection.execute(
                sql.SQL("select count(*) from {}").format(sql.Identifier("raw", entity))
            ).fetchone()
        in_table = int(rows[0]) if rows else 0
        return dg.AssetCheckResult(
            passed=read == accepted + quarantined and in_table >= inserted and not unexplained,
            metadata={
                "read": read,
                "accepted": accepted,
                "quarantined": quarantined,
                "inserted": inserted,
                "in_the_table": in_table,
                "loads_without_their_quarantine": len(unexplained),
            },
        )

    return check


def every_id_is_known(entity: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["raw", entity],
        name="every_id_is_known",
        description=f"No id of sessions is in no file of {entity} for more than a day, as when two systems write ids "
        "differently. Passes while no such file has come at all.",
    )
    def check(platform: Platform) -> dg.AssetCheckResult:
        with platform.landing_database.connect() as connection:
            unknown = long_unknown(connection, entity)
        return dg.AssetCheckResult(
            passed=not unknown, severity=dg.AssetCheckSeverity.WARN, metadata={"unknown_ids": unknown}
        )

    return check


@dg.asset_check(
    asset=["raw", "sessions"],
    blocking=True,
    description="There are sessions to score; without any, the marts stay as they are.",
)
def has_sessions(platform: Platform) -> dg.AssetCheckResult:
    with platform.landing_database.connect() as connection:
        row = connection.execute("select exists (select from raw.sessions)").fetchone()
    return dg.AssetCheckResult(passed=bool(row and row[0]))


@dg.asset_check(
    asset=["raw", "sessions"],
    description="Few rows are refused: under 1% of what came within the last day, in files and posts.",
)
def quarantine_is_small(platform: Platform) -> dg.AssetCheckResult:
    with platform.landing_database.connect() as connection:
        refused, taken = connection.execute(ROWS_OF_THE_DAY).fetchone() or (0, 0)
    share = refused / (refused + taken) if refused else 0.0
    return dg.AssetCheckResult(
        passed=share < 0.01,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"quarantined_share": share, "refused": refused, "taken": taken},
    )


def _all() -> Iterator[dg.AssetsDefinition | dg.AssetChecksDefinition]:
    for entity in DESCRIPTIONS:
        yield raw_table(entity)
        yield loads_reconcile(entity)
    for entity in ("tutors", "students"):
        yield every_id_is_known(entity)
    yield from (has_sessions, nothing_else_has_landed, quarantine_is_small)


@dg.definitions
def defs() -> dg.Definitions:
    everything = list(_all())
    return dg.Definitions(
        assets=[item for item in everything if not isinstance(item, dg.AssetChecksDefinition)],
        asset_checks=[item for item in everything if isinstance(item, dg.AssetChecksDefinition)],
    )
