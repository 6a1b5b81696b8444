"""What every asset and job keeps to: its owner, retries, longest runtime, and how old it may get."""

from datetime import timedelta

import dagster as dg

from core.settings import Settings

OWNER = "team:data"

RETRY_POLICY = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

DBT_POOL = "dbt"

# Assets that somebody materialises by hand, or that a condition asks for, run in a job of Dagster's own.
ASSET_JOB = "__ASSET_JOB"

# 25 million pairs and the training of two models were measured at well under an hour on two cores.
LONG_RUNTIME = {"dagster/max_runtime": "7200"}

# Scores follow sessions within seconds, but a run needs a change: a quiet hour is a warning. The nightly roll-over
# renews every table in any case, so one that missed it has failed.
SCORED = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=1), fail_window=timedelta(hours=26))
DAILY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=26))
WEEKLY = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=8))

WRITTEN_BY_PEOPLE = ("excuses", "cases", "case_events", "people")

# Tables of the batch (`BATCH` in defs/automation.py) that only the roll-over renews carry this tag in dbt.
MATCHING_TAG = "matching"
# What is made of all that is known of a year or half a year: patterns, the case mix, and how forecasts came true.
NIGHTLY_TAG = "nightly"


def freshness(spec: dg.AssetSpec, settings: Settings) -> dg.FreshnessPolicy | None:
    """How old an asset may get. The one place that says so, for all of them; None if nobody materialises it.

    The daemon evaluates it twice a minute, the graph shows what has failed, and an alert tells. Historic data (an
    as-of day other than `now`) do not change, so what is made from them gets as old as it likes.
    """
    schema, name = spec.key.path
    if settings.as_of != "now":
        return None
    if spec.key == dg.AssetKey(["raw", "arrivals"]):
        hours = settings.silent_data_hours
        return dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=hours)) if hours else None
    if schema == "app" and name in WRITTEN_BY_PEOPLE:
        return None
    if spec.group_name == "models":
        return WEEKLY
    if (
        schema == "raw"
        or schema == "connectors"
        or name in ("score_history", "match_predictions", "tutor_predictions")
        or {MATCHING_TAG, NIGHTLY_TAG} & set(spec.tags)
    ):
        return DAILY
    return SCORED
