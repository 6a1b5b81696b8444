"""How long a run may take before Dagster ends it, so that one that hangs does not block those behind it.

`TUTORQ_RUN_SECONDS` holds for every run that has no limit of its own (`LONG_RUNTIME`). A step that has much to do
prolongs its own run. Whoever started it, a sensor, a schedule or a backfill by hand, then need not know.
"""

import dagster as dg
import yaml

from core.settings import PROJECT_ROOT, Settings

TAG = "dagster/max_runtime"
INSTANCE_CONFIG = PROJECT_ROOT / "deploy" / "dagster.yaml"

# Gzipped CSV, the slowest format by size, was measured at 300,000 on two cores.
LOADED_BYTES_PER_SECOND = 60_000
# Of a database that is there: 300,000 sessions took a nightly run 60 s, and a build of all tables 150 s, on two cores.
STORED_SESSIONS_PER_SECOND = 2_000
# A day of score_history may take so much of what a whole run may.
SHARE_OF_A_DAY = 1 / 30


def instance_config(settings: Settings) -> str:
    """deploy/dagster.yaml with the limit of these settings."""
    text = INSTANCE_CONFIG.read_text()
    shipped = yaml.safe_load(text)["run_monitoring"]["max_runtime_seconds"]
    return text.replace(f"max_runtime_seconds: {shipped}", f"max_runtime_seconds: {settings.run_seconds}")


def prolong(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    settings: Settings,
    *,
    landed_bytes: int = 0,
    days: int = 0,
    stored_sessions: int = 0,
) -> None:
    """Give this run the time of the settings, and what it may take to load so many bytes, to record so many days, and
    to make all tables anew of so many sessions.

    A step that is tried again has to do with the time that it was given.
    """
    run = context.instance.get_run_by_id(context.run.run_id)
    limit = run.tags.get(TAG) if run else None
    if context.retry_number:
        return
    extra = landed_bytes / LOADED_BYTES_PER_SECOND + days * settings.run_seconds * SHARE_OF_A_DAY
    extra += stored_sessions / STORED_SESSIONS_PER_SECOND
    seconds = max(int(limit or 0), settings.run_seconds) + int(extra)
    if run is not None and (extra >= 1 or limit is None):
        context.instance.add_run_tags(run.run_id, {TAG: str(seconds)})
