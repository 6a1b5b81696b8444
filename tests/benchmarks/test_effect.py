"""The benchmark of effects prints its tables; tests/core/test_case_effect.py looks at its figures."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import effect
from core.database import Database


@pytest.mark.soak
def test_prints_its_tables(database: Database, tmp_path: Path) -> None:
    text = io.StringIO()
    effect.run(effect.TINY, Console(file=text, width=160), tmp_path, database)
    lines = ["3 worlds of each kind", *effect.TUTORS, "3 times so many cases by chance"]
    assert [line for line in lines if line not in text.getvalue()] == []
