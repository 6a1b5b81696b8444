"""The dbt project as assets: staging, intermediate and marts, with dbt's tests as checks."""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from datetime import date, timedelta
from typing import Any

import dagster as dg
from dagster_dbt import (
    DagsterDbtProjectPreparer,
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtProject,
    dbt_assets,
)
from dagster_shared.record import replace
from psycopg.rows import dict_row

from core.database import Database
from core.dbt_runner import DBT_PROJECT_DIR, MANIFEST_PATH, build_events, dbt_target_path, one_dbt_at_a_time, parse
from core.errors import TutorqError
from core.migrate import migrate
from core.settings import Settings
from orchestration.column_lineage import ColumnLineage
from orchestration.dagster_internals import dagster_events, dbt_selection
from orchestration.policies import DBT_POOL, OWNER, RETRY_POLICY
from orchestration.resources import Platform
from orchestration.row_counts import RowCounts
from orchestration.run_limits import prolong

DbtNode = Mapping[str, Any]


class Preparer(DagsterDbtProjectPreparer):
    """What `make install` and `tutorq up` do otherwise. In this process: dagster-dbt's own preparer would need the
    program `dbt` on the PATH."""

    def prepare(self, project: DbtProject) -> None:  # noqa: ARG002
        parse()
        database = Database(Settings())
        if database.is_embedded:  # it may be a new one, on which every sensor would fail
            migrate(database)


PROJECT = DbtProject(project_dir=DBT_PROJECT_DIR, profiles_dir=DBT_PROJECT_DIR)
# Under `dagster dev` alone: a changed model is parsed when the code location is reloaded.
Preparer().prepare_if_dev(PROJECT)
if not MANIFEST_PATH.exists():
    raise TutorqError(f"{MANIFEST_PATH} is missing; `make install` makes it, or another installation")
MANIFEST = json.loads(MANIFEST_PATH.read_text())

HISTORY = dg.AssetKey(["marts", "score_history"])
# What days of history are made from.
MADE_BEFORE_HISTORY = tuple(dg.AssetKey(["marts", name]) for name in ("dim_tutors", "tutor_concerns", "tutor_scores"))
THOROUGH = "thorough"

# Columns of tutor_scores that a run computes, because they are of all tutors or of planned sessions. A post changes
# `harm_sessions` by its rate, and a run by the planned sessions, too.
LIVE_WAITING = ["peer_percentile", "planned_sessions_7d", "harm_students", "case_mix_expected", "harm_sessions"]
LIVE_SAMPLE = 200
LIVE_DIFFERENCES = """
with sample as (
    select tutor_id from marts.dim_tutors order by random() limit %s
)

select
    sample.tutor_id,
    (to_jsonb(batch) - waiting.columns)::text is distinct from to_jsonb(live)::text
    or (
        select jsonb_agg(to_jsonb(stored) - 'clears_on' order by concern)::text
        from marts.tutor_concerns as stored
        where stored.tutor_id = sample.tutor_id
    ) is distinct from (
        select jsonb_agg(to_jsonb(defined) order by concern)::text
        from intermediate.int_tutor_concerns as defined
        where defined.tutor_id = sample.tutor_id
    )
from sample
left join marts.tutor_scores as batch on sample.tutor_id = batch.tutor_id
-- As live writers read it: one tutor at a time.
left join lateral (
    select * from intermediate.int_tutor_scores as defined where defined.tutor_id = sample.tutor_id
) as live on true
cross join (select %s::text[] as columns) as waiting
"""


# What a generic test of dbt promises of a column, unless it has a description of its own.
PROMISES = {
    "not_null": "{column} is never null.",
    "unique": "No two rows have the same {column}.",
    "unique_combination": "No two rows have the same {columns}, and none of these is null.",
    "accepted_values": "{column} is one of {values}, or null.",
    "relationships": "Each {column} is in {to}, or null.",
}


