"""A trace of each run that has ended: the run, its steps, and in them each dbt model.

Only where TUTORQ_OTLP_ENDPOINT is set. Made from Dagster's own records, so runs do nothing for it. The id of a trace is
that of its run, without hyphens.
"""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

import dagster as dg

from core import tracing
from core.settings import Settings
from orchestration.dagster_internals import Timed, timed_run

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

ENDS = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """One sensor for each way in which a run may end; none without an endpoint."""
    if settings.otlp_endpoint is None:
        return []
    tracing.check(settings)
    return [_sensor(settings, status) for status in ENDS]


def _sensor(settings: Settings, status: dg.DagsterRunStatus) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=status,
        name=f"trace_{status.value.lower()}",
        description=f"Sends a trace of each run that ends with {status.value}.",
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def trace(context: dg.RunStatusSensorContext) -> None:
        sender = tracing.exporter(settings)
        try:
            sender.export(spans(context.instance, context.dagster_run))
        finally:
            sender.shutdown()

    return trace


def spans(instance: dg.DagsterInstance, run: dg.DagsterRun) -> "list[ReadableSpan]":
    """The run, its steps and its models, as spans; of those that never began there are none."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

    trace_id, of_runs = UUID(run.run_id).int, tracing.resource("tutorq-runs")

    def context(key: str) -> SpanContext:
        digest = hashlib.sha256(f"{run.run_id} {key}".encode()).digest()
        return SpanContext(trace_id, int.from_bytes(digest[:8]), False, TraceFlags(TraceFlags.SAMPLED))

    def span(each: Timed) -> ReadableSpan:
        return ReadableSpan(
            name=each.name,
            context=context(each.key),
            parent=context(each.parent) if each.parent is not None else None,
            resource=of_runs,
            attributes={"tutorq.run_id": run.run_id, "tutorq.job": run.job_name, **each.attributes},
            status=Status(StatusCode.OK if each.is_well else StatusCode.ERROR),
            start_time=round(each.started_at * 1e9),
            end_time=round(each.ended_at * 1e9),
        )

    return [span(each) for each in _known(timed_run(instance, run))]


def _known(found: Iterator[Timed]) -> Iterator[Timed]:
    """Within its parent: Dagster notes a model a moment after its end."""
    by_key: dict[str, Timed] = {}
    for each in found:
        parent = by_key.get(each.parent) if each.parent is not None else None
        if parent is not None:
            started_at = min(max(each.started_at, parent.started_at), parent.ended_at)
            each = each._replace(started_at=started_at, ended_at=min(max(each.ended_at, started_at), parent.ended_at))
        by_key[each.key] = each
        yield each
