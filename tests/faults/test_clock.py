"""The clock of server and API is set an hour forth, then two hours back, by libfaketime. dbt's threads cannot bear
that, so runs keep the machine's own clock, as on a machine beside."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import dagster as dg
import httpx2
import pytest

from core import audit, keys, logins, people
from core.database import Database
from core.migrate import migrate
from core.roles import Role
from core.settings import Settings
from ingest.ids import entity_uuid
from orchestration.backoff import pause_after_failures
from tests.api.conftest import Served
from tests.api.processes import started
from tests.crashes.harness import Platform, change, join, named
from tests.e2e.processes import wait_for
from tests.marts import AS_OF, DATA

HOUR = 3600
PATIENCE_SECONDS = 120
STORED = """
select count(*), count(*) filter (where status = 'completed') from raw.sessions where session_id = any(%s)
"""
LIBRARIES = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]


@dataclass
class Clock:
    """Of the processes that are started with it. What counts seconds (monotonic clocks) goes on as it was."""

    file: Path

    def set(self, seconds: int) -> None:
        part = self.file.with_suffix(".part")  # nobody reads half of it
        part.write_text(f"{seconds:+d}\n")
        part.chmod(0o644)
        part.replace(self.file)

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    if not LIBRARIES:
        pytest.fail("this test needs libfaketime: apt-get install faketime")
    clock = Clock(tmp_path / "clock")
    clock.set(0)
    for folder in (tmp_path, *tmp_path.parents):  # the server is another user
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
    return clock


@pytest.fixture
def platform(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A scored marketplace on a server of its own."""
    settings = Settings(home=tmp_path / "home", as_of=AS_OF)
    database = Database(settings)
    try:
        with monkeypatch.context() as with_clock:
            for name, value in clock.environment().items():
                with_clock.setenv(name, value)
            migrate(database)  # starts the server
        with database.connect() as connection:
            connection.execute(DATA)
        platform = Platform(database, settings.model_copy(update={"database_url": database.url}))
        join(platform.start_build())
        yield platform
    finally:
        database.release()


def offset_of_database(platform: Platform) -> float:
    return float(platform.value("select extract(epoch from clock_timestamp())")) - time.time()


def offset_of_api(client: httpx2.Client) -> float:
    return parsedate_to_datetime(client.get("/api/live").headers["Date"]).timestamp() - time.time()


@pytest.mark.soak
def test_the_clock_is_set_forth_and_back(platform: Platform, clock: Clock, tmp_path: Path) -> None:
    with platform.connect() as connection:
        admin = keys.create(connection, "admin", Role.ADMIN, lasts=timedelta(days=30)).secret
        _, renewed = keys.rotate(connection, "admin", overlap=timedelta(hours=6))
        ann = people.add(connection, "ann@example.org", "Ann", Role.ADMIN)
        link = logins.create_link(connection, platform.settings, ann)
    served = Served(platform.database, platform.settings, "", str(admin))
    settings = {"TUTORQ_INGEST_RATE_PER_SECOND": "1000000", "TUTORQ_AS_OF": platform.settings.as_of}
    scored = platform.content()
    with (
        started(served, tmp_path / "api.log", look="ready", **settings, **clock.environment()) as (_, port),
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": str(admin)}, timeout=60) as client,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as browser,
    ):
        logged_in = browser.post(
            "/api/auth/session",
            json={"token": link.partition("#token=")[2]},
            headers={"X-Requested-With": "tutorq"},
        )
        assert logged_in.status_code in (200, 201), logged_in.text
        tutor, student = str(named("tutor 1")), str(named("student 1"))

        def post(key: str, **changes: object) -> httpx2.Response:
            session = {
                "session_id": key, "tutor_id": tutor, "student_id": student,
                "scheduled_time": "2024-06-20T10:00:00Z", "status": "scheduled", **changes,
            }  # fmt: skip
            return client.post("/api/sessions", json=session, headers={"Idempotency-Key": f"{key}-{len(changes)}"})

        first = post("before")
        assert first.status_code == 202, first.text
        posted = {"before"}
        for moment in (HOUR, -HOUR, 0):
            clock.set(moment)
            wait_for(lambda: abs(offset_of_database(platform) - moment) < 60, PATIENCE_SECONDS, lambda: "server")  # noqa: B023
            wait_for(lambda: abs(offset_of_api(client) - moment) < 60, PATIENCE_SECONDS, lambda: "API")  # noqa: B023
            # Sent again it is the same answer, and no second session.
            again = post("before")
            assert (again.status_code, again.json()) == (202, first.json())
            name = f"at-{moment}"
            assert post(name).status_code == 202
            posted.add(name)
            # What is said later wins by its version, whatever the clock said when it came.
            assert post(name, status="completed", updated_at=f"2024-06-2{len(posted)}T12:00:00Z").status_code == 202
            # Keys, the one that is being replaced and the new one; and the browser, whose session lasts for weeks.
            for key in (admin, renewed.secret):
                assert client.get("/api/tutors?limit=1", headers={"X-API-Key": str(key)}).status_code == 200
            assert browser.get("/api/tutors?limit=1").status_code == 200
            assert client.get("/api/health").status_code == 200
            # A run, with its locks, beside a post; it has published everything when it ends.
            change(platform, moment + 2 * HOUR)
            join(platform.start_build())
            assert platform.is_settled()
        with platform.connect() as connection:
            row = connection.execute(STORED, [[entity_uuid(name) for name in posted]]).fetchone()
            assert row == (len(posted), len(posted) - 1)
            audit.verify(connection)
    # Whole again, as if made in one go.
    content = platform.content()
    assert content.keys() == scored.keys()
    join(platform.start_build(full_refresh=True))
    assert platform.content() == content


def test_a_pause_after_a_failure_is_no_longer_when_the_clock_is_set_back() -> None:
    with dg.DagsterInstance.ephemeral() as instance:

        @dg.op
        def broken() -> None:
            raise ValueError("broken")

        @dg.job
        def fails() -> None:
            broken()

        fails.execute_in_process(instance=instance, raise_on_error=False)
        [record] = instance.get_run_records()
        assert record.end_time is not None
        ahead = record._replace(end_time=record.end_time + HOUR)
    assert timedelta(0) < pause_after_failures([record]) <= timedelta(minutes=1)
    assert pause_after_failures([ahead]) == timedelta(minutes=1)