def promise(test: DbtNode) -> str:
    """What a dbt test says of its model, in a sentence."""
    if test["description"]:
        return str(test["description"])
    if "test_metadata" not in test:  # a data test of its own, without a description
        return str(test["name"]).replace("_", " ").capitalize() + "."
    generic = test["test_metadata"]
    arguments = {
        name: ", ".join(value) if isinstance(value, list) else value for name, value in generic["kwargs"].items()
    }
    told = arguments | {"column": test["column_name"], "to": test["refs"][0]["name"]}
    return PROMISES[generic["name"]].format_map(told)


class Translator(DagsterDbtTranslator):
    """How a dbt node looks as an asset."""

    def get_asset_key(self, dbt_resource_props: DbtNode) -> dg.AssetKey:
        """Where the table lives: schema and name. Sources then meet the assets that load them; one that is written with
        another table, in the same transaction, names the asset of that table."""
        if written_with := dbt_resource_props.get("meta", {}).get("dagster", {}).get("asset_key"):
            return dg.AssetKey(written_with)
        name = dbt_resource_props.get("alias") or dbt_resource_props["name"]
        return dg.AssetKey([dbt_resource_props["schema"], name])

    def get_group_name(self, dbt_resource_props: DbtNode) -> str:
        """The layer: staging, intermediate or marts."""
        return str(dbt_resource_props["schema"])

    def get_owners(self, dbt_resource_props: DbtNode) -> list[str]:  # noqa: ARG002
        return [OWNER]

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: DbtNode, unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        """The check with what it promises: dagster-dbt leaves a test's own description out."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and replace(spec, description=promise(manifest["nodes"][unique_id]))

    def get_description(self, dbt_resource_props: DbtNode) -> str:
        """The model's own words, without the SQL that Dagster would append."""
        return str(dbt_resource_props.get("description") or "")


TRANSLATOR = Translator(
    DagsterDbtTranslatorSettings(
        enable_asset_checks=True, enable_code_references=True, enable_duplicate_source_asset_keys=True
    )
)


