"""What the page for analysts tells them to run: it runs with their rights, and answers."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from backup.export import export_marts
from core import postgres_urls
from core.database import Database
from core.embedded import PROGRAMS
from core.settings import PROJECT_ROOT
from tests.conftest import PUBLISHED, Postgres

pytestmark = pytest.mark.slow

PAGE = (PROJECT_ROOT / "docs" / "analysts.md").read_text()
QUESTIONS = re.findall(r"^### (\d+\. .*?)$.*?^```sql\n(.*?)^```", PAGE, re.M | re.S)
# The marketplace of the tests has no planned sessions.
EMPTY = {9}


@pytest.fixture(scope="module")
def marts(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Database:
    return postgres.new_database(tmp_path_factory.mktemp("home"), PUBLISHED)


@pytest.fixture(scope="module")
def url(marts: Database) -> str:
    """The database, with the rights and the path of an analyst."""
    parameters = postgres_urls.parse(marts.login_url)
    return postgres_urls.render({**parameters, "options": "-c role=tutorq_analyst -c search_path=analytics"})


def asked(url: str, statement: str) -> Sequence[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


def block(heading: str, language: str) -> str:
    """The first block of code of this language under a heading."""
    section = PAGE.partition(f"\n{heading}\n")[2]
    return section.partition(f"```{language}\n")[2].partition("```")[0]


def test_there_are_ten_questions() -> None:
    assert [int(title.partition(".")[0]) for title, _ in QUESTIONS] == list(range(1, 11))


@pytest.mark.parametrize(("title", "statement"), QUESTIONS, ids=[title for title, _ in QUESTIONS])
def test_each_question_has_an_answer(url: str, title: str, statement: str) -> None:
    rows = asked(url, statement)
    assert bool(rows) == (int(title.partition(".")[0]) not in EMPTY)


def test_rates_by_subject_and_week_are_those_of_the_platform(url: str) -> None:
    rate = QUESTIONS[0][1].rstrip().removesuffix(";")
    rows = asked(
        url,
        f"""
        select
            sum(answer.sessions)::int, round(sum(answer.sessions * answer.let_down_rate))::int,
            platform.sessions::int, platform.let_downs::int
        from ({rate}) as answer inner join platform_weekly as platform using (week_start)
        group by week_start, platform.sessions, platform.let_downs
        """,
    )
    assert len(rows) > 20
    assert all(
        (sessions, let_downs) == (known, known_let_downs) for sessions, let_downs, known, known_let_downs in rows
    )


def run(url: str, command: Sequence[str], folder: Path) -> str:
    environment = {**os.environ, "ANALYST_URL": url, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_psql_and_pandas_read_as_the_page_says(url: str, tmp_path: Path) -> None:
    psql = next(line for line in PAGE.splitlines() if line.startswith('psql "$ANALYST_URL"'))
    assert "2026-01-31" in run(url, ["sh", "-c", psql], tmp_path)
    weeks = run(url, [sys.executable, "-c", block("## pandas", "python")], tmp_path)
    assert re.search(r"let_down_rate.*2026-01-26 +\d+ +0\.\d+", weeks, re.S)


def test_parquet_files_read_as_the_page_says(marts: Database, url: str, tmp_path: Path) -> None:
    export_marts(marts, tmp_path / "marts")
    assert "is_let_down" in run(url, [sys.executable, "-c", block("## Parquet files", "python")], tmp_path)
