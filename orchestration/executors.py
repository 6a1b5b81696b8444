"""Where runs and steps are executed: in processes of the code location's machine, or by workers (TUTORQ_EXECUTOR).

Jobs whose steps are worth another process are spread: trainings and predictions. All others are executed as a whole by
one process, in which a step costs less than handing it out would.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.launcher import DefaultRunLauncher, RunLauncher
from dagster._serdes import ConfigurableClass

from core.errors import TutorqError
from core.settings import Settings

TOGETHER = dg.in_process_executor


def is_spread(settings: Settings) -> bool:
    return settings.executor != "in_process"


def spread(settings: Settings) -> dg.ExecutorDefinition:
    """The executor of jobs whose steps are worth another process.

    Raises:
        TutorqError: the packages for it are not installed.
    """
    if not is_spread(settings):
        return TOGETHER
    check_extra()
    from orchestration.celery_tasks import celery_steps

    return celery_steps


def check_extra() -> None:
    """Raises TutorqError if the extra `workers` is not installed."""
    from importlib.util import find_spec

    if not (find_spec("dagster_celery") and find_spec("redis")):
        raise TutorqError("TUTORQ_EXECUTOR=celery needs the extra `workers`: install tutorq's wheel with [workers]")


class Launcher(RunLauncher, ConfigurableClass):
    """Named in deploy/dagster.yaml. Is another launcher, by the setting, so that there is one such file."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, _: Mapping[str, Any]) -> RunLauncher:  # type: ignore[override]
        if not is_spread(Settings()):
            return DefaultRunLauncher(inst_data=inst_data)
        check_extra()
        from orchestration.celery_tasks import RunsOnWorkers

        return RunsOnWorkers(inst_data)