@dbt_assets(
    manifest=MANIFEST,
    project=PROJECT,
    dagster_dbt_translator=TRANSLATOR,
    name="dbt_models",
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_POLICY,
    pool=DBT_POOL,
)
def dbt_models(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[Any]:
    """One `dbt build` of what was selected; unit tests are left to `make test`.

    Days of score_history are built by themselves, after the scores that they are made from, so that the other marts are
    computed for the as-of day alone.
    """

    lineage = ColumnLineage(MANIFEST, dbt_target_path(platform.settings), TRANSLATOR.get_asset_key)

    def build(days: list[date], *excluded: str) -> Generator[Any, None, None]:
        selection = dbt_selection(context, MANIFEST, TRANSLATOR, excluded)
        # Cautious: a test that also reads a model outside the run waits for a run with all that it reads.
        selection.append("--indirect-selection=cautious")
        with RowCounts(platform.database, context.log.warning) as counts:
            for message in build_events(platform.settings, platform.database, selection, scoring_days=days):
                for event in dagster_events(message, MANIFEST, TRANSLATOR, context, PROJECT):
                    if isinstance(event, dg.Output):
                        node = message["data"]["node_info"]
                        columns = lineage.metadata(node["unique_id"], dbt_target_path(platform.settings, days))
                        rows = {} if node["materialized"] == "view" else _row_count(context, counts, event)
                        yield event.with_metadata({**event.metadata, **columns, **rows})
                    else:
                        yield event

    days = _scoring_days(context)
    prolong(context, platform.settings, days=len(days), stored_sessions=_stored_sessions(platform))
    if not days:
        yield from build([], f"tag:{THOROUGH}")
        return
    if days == [platform.as_of_day()]:
        yield from build([])  # records that day by itself
        return
    marts = {key for key in context.selected_asset_keys if key.path[0] == "marts"}
    before = {HISTORY, *MADE_BEFORE_HISTORY}
    if not _has_scores(platform):  # of which days are made
        builds = [build([]), build(days, *(key.path[-1] for key in marts - {HISTORY}))]
    else:
        # The second one for the status of the day before, which may have been recorded now.
        builds = [build(days, *(key.path[-1] for key in marts - before)), *([build([])] if marts - before else [])]
    told: set[dg.AssetKey | None] = set()
    for each in builds:
        told_before = frozenset(told)
        with closing(each):  # whoever closes this generator stops dbt
            for event in each:
                if (key := _asset_key(context, event)) not in told_before:
                    told |= {key} - {None}
                    yield event


def thorough_checks() -> dg.AssetSelection:
    """Tests that read whole tables; they are left to the nightly run."""
    tests = {spec.key: MANIFEST["nodes"][spec.metadata["dagster_dbt/unique_id"]] for spec in dbt_models.check_specs}
    return dg.AssetSelection.checks(*[key for key, test in tests.items() if THOROUGH in test["tags"]])


def _stored_sessions(platform: Platform) -> int:
    """How many sessions there are, as Postgres estimates it."""
    query = "select greatest(reltuples, 0)::bigint from pg_class where oid = 'raw.sessions'::regclass"
    with platform.database.connect() as connection:
        (sessions,) = connection.execute(query).fetchone() or (0,)
    return int(sessions)


def _has_scores(platform: Platform) -> bool:
    """Whether there are the tables from which days of history are made."""
    with platform.database.connect() as connection:
        (found,) = connection.execute("select to_regclass('marts.tutor_scores') is not null").fetchone() or (False,)
    return bool(found)


def _asset_key(context: dg.AssetExecutionContext, event: Any) -> dg.AssetKey | None:
    """What an output or the result of a check is about."""
    is_output = isinstance(event, dg.Output)
    key: dg.AssetKey | None = (
        context.asset_key_for_output(event.output_name) if is_output else getattr(event, "asset_key", None)
    )
    return key


def _row_count(context: dg.AssetExecutionContext, counts: RowCounts, output: dg.Output[Any]) -> dict[str, int]:
    """The rows of an output's table; views are not counted, they may be large."""
    schema, table = context.asset_key_for_output(output.output_name).path[-2:]
    rows = counts.of(schema, table)
    return {} if rows is None else {"dagster/row_count": rows}


def _scoring_days(context: dg.AssetExecutionContext) -> list[date]:
    """The days of score_history that this run is about; none if it is not about history."""
    if not context.has_partition_key and not context.has_partition_key_range:
        return []
    keys = context.partition_key_range
    first, last = date.fromisoformat(keys.start), date.fromisoformat(keys.end)
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


@dg.asset_check(
    asset=["marts", "tutor_scores"],
    description="A sample of scores and concerns is what live writers would make of them now, to the last bit.",
)
def live_equals_batch(platform: Platform) -> dg.AssetCheckResult:
    with one_dbt_at_a_time(platform.database), platform.database.connect() as connection:
        # One snapshot for table and view, since writers go on.
        connection.execute("set transaction isolation level repeatable read")
        (is_live,) = connection.execute("select to_regproc('marts.refresh_sessions') is not null").fetchone() or (None,)
        rows = connection.execute(LIVE_DIFFERENCES, [LIVE_SAMPLE, LIVE_WAITING]).fetchall() if is_live else []
    # How many, and not who: what Dagster keeps names nobody.
    different = sum(is_different for _, is_different in rows)
    return dg.AssetCheckResult(
        passed=bool(is_live) and not different,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"compared": len(rows), "different": different},
    )


@dg.asset_check(
    asset=["marts", "publication"],
    description="What the scores say of the platform: shares and rates, for a look at the run.",
)
def published_figures(platform: Platform) -> dg.AssetCheckResult:
    with platform.database.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            """
            select
                publication.generation,
                publication.as_of::text,
                platform_baseline.let_down_rate_90d,
                count(*) filter (where tutor_scores.is_active) as active_tutors,
                count(*) filter (where tutor_scores.is_high_risk) as high_risk,
                count(*) filter (where tutor_scores.risk_status = 'watch') as watch
            from marts.tutor_scores
            cross join marts.publication
            cross join marts.platform_baseline
            group by publication.generation, publication.as_of, platform_baseline.let_down_rate_90d
            """
        ).fetchone()
    return dg.AssetCheckResult(passed=row is not None, metadata=row or {})
