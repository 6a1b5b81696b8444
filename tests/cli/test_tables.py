"""What stands in tables on a terminal of 80 columns: nothing that one must read is cut."""

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import terminal
from cli.app import app
from core import people
from core.database import Database
from core.roles import Role

pytestmark = pytest.mark.usefixtures("environment")

NAME = "tutoring-marketplace-of-vienna"
EMAIL = "maximiliane.mustermann@tutors.example.org"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
SESSION = """
insert into app.browser_sessions (token_hash, person_id, opened_by, user_agent, address)
values ('\\x00', %s, 'link', %s, '2001:db8:1111:2222:3333:4444:5555:6666')
returning browser_session_id
"""


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_keys_and_sessions_at_80_columns(database: Database) -> None:
    said("keys", "create", "--name", NAME, "--expires", "90d")
    [key] = json.loads(said("keys", "list", "--json"))
    told = said("keys", "list")
    assert f"tq_{key['prefix']}" in told
    assert NAME in "".join(line.split(" ")[0] for line in told.splitlines())
    assert max(map(len, told.splitlines())) <= 80

    with database.connect() as connection:
        person = people.add(connection, EMAIL, "Maximiliane Mustermann", Role.LEAD)
        [number] = connection.execute(SESSION, [person.person_id, BROWSER]).fetchone() or ()
    told = said("people", "sessions")
    assert f"\n{number} " in told
    assert "Chrome" in told
    assert "…" not in told
    assert EMAIL in said("people", "list")
    assert "…" not in said("audit", "list")


@pytest.mark.parametrize("width", [20, 80])
def test_a_table_is_folded_and_never_cut(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.StringIO()
    monkeypatch.setattr(terminal, "out", Console(width=width, file=printed))
    monkeypatch.setattr("sys.stdout", printed)
    table = terminal.plain_table("id", "text", "count", folded=("text",))
    table.add_row("0123456789-0123456789", "one two three four five six seven eight", "1,234,567")
    terminal.print_table(table)
    lines = printed.getvalue().splitlines()
    assert "0123456789-0123456789" in lines[2]
    assert lines[2].endswith("1,234,567")
    assert all(word in printed.getvalue() for word in ("one", "four", "eight"))
    assert (len(lines) > 3) == (width < 80)
