"""What is used of dbt without being public: here an upgrade that moves it fails first.

That a cut dbt rolls its models back is tested by killing runs (`tests/crashes`, `tests/orchestration/test_crashes.py`).
"""

import inspect

from core.dbt_internals import read_parsed, warm_up
from core.dbt_runner import PARSED_PATH


def test_events_become_dictionaries() -> None:
    from dbt_common.events.base_types import EventMsg
    from dbt_common.events.functions import msg_to_dict

    assert list(inspect.signature(msg_to_dict).parameters) == ["msg"]
    assert inspect.isclass(EventMsg)


def test_results_name_their_nodes() -> None:
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner

    assert "results" in RunExecutionResult.__dataclass_fields__
    assert list(inspect.signature(dbtRunner).parameters)[:2] == ["manifest", "callbacks"]


def test_adapters_can_be_cut() -> None:
    from dbt.adapters.base.impl import BaseAdapter
    from dbt.adapters.factory import FACTORY

    assert isinstance(FACTORY.adapters, dict)
    for method in ("connection_named", "execute", "cancel_open_connections"):
        assert callable(getattr(BaseAdapter, method))
    warm_up()


def test_what_install_parsed_is_taken_for_its_database_alone() -> None:
    parsed = read_parsed(PARSED_PATH, "tutorq")
    assert parsed is not None
    assert "model.tutorq.tutor_scores" in parsed.nodes
    assert parsed.flat_graph["nodes"]
    assert read_parsed(PARSED_PATH, "another") is None
