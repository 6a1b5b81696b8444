"""Advisory locks have one space of numbers in a database: two meanings of one number would wait for each other."""

import re
from collections import defaultdict

from core.settings import PROJECT_ROOT

FOLDERS = ("api", "core", "dbt_project/macros", "ingest", "ml", "orchestration", "reports")
NUMBER = re.compile(r"\b7_?461_?(\d{3})\b")


def test_every_number_of_a_lock_is_used_in_one_file() -> None:
    files = defaultdict(set)
    for folder in FOLDERS:
        for path in (PROJECT_ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".sql"}:
                for number in NUMBER.findall(path.read_text()):
                    files[number].add(path.name)
    assert len(files) >= 8
    assert {number: names for number, names in files.items() if len(names) > 1} == {}
