"""With a key, each definition that live writers read is read by index, however long the history is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import psycopg

    from tests.dbt.conftest import Dbt

# As marts.refresh_sessions reads them.
DEFINITIONS = {
    "int_session_facts_definition": ("session_id = any($1)", "uuid[]"),
    "int_tutor_days_definition": ("tutor_id = $1 and counted_on = $2", "uuid, date"),
    "int_pairs_definition": ("tutor_id = $1 and student_id = $2", "uuid, uuid"),
    "dim_tutors_definition": ("tutor_id = any($1)", "uuid[]"),
    "int_tutor_scores": ("tutor_id = any($1)", "uuid[]"),
    "int_tutor_concerns": ("tutor_id = any($1)", "uuid[]"),
}
# One row each, or one per concern and day.
SMALL = {"int_platform", "scoring_days", "concern_priors", "filter_parameters", "score_reference"}
# Whether it has any row is asked, too.
ALSO_LOOKED_INTO = {"day_before"}


def scans(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and table of each node of a plan that reads a table."""
    if "Relation Name" in node:
        yield node["Node Type"], node["Relation Name"]
    for part in node.get("Plans", ()):
        yield from scans(part)


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_a_key_is_looked_up_by_index(built: Dbt, connection: psycopg.Connection, definition: str) -> None:
    condition, types = DEFINITIONS[definition]
    # On tables as small as these a scan may cost less; what is asked here is whether an index can be used at all.
    connection.execute("set enable_seqscan = off")
    connection.execute("set plan_cache_mode = force_generic_plan")
    connection.execute(f"prepare key ({types}) as select * from intermediate.{definition} where {condition}".encode())
    nulls = ", ".join("null" for _ in types.split(","))
    ((plan,),) = connection.execute(f"explain (format json) execute key ({nulls})".encode()).fetchall()
    found = [(kind, table) for kind, table in scans(plan[0]["Plan"]) if table not in SMALL]
    by_index = [table for kind, table in found if kind in ("Index Scan", "Index Only Scan", "Bitmap Heap Scan")]
    assert by_index
    assert {table for _, table in found} == set(by_index), found
    assert {table for kind, table in found if kind == "Seq Scan"} <= ALSO_LOOKED_INTO, found
    # By a key, and not through the whole of an index.
    assert str(plan).count("Index Cond") >= len(by_index)
