"""Code locations of the user, beside tutorq's."""

import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from core.errors import TutorqError
from core.settings import PROJECT_ROOT, Settings
from orchestration.webserver import wait_for_code_location
from orchestration.workspace import WAIT_FOR_PORT, workspace

EXAMPLE = re.compile(r"```python\n# (?P<name>\w+\.py)\n(?P<code>.*?)```", re.DOTALL)


def test_what_the_settings_name_stands_beside_tutorq(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "coaching.py").touch()
    monkeypatch.setenv("TUTORQ_CODE_LOCATIONS", f"finance.assets, {tmp_path}/coaching.py")
    entries = yaml.safe_load(workspace("127.0.0.1", 4000, Settings().code_locations))["load_from"]
    assert entries == [
        {"grpc_server": {"host": "127.0.0.1", "port": 4000, "location_name": "tutorq"}},
        {"python_module": {"module_name": "finance.assets", "location_name": "assets"}},
        {
            "python_file": {
                "relative_path": f"{tmp_path}/coaching.py",
                "working_directory": str(tmp_path),
                "location_name": "coaching",
            }
        },
    ]


@pytest.mark.parametrize(
    ("given", "problem"),
    [(["a.b", "c.b"], "two code locations are named 'b'"), (["tutorq"], "named 'tutorq'"), (["/no.py"], "no file")],
)
def test_what_cannot_be_shown_is_said(given: list[str], problem: str) -> None:
    with pytest.raises(TutorqError, match=problem):
        workspace("127.0.0.1", 4000, given)


def test_the_example_of_the_documentation_loads_as_the_server_loads_it(tmp_path: Path) -> None:
    found = EXAMPLE.search((PROJECT_ROOT / "docs" / "operations.md").read_text())
    assert found is not None
    path = tmp_path / found["name"]
    path.write_text(found["code"])
    entries = yaml.safe_load(workspace("127.0.0.1", 4000, [str(path)]))["load_from"][1:]
    (tmp_path / "workspace.yaml").write_text(yaml.safe_dump({"load_from": entries}))
    loaded = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(tmp_path / "workspace.yaml")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr
    assert "marts" in found["code"]
    assert "tutor_scores" in found["code"]


def test_the_web_server_waits_for_the_code_location(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        monkeypatch.setenv(WAIT_FOR_PORT, str(listener.getsockname()[1]))
        waiting = threading.Thread(target=wait_for_code_location, daemon=True)
        waiting.start()
        waiting.join(timeout=0.3)
        assert waiting.is_alive()
        listener.listen()
        waiting.join(timeout=30)
        assert not waiting.is_alive()
    monkeypatch.delenv(WAIT_FOR_PORT)
    wait_for_code_location()  # where each is started by itself
