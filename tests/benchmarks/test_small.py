"""Every benchmark runs at a tiny size and prints its table; nothing is said of how fast it is."""

import importlib
import io
from pathlib import Path

import pytest
from rich.console import Console

from core.database import Database
from core.settings import PROJECT_ROOT

pytestmark = pytest.mark.soak


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("load", ["load_folder", "COPY by the server", "pandas read_csv", "the sheet, peak", "same rows as CSV"]),
        ("scoring", ["sessions, in all", "sessions, SQL", "the job in Dagster", "its SQL by hand", "slowest models"]),
        ("start", ["help (≤ 0.4 s)", "first score", "score (≤ 5 s)", "first up", "processor time"]),
        (
            "ingest",
            [
                "2 clients: API",
                "2 clients: FastAPI twin",
                "2 clients: asyncpg alone",
                "2 clients: API, live scores",
                "live scores of one session",
                "batches of 20: COPY",
            ],
        ),
        ("burst", ["2 keys, 2,000/s: stored", "1 key: memory at most", "1 key, 20/s: stored", "1 key: last answer"]),
        (
            "abuse",
            [
                "no attack",
                "headers without an end",
                "x 431",
                "half-open",
                "slow bodies",
                "deep JSON",
                "memory of the API",
            ],
        ),
        ("live", ["5/s: 202 to score, p50", "500/s: post to 202, p99", "the refresh alone", "0 of 10 tutors differ"]),
        ("push", ["browser's screen, p95", "by polling", "4 open streams", "the last of them", "5/s: post to 202"]),
        (
            "dashboard",
            ["overview usable", "sorted list", "filtered list", "searched list", "JavaScript of the first page"],
        ),
        ("effect", ["3 worlds of each kind", "sick spells", "3 times so many cases by chance"]),
        ("honesty", ["as published", "flat 90 days", "were above", "who knows the rates", "naive rule"]),
        ("top", ["seconds, end to end", "exact top 10", "busiest, before", "busiest, after", "one changed tutor"]),
        (
            "pairs",
            ["tutorq, end to end", "the way of before", "the obvious way", "XGBoost and COPY", "one changed student"],
        ),
        (
            "read",
            [
                "list of 50: API",
                "one tutor: API",
                "unchanged list: API",
                "unchanged tutor: API",
                "p99 at 70% load",
                "its statement on asyncpg alone",
            ],
        ),
    ],
)
def test_prints_a_table(
    name: str, lines: list[str], database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not an installed package: `python -m benchmarks` finds it because it is started in the project's folder.
    monkeypatch.syspath_prepend(str(PROJECT_ROOT))
    benchmark = importlib.import_module(f"benchmarks.{name}")
    text = io.StringIO()
    benchmark.run(benchmark.TINY, Console(file=text, width=160), tmp_path, database)
    table = text.getvalue()
    # What depends on the seed alone names no machine.
    machine = [] if name in {"effect", "honesty"} else ["cores", "PostgreSQL"]
    assert [line for line in [*lines, *machine] if line not in table] == []
    assert "not seen" not in table
