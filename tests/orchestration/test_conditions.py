"""When conditions ask for runs: training and the hours of mail, evaluated as the daemon does."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from orchestration.definitions import defs as load_definitions

MODELS = [
    dg.AssetKey(["ml", f"{kind}_{part}"])
    for kind in ("match", "session", "student_no_show", "attrition")
    for part in ("model", "metrics")
]
OUTCOMES = [dg.AssetKey(["marts", name]) for name in ("match_outcomes", "session_outcomes", "attrition_outcomes")]
MAIL = dg.AssetKey(["app", "email_reports"])
WATCHED = [*MODELS, MAIL]


@pytest.fixture
def definitions(monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.setenv("TUTORQ_TIMEZONE", "Europe/Vienna")  # an hour before UTC, in winter
    return load_definitions()


class Clock:
    """The daemon's looks at the clock, one after the other."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance, sensor: str) -> None:
        self._definitions, self._instance = definitions, instance
        self._target = definitions.get_sensor_def(sensor).asset_selection
        self._cursor: dg.AssetDaemonCursor | None = None

    def at(self, moment: str) -> set[dg.AssetKey]:
        """What is asked for at that moment (UTC)."""
        found = dg.evaluate_automation_conditions(
            defs=self._definitions,
            instance=self._instance,
            asset_selection=self._target,
            evaluation_time=datetime.fromisoformat(moment).replace(tzinfo=UTC),
            cursor=self._cursor,
        )
        self._cursor = found.cursor
        return {key for key in WATCHED if found.get_num_requested(key)}


def update(instance: dg.DagsterInstance, *keys: dg.AssetKey) -> None:
    for key in keys:
        instance.report_runless_asset_event(dg.AssetMaterialization(key))


def test_training_waits_for_mondays_roll_over(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    clock = Clock(definitions, instance, "weekly_training")
    update(instance, *OUTCOMES)
    assert clock.at("2026-11-29 22:30") == set(), "Sunday"
    assert clock.at("2026-11-29 23:05") == set(), "Monday in Vienna, but nothing of that week to learn from"
    update(instance, OUTCOMES[0])
    assert clock.at("2026-11-29 23:15") == set(MODELS[:2]), "the model and its figures, in one run"
    update(instance, OUTCOMES[1])
    assert clock.at("2026-11-29 23:16") == set(MODELS[2:6])
    update(instance, OUTCOMES[2])
    assert clock.at("2026-11-29 23:17") == set(MODELS[6:])
    update(instance, *OUTCOMES)
    assert clock.at("2026-11-30 23:15") == set(), "once a week, whether or not it went well"
    assert clock.at("2026-12-06 23:05") == set()
    update(instance, *OUTCOMES)
    assert clock.at("2026-12-06 23:20") == set(MODELS)


def test_mail_is_queued_at_its_hours(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    clock = Clock(definitions, instance, "mail_hours")
    assert clock.at("2026-11-28 06:00") == set()
    assert clock.at("2026-11-28 06:06") == {MAIL}, "five past seven in Vienna"
    assert clock.at("2026-11-28 06:07") == set(), "once"
    assert clock.at("2026-11-29 05:00") == set()
    assert clock.at("2026-11-29 09:00") == {MAIL}, "an installation that was off at that hour"
    update(instance, MAIL)
    assert clock.at("2026-11-29 09:01") == set()
    assert clock.at("2026-12-01 07:00") == {MAIL}
    assert clock.at("2026-12-01 07:01") == set()
    assert clock.at("2026-12-01 07:06") == {MAIL}, "the first of a month has a second one"


@pytest.mark.parametrize("sensor", ["weekly_training", "mail_hours"])
def test_nothing_is_asked_for_when_it_is_new(
    definitions: dg.Definitions, instance: dg.DagsterInstance, sensor: str
) -> None:
    """An installation's first look is no hour that passed."""
    assert Clock(definitions, instance, sensor).at("2026-11-30 08:00") == set()
