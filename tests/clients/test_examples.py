"""The examples of docs/api.md, as they stand there: the blocks of one language are one program.

Ruby is run where there is one, which is not in the gate's own packages; else nobody parses it.
"""

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pyarrow import parquet

from core.settings import PROJECT_ROOT
from tests.clients.conftest import Platform
from tests.clients.test_generators import run_typescript, typescript_project
from tests.marts import TUTORS

pytestmark = pytest.mark.slow

PAGE = (PROJECT_ROOT / "docs" / "api.md").read_text()
LANGUAGES = ("sh", "python", "ts", "ruby")
EXAMPLES = PAGE.partition("## Examples")[2].partition("\n## ")[0]


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def program(language: str) -> str:
    return "\n".join(blocks(language, EXAMPLES))


def block(language: str, heading: str) -> str:
    return blocks(language, PAGE.partition(f"# {heading}\n")[2])[0]


def environment(platform: Platform, **others: str) -> dict[str, str]:
    return {
        "TUTORQ_URL": platform.url,
        "TUTORQ_INGEST_KEY": platform.ingest_key,
        "TUTORQ_READ_KEY": platform.read_key,
        **others,
    }


def output(command: list[str], folder: Path, variables: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def json_values(text: str) -> list[dict[str, object]]:
    values, decoder = [], json.JSONDecoder()
    while text := text.strip():
        value, end = decoder.raw_decode(text)
        values.append(value)
        text = text[end:]
    return values


def test_every_task_has_an_example_in_each_language() -> None:
    for task in EXAMPLES.split("\n### ")[1:]:
        assert re.findall(r"^```(\w+)$", task, re.MULTILINE) == list(LANGUAGES), task.partition("\n")[0]


def test_curl(platform: Platform, tmp_path: Path) -> None:
    path = {"PATH": "/usr/bin:/bin"}
    said = output(["bash", "-euo", "pipefail", "-c", program("sh")], tmp_path, environment(platform, **path))
    posted, batch, raised, *pages, problem = json_values(said)
    assert (posted["session_id"], posted["status"]) == ("S-1042", "queued")
    assert batch["queued"] == 2, batch
    assert raised["data"], raised
    assert all(tutor["attention"] for tutor in raised["data"])
    assert sum(len(page["data"]) for page in pages) == pages[0]["meta"]["total"] >= TUTORS
    assert problem["status"] == 400
    with (tmp_path / "tutors.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["is_active"] for row in csv.DictReader(file)} == {"true"}


def test_python(platform: Platform, python_client: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(program("python"))
    variables = environment(platform, PYTHONPATH=str(python_client))
    lines = output([sys.executable, "program.py"], tmp_path, variables).splitlines()
    assert lines[0] == "S-1043 is stored"
    assert lines[1].startswith("S-1062 was refused: {'rating': [")
    assert len(lines) > 4
    assert re.fullmatch(r"\d+ tutors", lines[-2])
    assert lines[-1].startswith("400 The request is not valid {'limit': [")
    assert parquet.read_table(tmp_path / "tutors.parquet").num_rows >= TUTORS / 2


def test_an_unchanged_answer_is_not_sent_again(platform: Platform, tmp_path: Path) -> None:
    command = block("sh", "Asking only for changes").rstrip() + " --write-out '%{http_code}\\n'\n"
    path = {"PATH": "/usr/bin:/bin"}
    said = output(["bash", "-euc", command * 2], tmp_path, environment(platform, **path))
    assert said.split() == ["200", "304"]
    assert json.loads((tmp_path / "overview.json").read_text())["data"]


def test_a_moved_session_keeps_its_move(platform: Platform) -> None:
    versions = json_values(block("json", "A session that is moved"))
    with platform.served.client(platform.ingest_key) as sender, platform.served.client(platform.read_key) as reader:
        for version in versions:
            assert sender.post("/api/sessions", json=version).json() == {"session_id": "S-1090", "status": "queued"}
        stored = reader.get("/api/sessions/S-1090").json()["data"]
    assert (stored["status"], stored["scheduled_time"]) == ("completed", "2026-01-22T15:00:00+00:00")
    assert [(move["initiator"], move["new_time"]) for move in stored["moves"]] == [
        ("tutor", "2026-01-22T15:00:00+00:00")
    ]


def test_an_offer_is_made(platform: Platform) -> None:
    example = block("sh", "Offers")
    [path] = re.findall(r"\$TUTORQ_URL(/api/matching/students\?\S+)\"", example)
    [body] = re.findall(r"-d '(.+)'", example)
    with platform.served.client(platform.ingest_key) as sender, platform.served.client(platform.read_key) as reader:
        student = reader.get(path).json()["data"][0]["student_id"]
        answer = sender.post(f"/api/matching/students/{student}/offers", json=json.loads(body))
    assert answer.is_success, answer.text
    assert answer.json()["offers"]


@pytest.mark.soak
def test_typescript(platform: Platform, tmp_path: Path) -> None:
    typescript_project(tmp_path, program("ts"))
    lines = run_typescript(tmp_path, environment(platform)).splitlines()
    assert lines[:3] == ["S-1044 is stored", "S-1044 duplicate", "S-1070 queued"]
    assert re.fullmatch(r"\d+ tutors", lines[-3])
    assert re.fullmatch(r"\d+ rows", lines[-2])
    assert lines[-1].startswith("limit Input should be greater")


if RUBY := shutil.which("ruby"):

    def test_ruby(platform: Platform, tmp_path: Path) -> None:
        (tmp_path / "program.rb").write_text(program("ruby"))
        lines = output([str(RUBY), "program.rb"], tmp_path, environment(platform)).splitlines()
        assert lines[:3] == ["is stored", "S-1045 duplicate", "S-1080 queued"]
        assert lines[-1].startswith("400: ")
