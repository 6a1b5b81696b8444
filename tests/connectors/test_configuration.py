"""connectors.yml: what it may say, and what is told when it is wrong."""

import re
from pathlib import Path

import pytest
import yaml

from connectors.configuration import BookingConnector, connector_of, read_connectors, require_key
from core.errors import TutorqError
from core.settings import PROJECT_ROOT, SECRETS_DIR, Settings, connector_secrets
from ingest.mapping import parse_mapping

PAGE = PROJECT_ROOT / "docs" / "connectors.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)

COMPOSED = "s: {{kind: postgres, mapping: {{sessions: {{{}}}}}, sessions: {{query: select 1 as session_id, {}}}}}"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return Settings(home=tmp_path)


def written(settings: Settings, text: str) -> Settings:
    (settings.home / "connectors.yml").write_text(text)
    return settings


def test_every_example_of_the_page_is_understood(settings: Settings) -> None:
    found = read_connectors(written(settings, "\n".join(BLOCKS)))
    assert list(found) == ["school", "warehouse", "sheet", "cal", "calendly", "acuity", "meetings"]
    for connector in found.values():
        parse_mapping(yaml.safe_dump({"timezone": connector.timezone, **connector.mapping}))


def test_without_the_file_there_are_none(settings: Settings) -> None:
    assert read_connectors(settings) == {}
    with pytest.raises(TutorqError, match=r"there is no connector 'cal' in .*connectors\.yml: none yet"):
        connector_of(settings, "cal")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cal: {kind: calcom}", "cal.calcom.since: Field required"),
        ("cal: {kind: calcom, since: 2026-01-01, key: c4n4ry}", "cal.calcom.key: Extra inputs are not permitted"),
        ("cal: {kind: outlook}", "cal: "),
        ("Cal-1: {kind: calcom, since: 2026-01-01}", "'Cal-1' is no name"),
        ("s: {kind: postgres, sessions: {table: x}}", "s.postgres.sessions: columns are missing"),
        ("s: {kind: postgres, sessions: {table: x, query: y}}", "s.postgres.sessions: give either table"),
        ("s: {kind: address, files: {sessions: 'file:///etc/passwd'}}", "s.address.files.sessions"),
        (
            COMPOSED.format("columns: {session_id: [day, id]}", "window: {}"),
            "s.postgres: sessions: window and deleted_at",
        ),
        (COMPOSED.format("group_lessons: true", "deleted_at: gone"), "s.postgres: sessions: with group_lessons"),
        (COMPOSED.format("columns: {sesion_id: id}", "window: {}"), "sessions have no column sesion_id"),
        ("- 1", "the file: "),
        ("a: [", "cannot read"),
    ],
)
def test_a_mistake_is_told_with_its_place(settings: Settings, text: str, words: str) -> None:
    with pytest.raises(TutorqError) as told:
        read_connectors(written(settings, text))
    assert words in str(told.value)
    assert "c4n4ry" not in str(told.value)


def test_secrets_come_from_the_environment_or_from_files(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(
        connector_of(written(settings, "cal: {kind: calcom, since: 2026-01-01}"), "cal"), BookingConnector
    )
    with pytest.raises(TutorqError, match="TUTORQ_CONNECTOR_CAL_KEY is not set"):
        require_key("cal")
    monkeypatch.setenv("TUTORQ_CONNECTOR_CAL_KEY", "from a variable")
    assert require_key("cal") == "from a variable"
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "tutorq_connector_cal_key").write_text("from a file\n")
    monkeypatch.setenv(SECRETS_DIR, str(secrets))
    assert require_key("cal") == "from a file"
    assert "from a file" not in repr(connector_secrets("cal"))
    assert connector_secrets("other").key is None
