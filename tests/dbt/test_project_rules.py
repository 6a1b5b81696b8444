"""The rules of dbt-project-evaluator (https://dbt-labs.github.io/dbt-project-evaluator), checked on the manifest."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import psycopg
import pytest
import yaml

from core.settings import PROJECT_ROOT
from tests.dbt.conftest import parsed

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ModelNode

    from tests.dbt.conftest import Dbt

PROJECT = PROJECT_ROOT / "dbt_project"
MODELS = PROJECT / "models"

# Marts are named by kind (dim_, fct_), or plainly for what they are: the API and analysts know them by these names.
PREFIXES = {"staging": ("stg_",), "intermediate": ("int_",), "marts": ("dim_", "fct_")}
PLAIN_MARTS = {
    "attention_weekly",
    "attrition_features",
    "attrition_outcomes",
    "case_effects",
    "cases",
    "fairness_groups",
    "first_sessions",
    "match_outcomes",
    "match_predictions",
    "match_students",
    "match_tutors",
    "platform_baseline",
    "platform_notice",
    "platform_retention",
    "platform_weekly",
    "publication",
    "score_calibration",
    "score_history",
    "session_outcomes",
    "todays_sessions",
    "tutor_attrition",
    "tutor_concerns",
    "tutor_flags",
    "tutor_notice",
    "tutor_patterns",
    "tutor_retention",
    "tutor_scores",
    "tutor_slots",
    "tutor_weekly",
    "upcoming_session_features",
    "upcoming_sessions",
}

MOST_CHILDREN = 5
MORE_CHILDREN = {
    "dim_tutors": "the tutors who are published: what is said of tutors is said of these",
    "int_as_of": "one row that every model of a day has to agree on",
    "int_filter_parameters": "one row: what the reference says of the change filter and of how let-downs cluster",
    "int_pairs": "first meetings, which scores, histories, outcomes and what is to come are about",
    "int_platform": "what scores and concerns take from all tutors, and the day that they are of",
    "int_scoring_days": "the day that scores and concerns are of",
    "int_session_facts": "one row per session, of which everything is counted",
    "int_tutor_days": "one row per tutor and day, of which windows, weeks and evidence are sums",
    "stg_raw__tutors": "attributes of tutors as of this moment, which matching, pairs and predictions are made of",
    "stg_raw__sessions": "sessions as delivered, with an index on their times: what is planned is read from here",
}

# A chain of views gets hard to plan and to debug when it is long.
LONGEST_CHAIN = 6

# Scores are of the tutors who are published.
READING_BACK = {
    ("dim_tutors", "int_tutor_evidence"),
    ("dim_tutors", "int_tutor_windows"),
    ("dim_tutors", "int_filter_states"),
    ("dim_tutors", "int_tutor_scores"),
    ("tutor_concerns", "int_tutor_scores"),
}

# These read a table that models fill beside their own.
ROOTS = {
    "int_concern_priors": "what closed days have kept",
    "int_first_concern_day": "since when runs have looked at concerns, which nothing else tells",
    "int_concern_stretches": "how long concerns were raised, which nothing else tells",
    "int_day_before": "a copy of what the history has of one day",
    "int_forecasts": "what was said on each day, kept in app",
    "int_filter_parameters": "what follows from the reference, kept for live writers",
    "int_score_reference": "what has been set once",
}


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return parsed()


@pytest.fixture(scope="module")
def models(manifest: Manifest) -> dict[str, ModelNode]:
    from dbt.contracts.graph.nodes import ModelNode

    return {node.name: node for node in manifest.nodes.values() if isinstance(node, ModelNode)}


def layer(model: ModelNode) -> str:
    return str(model.fqn[1])


def parents(model: ModelNode) -> list[str]:
    """Names of the models that `model` reads."""
    return [each.split(".")[-1] for each in model.depends_on.nodes if each.startswith("model.")]


def sources(model: ModelNode) -> list[str]:
    return [each for each in model.depends_on.nodes if each.startswith("source.")]


def properties(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text())
    assert isinstance(content, dict)
    return content


def test_staging_reads_one_source_table_each(manifest: Manifest, models: dict[str, ModelNode]) -> None:
    staged = [sources(model) for model in models.values() if layer(model) == "staging"]
    assert all(len(each) == 1 for each in staged)
    assert Counter(source for (source,) in staged) == Counter(list(manifest.sources))


def test_only_staging_reads_sources_and_nothing_else(models: dict[str, ModelNode]) -> None:
    for model in models.values():
        assert bool(sources(model)) == (layer(model) == "staging"), model.name
        assert not (layer(model) == "staging" and parents(model)), model.name


def test_no_model_comes_from_nowhere(models: dict[str, ModelNode]) -> None:
    assert {name for name, model in models.items() if not model.depends_on.nodes} == set(ROOTS)


def test_dependencies_point_from_staging_to_marts(models: dict[str, ModelNode]) -> None:
    order = ["staging", "intermediate", "marts"]
    for model in models.values():
        for parent in parents(model):
            back = order.index(layer(models[parent])) > order.index(layer(model))
            assert not back or (parent, model.name) in READING_BACK, (parent, model.name)


def test_names_tell_the_layer(models: dict[str, ModelNode]) -> None:
    for name, model in models.items():
        assert name.startswith(PREFIXES[layer(model)]) or (layer(model) == "marts" and name in PLAIN_MARTS), name
        assert model.schema == layer(model), name
    assert set(models) >= PLAIN_MARTS


def test_sources_are_named_in_their_staging_model(models: dict[str, ModelNode]) -> None:
    for name, model in models.items():
        if layer(model) == "staging":
            _, _, source, table = sources(model)[0].split(".")
            assert name == f"stg_{source}__{table}"


def test_models_have_few_children(models: dict[str, ModelNode]) -> None:
    children = Counter(parent for model in models.values() for parent in parents(model) if model.name != "publication")
    assert {name for name, count in children.items() if count > MOST_CHILDREN} == set(MORE_CHILDREN)


def test_chains_of_views_and_ephemerals_are_short(models: dict[str, ModelNode]) -> None:
    def chain(name: str) -> int:
        if models[name].config.materialized not in ("view", "ephemeral"):
            return 0
        return 1 + max((chain(parent) for parent in parents(models[name])), default=0)

    lengths = {name: chain(name) for name in models}
    assert max(lengths.values()) <= LONGEST_CHAIN, lengths


def test_no_table_is_named_but_by_ref_or_source(manifest: Manifest, models: dict[str, ModelNode]) -> None:
    schemas = {source.schema for source in manifest.sources.values()} | {model.schema for model in models.values()}
    # The generation is a sequence, which dbt has no source for.
    allowed = {
        "publication": {"app.publication_generation"},
        "int_concern_parameters": {"app.concern_priors"},
        "int_concern_priors": {"intermediate.concern_priors"},
        "int_concern_stretches": {"app.concern_stretches"},
        "int_first_concern_day": {"app.concern_priors"},
        "int_case_mix_kept": {"intermediate.case_mix"},
        # The function of the migrations that says in which part a student's pairs are.
        "first_sessions": {"ml.student_bucket"},
        "int_forecasts": {"app.forecasts", "app.forecast_days"},
        "int_day_before": {"intermediate.day_before"},
        "int_filter_parameters": {"intermediate.filter_parameters"},
        "int_score_reference": {"app.score_reference"},
        "int_scoring_days": {"intermediate.scoring_days"},
    }
    functions = {f"{each.schema}.{each.name}" for each in manifest.functions.values()}
    named = re.compile(rf"\b(?:{'|'.join(sorted(schemas))})\.\w+")
    for name, model in models.items():
        # Queues are named in the configuration of a model: they are no lineage.
        code = re.sub(r"--.*|(?s:\{#.*?#\}|\{\{\s*config\(.*?\)\s*\}\})", "", model.raw_code)
        assert set(named.findall(code)) <= allowed.get(name, set()) | functions, name


def test_exposures_read_marts_only(manifest: Manifest, models: dict[str, ModelNode]) -> None:
    assert {"read_api", "mail_reports"} <= {each.name for each in manifest.exposures.values()}
    for exposure in manifest.exposures.values():
        assert exposure.owner.email, exposure.name
        assert exposure.maturity, exposure.name
        for parent in exposure.depends_on.nodes:
            assert layer(models[parent.split(".")[-1]]) == "marts", (exposure.name, parent)


def test_every_model_has_its_own_yaml() -> None:
    for path in MODELS.rglob("*.sql"):
        described = properties(path.with_suffix(".yml"))["models"]
        assert [each["name"] for each in described] == [path.stem]
    for path in MODELS.rglob("*.yml"):
        assert path.with_suffix(".sql").exists() or path.name in ("_sources.yml", "exposures.yml"), path


def test_everything_is_described(manifest: Manifest, models: dict[str, ModelNode]) -> None:
    for model in models.values():
        assert model.description, model.name
        for column in model.columns.values():
            assert column.description, (model.name, column.name)
    for source in manifest.sources.values():
        assert source.description, source.name
        assert source.source_description, source.name


def test_every_model_has_a_tested_key(manifest: Manifest, models: dict[str, ModelNode]) -> None:
    tests: dict[str, set[tuple[str, str]]] = {name: set() for name in models}
    for node in manifest.nodes.values():
        metadata = getattr(node, "test_metadata", None)
        if metadata is not None and node.attached_node:  # type: ignore[union-attr]
            key = str(metadata.kwargs.get("column_name") or metadata.kwargs.get("columns"))
            tests[node.attached_node.split(".")[-1]].add((metadata.name, key))  # type: ignore[union-attr]
    for name, found in tests.items():
        if layer(models[name]) == "intermediate" and models[name].config.materialized == "view":
            continue  # has no rows of its own; a test would compute the whole chain up to it anew
        unique = {key for test, key in found if test == "unique"}
        not_null = {key for test, key in found if test == "not_null"}
        combined = {key for test, key in found if test == "unique_combination"}
        assert unique & not_null or combined, name


def test_marts_have_contracts_and_keys_that_the_database_enforces(models: dict[str, ModelNode]) -> None:
    for name, model in models.items():
        if layer(model) == "marts":
            assert model.contract.enforced, name
            assert all(column.data_type for column in model.columns.values()), name
            constraints = [*model.constraints, *(each for c in model.columns.values() for each in c.constraints)]
            has_key = any(constraint.type.value == "primary_key" for constraint in constraints)
            has_index = any(index.get("unique") for index in model.config.get("indexes") or [])
            assert has_key or has_index or model.config.materialized == "view", name


def test_formulas_have_unit_tests(manifest: Manifest, models: dict[str, ModelNode]) -> None:
    """Every model has one but those that only rename and choose columns, and the grid (checked against SciPy)."""
    tested = {unit_test.model for unit_test in manifest.unit_tests.values()}
    plain = {"dim_students", "dim_tutors", "fct_sessions", "int_day_before", "int_scoring_days"}
    plain |= {"stg_app__cases", "stg_app__case_events", "stg_app__people", "stg_app__excuses"}
    plain |= {"stg_raw__students", "stg_raw__tutors"}
    plain |= {"stg_ml__match_predictions", "stg_ml__match_runs", "stg_ml__session_predictions", "upcoming_sessions"}
    plain |= {"stg_ml__tutor_predictions", "attrition_outcomes", "attrition_features"}
    # By NumPy, in test_concerns.py.
    plain |= {name for name in models if "concern" in name or "filter" in name}
    plain |= {"int_design_effect", "int_score_reference", "int_tutor_evidence"}
    plain |= {"int_platform"}  # one row: the as-of day
    # Histories by the macro that int_tutor_histories is tested with, chosen for each pair.
    plain |= {"int_tutor_histories_of_pairs", "int_pair_histories"}
    plain |= {"int_case_mix_kept", "int_forecasts"}  # tables that functions fill
    assert set(models) - tested == plain


def test_columns_are_those_of_the_database(
    built: Dbt, models: dict[str, ModelNode], connection: psycopg.Connection
) -> None:
    # One query of all, since every compilation takes a while.
    query = f"select {', '.join(f'{name}.*' for name in models)} from " + " cross join ".join(
        f"{{{{ ref('{name}') }}}} as {name}" for name in models
    )
    compiled = built("compile", "--inline", query).results[0].node.compiled_code
    described = connection.execute(f"{compiled} limit 0".encode()).description
    assert described is not None
    assert [column.name for column in described] == [column for model in models.values() for column in model.columns]


def test_types_are_those_of_the_database(
    built: Dbt, models: dict[str, ModelNode], connection: psycopg.Connection
) -> None:
    types = connection.execute(
        "select attrelid::regclass::text, attname, format_type(atttypid, atttypmod) from pg_attribute"
        " join pg_class on pg_class.oid = attrelid"
        " where relnamespace = 'marts'::regnamespace and relkind in ('r', 'v') and attnum > 0 and not attisdropped"
    ).fetchall()
    found = {(str(table).removeprefix("marts."), str(column)): str(kind) for table, column, kind in types}
    declared = {
        (name, column.name): str(column.data_type)
        for name, model in models.items()
        if layer(model) == "marts"
        for column in model.columns.values()
    }
    assert declared == found


@pytest.mark.parametrize("path", sorted(MODELS.rglob("*.yml")), ids=lambda path: path.stem)
def test_yaml_has_no_misspelt_keys(path: Path) -> None:
    """dbt itself takes any key; its published schema does not."""
    schema = json.loads((files("dbt.jsonschemas") / "resources" / "latest.json").read_text())
    jsonschema.Draft7Validator(schema).validate(yaml.safe_load(path.read_text()))


def test_the_schema_notices_a_misspelt_key() -> None:
    schema = json.loads((files("dbt.jsonschemas") / "resources" / "latest.json").read_text())
    misspelt = {"models": [{"name": "x", "columns": [{"name": "y", "data_test": ["unique"]}]}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(misspelt)
