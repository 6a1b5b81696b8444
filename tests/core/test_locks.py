"""Advisory locks share one space of numbers in a database: two meanings of one number would wait for each other."""

import re
from collections import Counter

from core import locks
from core.settings import PROJECT_ROOT

FOLDERS = (
    "api",
    "cli",
    "core",
    "dbt_project/functions",
    "dbt_project/materializations",
    "ingest",
    "ml",
    "orchestration",
    "reports",
)
NUMBER = re.compile(r"\b7_?461_?\d{3}\b")
ONLY_IN_SQL = {locks.LIVE_MODEL, locks.LIVE_TUTOR, locks.CASE_DRAW, locks.AUDIT_CHAIN}


def numbers_in(*folders: str) -> Counter[int]:
    files = (
        path
        for folder in folders
        for path in (PROJECT_ROOT / folder).rglob("*")
        if path.suffix in {".py", ".sql"} and path.name != "locks.py"
    )
    return Counter(int(number.replace("_", "")) for path in files for number in NUMBER.findall(path.read_text()))


def test_no_two_locks_have_one_number() -> None:
    numbers = [value for name, value in vars(locks).items() if name.isupper()]
    assert len(numbers) >= 12
    assert len(set(numbers)) == len(numbers)


def test_numbers_stand_nowhere_else() -> None:
    # Runs, and whoever makes the table of rows, take alone what live writers share.
    assert numbers_in(*FOLDERS) == Counter([*ONLY_IN_SQL, locks.LIVE_MODEL, locks.LIVE_MODEL])


def test_every_lock_is_taken_by_its_name() -> None:
    code = "".join(path.read_text() for folder in FOLDERS for path in (PROJECT_ROOT / folder).rglob("*.py"))
    names = {name for name, value in vars(locks).items() if name.isupper() and value not in ONLY_IN_SQL}
    assert {name for name in names if f"locks.{name}" not in code} == set()
