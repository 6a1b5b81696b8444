"""How many examples Hypothesis makes up for a test: few in the gate, many in the nightly run (`EXAMPLES_TIMES=10`)."""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("EXAMPLES_TIMES", "1"))


def examples(count: int) -> settings:
    """The settings of a test whose examples take as long as the database does, and share its fixtures."""
    return settings(max_examples=count * TIMES, suppress_health_check=[HealthCheck.function_scoped_fixture])
