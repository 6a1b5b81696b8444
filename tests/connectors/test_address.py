"""Files at addresses: only when they have changed, and only files."""

from datetime import UTC, datetime

import pytest

from core.errors import TutorqError
from tests.connectors.conftest import Installation
from tests.connectors.sources import Answer, Request, configure, serving

pytestmark = pytest.mark.connectors

SHEET = b"Ref,Teacher,Pupil,Start,How it went\n1,Ann,Kid,2026-01-31 15:00,Done\n"
CSV = {"Content-Type": "text/csv"}
COLUMNS = {
    "session_id": "Ref", "tutor_id": "Teacher", "student_id": "Pupil", "scheduled_time": "Start",
    "status": "How it went",
}  # fmt: skip
MAPPING = {"sessions": {"columns": COLUMNS, "values": {"status": {"Done": "completed"}}}}


def test_a_sheet_comes_once_and_then_when_it_has_changed(installation: Installation) -> None:
    content, tags = [SHEET], True

    def answer(request: Request) -> Answer:
        tag = f'"{len(content[-1])}"'
        if tags and request.headers.get("If-None-Match") == tag:
            return Answer(status=304)
        return Answer(content[-1], headers={**CSV, **({"ETag": tag} if tags else {})})

    with serving(answer) as service:
        connector = {"kind": "address", "files": {"sessions": f"{service.url}/pub?output=csv"}, "mapping": MAPPING}
        configure(installation.settings, sheet={**connector, "timezone": "Europe/Vienna"})
        assert len(installation.sync("sheet").files) == 1
        assert installation.sync("sheet").files == []
        content.append(SHEET + b"2,Ann,Kid,2026-02-01 15:00,Done\n")
        assert len(installation.sync("sheet").files) == 1
        tags = False
        installation.sync("sheet")
        assert installation.sync("sheet").files == []  # the same content, though nobody says so
    found = installation.sessions()
    assert sorted(found) == ["1", "2"]
    assert found["1"][2] == datetime(2026, 1, 31, 14, tzinfo=UTC)


def test_what_is_no_file_is_told(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        (
            Answer(b"<html>Sign in</html>", headers={"Content-Type": "text/html; charset=utf-8"}),
            "shows a page, no file",
        ),
        (Answer({}, 404), "answered 404"),
    ]
    configure(installation.settings, sheet={"kind": "address", "files": {"sessions": None}})
    for each, words in answers:
        with serving(lambda _, each=each: each) as service:  # type: ignore[misc]
            monkeypatch.setenv("TUTORQ_CONNECTOR_SHEET_KEY", f"{service.url}/c4n4ry")
            with pytest.raises(TutorqError, match=words) as told:
                installation.pull("sheet")
            assert "c4n4ry" not in str(told.value)
    assert [path.name for path in (installation.settings.landing / "sheet").iterdir()] == ["mapping.yml"]
