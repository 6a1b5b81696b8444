"""What is used of dbt without being public: here an upgrade that moves it fails first.

That a cut dbt rolls its models back is tested by killing runs (`tests/crashes`, `tests/orchestration/test_crashes.py`).
"""

import inspect

from dbt.adapters.base.impl import BaseAdapter
from dbt.adapters.factory import FACTORY
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner
from dbt_common.events.base_types import EventMsg
from dbt_common.events.functions import msg_to_dict

from core.dbt_internals import warm_up


def test_events_become_dictionaries() -> None:
    assert list(inspect.signature(msg_to_dict).parameters) == ["msg"]
    assert inspect.isclass(EventMsg)


def test_results_name_their_nodes() -> None:
    assert "results" in RunExecutionResult.__dataclass_fields__
    assert list(inspect.signature(dbtRunner).parameters)[:2] == ["manifest", "callbacks"]


def test_adapters_can_be_cut() -> None:
    assert isinstance(FACTORY.adapters, dict)
    for method in ("connection_named", "execute", "cancel_open_connections"):
        assert callable(getattr(BaseAdapter, method))
    warm_up()
