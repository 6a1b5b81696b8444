"""The trace of a run that has ended: its steps below it, and below them what dbt made."""

import dagster as dg
import pytest

from core.settings import Settings
from orchestration import traces
from tests.otlp import Span, receiver


@dg.op
def counts() -> int:
    return 1


@dg.op
def fails(number: int) -> None:
    raise ValueError(f"of Hortensia: {number}")


@dg.op
def builds(context: dg.OpExecutionContext) -> None:
    """As dagster-dbt tells of a model."""
    context.log_event(
        dg.AssetMaterialization(
            asset_key=["marts", "tutor_scores"], metadata={"Execution Duration": 0.25, "dagster/row_count": 300}
        )
    )
    context.log_event(dg.AssetMaterialization(asset_key=["raw", "sessions"], metadata={"rows": 3}))


@dg.job(executor_def=dg.in_process_executor)
def well() -> None:
    builds()


@dg.job(executor_def=dg.in_process_executor)
def badly() -> None:
    fails(counts())


def traced(job: dg.JobDefinition) -> tuple[str, list[Span], bytes]:
    """The id of a run of this job, and what its trace has."""
    with dg.instance_for_test() as instance, receiver() as otlp:
        run_id = job.execute_in_process(instance=instance, raise_on_error=False).run_id
        run = instance.get_run_by_id(run_id)
        assert run is not None
        settings = Settings(otlp_endpoint=otlp.url)
        [sensor] = [each for each in traces.sensors(settings) if each.name == f"trace_{run.status.value.lower()}"]
        event = next(each.dagster_event for each in instance.all_logs(run_id) if _is_end(each.dagster_event))
        with dg.build_run_status_sensor_context(sensor.name, event, instance, run) as context:
            sensor(context)
        return run_id, otlp.spans(), b"".join(otlp.bodies)


def _is_end(event: dg.DagsterEvent | None) -> bool:
    return event is not None and (event.is_job_success or event.is_job_failure)


def test_a_run_its_steps_and_their_models() -> None:
    run_id, spans, _ = traced(well)
    run, step, model = spans
    assert {span.trace_id for span in spans} == {run_id.replace("-", "")}
    assert [span.name for span in spans] == ["run well", "builds", "marts/tutor_scores"]
    assert (run.parent, step.parent, model.parent) == ("", run.span_id, step.span_id)
    assert run.started_at <= step.started_at <= model.started_at <= model.ended_at <= step.ended_at <= run.ended_at
    assert model.attributes == {"tutorq.run_id": run_id, "tutorq.job": "well", "tutorq.rows": 300}
    assert not any(span.is_error for span in spans)
    assert {span.service for span in spans} == {"tutorq-runs"}


def test_what_failed_is_marked_without_its_message() -> None:
    _, spans, told = traced(badly)
    assert {span.name: span.is_error for span in spans} == {"run badly": True, "counts": False, "fails": True}
    assert b"Hortensia" not in told


def test_without_an_endpoint_there_is_no_sensor() -> None:
    assert traces.sensors(Settings()) == []
    names = {each.name for each in traces.sensors(Settings(otlp_endpoint="http://127.0.0.1:4318"))}
    assert names == {"trace_success", "trace_failure", "trace_canceled"}


def test_one_that_never_began_has_no_trace() -> None:
    with dg.instance_for_test() as instance:
        run = instance.create_run_for_job(well)
        assert traces.spans(instance, run) == []


@pytest.mark.parametrize("name", ["opentelemetry.sdk", "opentelemetry.instrumentation.asyncpg"])
def test_packages_that_are_missing_are_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from core import tracing
    from core.errors import TutorqError

    monkeypatch.setattr(tracing, "find_spec", lambda asked: None if asked == name else object())
    with pytest.raises(TutorqError, match=r"TUTORQ_OTLP_ENDPOINT needs the extra `otel`"):
        tracing.check(Settings(otlp_endpoint="http://127.0.0.1:4318"))
    tracing.check(Settings())
