"""Erasures that were asked for are done by a run, for which the sensor asks while somebody waits."""

from uuid import uuid4

import dagster as dg
import pytest

from core.database import Database
from core.settings import Settings
from orchestration.defs.ingest.erasures import asked_erasures, erase_persons
from orchestration.resources import Platform

ASK = "insert into app.erasures (kind, person_id, asked_by) values ('tutor', %s, 'Ann (person 7)')"


def tick(instance: dg.DagsterInstance, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    answer = asked_erasures(dg.build_sensor_context(instance=instance, resources={"platform": platform}))
    assert isinstance(answer, (dg.RunRequest, dg.SkipReason))
    return answer


@pytest.mark.slow
def test_a_run_erases_who_waits(
    instance: dg.DagsterInstance, database: Database, environment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert environment.embedded == "on"
    monkeypatch.setenv("TUTORQ_ERASURE_KEY", "key of tests")
    tutor = uuid4()
    platform = Platform()
    with database.connect() as connection:
        connection.execute("insert into raw.tutors (tutor_id, name) values (%s, 'Zenobia Quill')", [tutor])
    assert isinstance(tick(instance, platform), dg.SkipReason)
    with database.connect() as connection:
        connection.execute(ASK, [tutor])
    assert isinstance(tick(instance, platform), dg.RunRequest)

    result = erase_persons.execute_in_process(instance=instance, resources={"platform": platform})

    assert result.success
    assert isinstance(tick(instance, platform), dg.SkipReason)
    # Dagster keeps no word of whom.
    kept = "".join(record.event_log_entry.to_json() for record in instance.get_records_for_run(result.run_id).records)
    assert "erased" in kept
    assert str(tutor) not in kept
    assert "Zenobia" not in kept
    with database.connect() as connection:
        assert connection.execute("select count(*) from raw.tutors").fetchone() == (0,)
        row = connection.execute("select person_id, done_at is not null, counts from app.erasures").fetchone()
        assert row is not None
        assert (*row[:2], row[2]["raw.tutors: rows deleted"]) == (None, True, 1)
        connection.execute(ASK, [tutor])
    # Where the owner's login is elsewhere, somebody has to run the command there.
    monkeypatch.setenv("TUTORQ_TRANSFORM_DATABASE_URL", str(environment.database_url))
    monkeypatch.delenv("TUTORQ_DATABASE_URL")
    assert "tutorq person erase --requested --yes" in str(tick(instance, Platform()))


def test_what_is_left_fails_the_run_and_says_where(
    instance: dg.DagsterInstance, database: Database, environment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUTORQ_ERASURE_KEY", "key of tests")
    first, second = uuid4(), uuid4()
    # Nobody but its author can say what the file should be without them.
    (environment.home / "connectors.yml").write_text(f"only: {first}\n")
    with database.connect() as connection:
        connection.execute(ASK, [first])
        connection.execute(ASK, [second])

    result = erase_persons.execute_in_process(
        instance=instance, resources={"platform": Platform()}, raise_on_error=False
    )

    assert not result.success
    kept = "".join(record.event_log_entry.to_json() for record in instance.get_records_for_run(result.run_id).records)
    assert "connectors.yml" in kept
    assert str(first) not in kept
    with database.connect() as connection:
        rows = connection.execute("select done_at is not null from app.erasures").fetchall()
    assert rows == [(True,), (True,)], "both were erased, and searched for"
