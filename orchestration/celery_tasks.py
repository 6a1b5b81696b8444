"""Runs and steps as tasks of Celery (TUTORQ_EXECUTOR=celery): what hands them out, and what workers do.

Runs and steps have a queue each. A run waits for its steps, so a worker that did both would wait for itself.

Celery does not notice a worker that was killed until a timeout longer than the longest step. Here each worker holds a
lock in Dagster's database while it does a task, which Postgres frees within moments of its death. Then a step is handed
out again, and Dagster's run monitoring ends a run, which is tried again from where it stopped (run_retries).
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg
from celery import Celery, Task
from celery.exceptions import WorkerLostError
from celery.result import AsyncResult
from dagster_celery.executor import CeleryExecutor, _submit_task
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.make_app import make_app
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from dagster_celery.tasks import create_execute_job_task, create_resume_job_task, create_task

from core.database import Database
from core.errors import DatabaseUnreachableError, TutorqError
from core.settings import Settings
from orchestration.resources import Platform
from orchestration.shared import check_code_version
from orchestration.task_locks import held, is_held

RUNS, STEPS = "runs", "steps"

# A step is noted as started a moment before its lock is taken, and as done a moment after it is freed.
LOOKS_BEFORE_LOST = 5
# A step that ends every worker that takes it, such as one that needs more memory than there is, fails the run.
WORKERS_PER_STEP = 3


def app_arguments(settings: Settings) -> dict[str, Any]:
    """What Celery's app is made with, in all processes."""
    assert settings.broker_url is not None
    address = settings.broker_url.get_secret_value()
    return {
        "broker": address,
        "backend": address,
        "config_source": {
            "task_default_queue": STEPS,
            # A worker takes what it can begin with; what it had taken beyond that would be lost with it.
            "worker_disable_prefetch": True,
            "task_track_started": True,
            # The broker may be restarted.
            "broker_connection_retry_on_startup": True,
            "broker_connection_max_retries": None,
            "result_backend_always_retry": True,
            "task_publish_retry_policy": {"max_retries": 30, "interval_start": 0.2, "interval_step": 0.5,
                                          "interval_max": 5},
            "worker_hijack_root_logger": False,
            "worker_redirect_stdouts": False,
        },
    }  # fmt: skip


class HeldTask(Task):  # type: ignore[misc]
    """A task whose worker holds a lock, by which others see that it lives. A worker whose code is no longer the code
    location's gives the task back, and ends."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            check_code_version(Platform().database)
        except DatabaseUnreachableError:
            pass  # it comes back, or the task fails by itself
        except TutorqError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            os.kill(os.getppid(), signal.SIGTERM)  # the worker; this is one of its processes
            raise self.retry(countdown=0, max_retries=None) from error
        with held(Database(Settings()).dagster_url, self.request.id):
            return super().__call__(*args, **kwargs)


def worker_app(settings: Settings) -> Celery:
    """The app of a worker, which knows the tasks."""
    app = make_app(app_arguments(settings))
    create_task(app, base=HeldTask)
    create_execute_job_task(app, base=HeldTask)
    create_resume_job_task(app, base=HeldTask)
    return app


class StepsOnWorkers(CeleryExecutor):  # type: ignore[misc]
    """dagster-celery's executor, but for what it does about workers that die."""

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        from dagster_celery.core_execution_loop import core_celery_execution_loop

        url = Database(Settings()).dagster_url

        def submit(*arguments: Any) -> WatchedStep:
            return WatchedStep(lambda: _submit_task(*arguments), lambda task_id: is_held(url, task_id))

        return core_celery_execution_loop(plan_context, execution_plan, step_execution_fn=submit)  # type: ignore[no-any-return]


class WatchedStep:
    """The result of a step, as dagster-celery's loop asks for it every second. Hands the step out again where its
    worker has died, which leaves no trace but the lock that nobody holds."""

    def __init__(self, submit: Callable[[], AsyncResult], is_held: Callable[[str], bool]) -> None:
        self._submit, self._is_held = submit, is_held
        self._result = submit()
        self._workers, self._looks = 1, 0

    def ready(self) -> bool:
        if self._result.ready():
            return not (self._result.failed() and isinstance(self._result.result, WorkerLostError) and self._again())
        is_lost = self._result.state == "STARTED" and not self._is_held(self._result.id)
        self._looks = self._looks + 1 if is_lost else 0
        return self._looks >= LOOKS_BEFORE_LOST and not self._again()

    def get(self) -> Any:
        """The events of the step. Raises what the worker has raised."""
        if not self._result.ready():
            raise WorkerLostError(f"{WORKERS_PER_STEP} workers have died in this step; is there memory enough?")
        # Within the task of the run, which Celery forbids to those that share a queue with what they wait for.
        return self._result.get(disable_sync_subtasks=False)

    def revoke(self) -> None:
        self._result.revoke()

    def _again(self) -> bool:
        if self._workers >= WORKERS_PER_STEP:
            return False
        self._result = self._submit()
        self._workers, self._looks = self._workers + 1, 0
        return True


@dg.executor(name="celery", requirements=dg.multiple_process_executor_requirements())
def celery_steps(_: dg.InitExecutorContext) -> StepsOnWorkers:
    """Each step is a task; whoever executes the run hands them out, and waits."""
    from dagster._core.execution.retries import RetryMode

    return StepsOnWorkers(retries=RetryMode.ENABLED, **app_arguments(Settings()))


class RunsOnWorkers(CeleryRunLauncher):  # type: ignore[misc]
    """dagster-celery's launcher, but that it notices when the worker of a run has died."""

    def __init__(self, inst_data: Any = None) -> None:
        super().__init__(default_queue=RUNS, inst_data=inst_data, **app_arguments(Settings()))

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "RunsOnWorkers":
        return cls(inst_data, **config_value)

    def check_run_worker_health(self, run: dg.DagsterRun) -> Any:
        """Asked of runs that have started, which they do under the lock."""
        from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is None or is_held(Database(Settings()).dagster_url, task_id):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "The worker of this run has died.")
