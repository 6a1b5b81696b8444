"""The hand-made marts of these tests are the contracted ones."""

import yaml

from core.settings import PROJECT_ROOT
from tests.api.conftest import Served

CONTRACTS = PROJECT_ROOT / "dbt_project" / "models" / "marts"


def test_the_marts_of_these_tests_have_the_contracted_columns(published: Served) -> None:
    with published.database.connect() as connection:
        columns = connection.execute(
            "select attrelid::regclass::text, attname::text from pg_attribute "
            "where attrelid::regclass::text like 'marts.%' and attnum > 0 and not attisdropped "
            "and attrelid in (select oid from pg_class where relkind in ('r', 'v'))"
        ).fetchall()
    fixture: dict[str, set[str]] = {}
    for table, column in columns:
        fixture.setdefault(table.removeprefix("marts."), set()).add(column)
    contracted = {
        model["name"]: {column["name"] for column in model["columns"]}
        for path in CONTRACTS.glob("*.yml")
        for model in yaml.safe_load(path.read_text()).get("models", [])
    }
    assert fixture
    assert fixture == {name: contracted[name] for name in fixture}
