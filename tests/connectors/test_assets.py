"""A connector as Dagster runs it."""

from collections.abc import Callable

import dagster as dg
import psycopg
import pytest

from connectors.configuration import connector_of
from orchestration.defs.ingest.connectors import fetched, key_of
from orchestration.resources import Platform
from tests.connectors.conftest import Installation
from tests.connectors.sources import configure

pytestmark = pytest.mark.connectors


def test_what_has_come_is_in_the_metadata(
    installation: Installation, application: psycopg.Connection, lesson: Callable[..., None]
) -> None:
    query = "select id as session_id, teacher_id as tutor_id, pupil_id as student_id, starts_at as scheduled_time, "
    sessions = {"query": query + "'completed' as status, updated_at from lessons", "updated_at": "updated_at"}
    configure(installation.settings, school={"kind": "postgres", "sessions": sessions})
    lesson(1)
    connector = connector_of(installation.settings, "school")
    result = dg.materialize([fetched("school", connector)], resources={"platform": Platform()})
    metadata = result.asset_materializations_for_node("connectors__school")[0].metadata
    assert (metadata["rows_sessions"].value, metadata["files"].value) == (1, 1)
    assert result.success
    assert result.asset_materializations_for_node("connectors__school")[0].asset_key == key_of("school")
    installation.load("school")
    assert list(installation.sessions()) == ["1"]
