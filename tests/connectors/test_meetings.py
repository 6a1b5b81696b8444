"""Zoom's reports, over HTTP: a token, users, meetings and participants in pages."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.connectors.conftest import Installation
from tests.connectors.sources import Answer, Request, configure, serving

pytestmark = pytest.mark.connectors

BEGIN = datetime.now(UTC).replace(microsecond=0, second=0, minute=0) - timedelta(hours=5)
UUID = "/a+b=="


def at(minutes: float) -> str:
    return f"{BEGIN + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def zoom(request: Request) -> Answer:
    if request.path == "/oauth/token":
        assert request.headers["Authorization"] == "Basic Y2xpZW50OnNlY3JldA=="
        assert request.query == {"grant_type": "account_credentials", "account_id": "A"}
        return Answer({"access_token": "token", "expires_in": 3600})
    assert request.headers["Authorization"] == "Bearer token"
    match request.path:
        case "/v2/users":
            if "next_page_token" not in request.query:
                return Answer({"users": [{"id": "U0", "email": "new@example.org"}], "next_page_token": "2"})
            return Answer({"users": [{"id": "U1", "email": "ann@example.org"}], "next_page_token": ""})
        case "/v2/report/users/U1/meetings":
            taught = {"uuid": UUID, "id": 5, "start_time": at(-3), "end_time": at(62), "user_email": "ann@example.org"}
            private = {"uuid": "x", "id": 6, "start_time": at(-600), "end_time": at(-590)}
            return Answer({"meetings": [taught, private], "next_page_token": ""})
        case "/v2/report/users/U0/meetings":
            return Answer({"meetings": [], "next_page_token": ""})
        case "/v2/report/meetings/%252Fa%252Bb%253D%253D/participants":
            ann = {"user_email": "ann@example.org", "join_time": at(4), "leave_time": at(62)}
            kid = {"user_email": "", "join_time": at(-3), "leave_time": at(61)}
            return Answer({"participants": [ann, kid], "next_page_token": ""})
    return Answer({}, 404)


def test_a_session_gets_the_times_at_which_both_were_there(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUTORQ_CONNECTOR_MEETINGS_KEY", "client:secret")
    folder = installation.settings.home / "before"
    folder.mkdir()
    (folder / "sessions.csv").write_text(
        "session_id,tutor_id,student_id,scheduled_time,status,subject,duration_minutes\n"
        f"s1,T-1,kid,{BEGIN.isoformat()},scheduled,maths,60\n"
    )
    from ingest import load_folder

    load_folder(installation.loader, folder, timezone="UTC")
    with serving(zoom) as service:
        addresses = {"url": f"{service.url}/v2", "token_url": f"{service.url}/oauth/token"}
        connector = {"kind": "zoom", "account": "A", "tutors": {"ann@example.org": "T-1"}, **addresses}
        configure(installation.settings, meetings=connector)
        report = installation.sync("meetings")
        [found] = installation.query("select status, subject, started_at, completed_time from raw.sessions")
        assert found == ("completed", "maths", BEGIN + timedelta(minutes=4), BEGIN + timedelta(minutes=61))
        assert report.notes == ["meetings that are no session of their host, or more than one: 1"]
        assert installation.sync("meetings").rows == {}
        # Somebody corrects it: the same report does not undo that.
        (folder / "corrected.csv").write_text(
            "session_id,tutor_id,student_id,scheduled_time,status,initiator,updated_at\n"
            f"s1,T-1,kid,{BEGIN.isoformat()},no_show,tutor,{datetime.now(UTC).isoformat()}\n"
        )
        (folder / "corrected.csv").rename(folder / "sessions.csv")
        load_folder(installation.loader, folder, timezone="UTC")
        assert installation.sessions()["s1"][0] == "no_show"
        assert installation.sync("meetings").rows == {}
        assert installation.sessions()["s1"][0] == "no_show"
