"""What the verbs of the `tutorq` command have in common: output, errors in one line, the platform they work on."""

import functools
import json
import sys
from collections.abc import Callable, Container
from typing import Annotated, ParamSpec, TypeVar

import typer
from pydantic import ValidationError
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.database import Database, DatabaseRole
from core.errors import TutorqError
from core.settings import Settings, settings_problem

out = Console()
err = Console(stderr=True)

# Of a day and a time, the day.
LEAST_FOLDED = 10

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def tells_errors(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Turn the errors that a user can act on into one line and exit code 1."""

    @functools.wraps(command)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except TutorqError as error:
            message = str(error)
        except ValidationError as error:
            message = settings_problem(error)
        err.print(f"[red]error:[/] {escape(message)}", soft_wrap=True, highlight=False)
        raise typer.Exit(1)

    return wrapped


def plain(text: str) -> str:
    """Without control characters, and with brackets that Rich leaves alone."""
    return escape("".join(character if character.isprintable() else " " for character in text))


class PlainTable(Table):
    """Cells are text, whoever chose it: a name or a file with brackets is no markup."""

    def add_row(self, *cells: str) -> None:  # type: ignore[override]
        super().add_row(*(plain(cell) for cell in cells))


def plain_table(*columns: str, folded: Container[str] = ()) -> PlainTable:
    """A table without lines, its numbers to the right; what stands in the folded columns may take several lines."""
    table = PlainTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    for number, column in enumerate(columns):
        is_text = number == 0 or column in folded
        table.add_column(column, no_wrap=column not in folded, overflow="fold", justify="left" if is_text else "right")
    return table


def print_table(table: Table) -> None:
    """As wide as the terminal, and never cut: ids and numbers that need more go on beyond its edge."""
    needed = table._extra_width
    for column in table.columns:
        widest = max(cell_len(str(cell)) for cell in (column.header, *column.cells))
        needed += widest if column.no_wrap else min(widest, LEAST_FOLDED)
    Console(width=max(out.width, needed)).print(table)


def open_platform(
    role: DatabaseRole | None = None, *, migrated: bool = True, is_first: bool = False
) -> tuple[Settings, Database]:
    """Settings and database, as this role or as its owner, with the schema brought up to date.

    Where the owner's login is elsewhere, so is the migration.

    Args:
        is_first: whether the verb may start an installation.

    Raises:
        TutorqError: nothing is installed in the home; or the database cannot be migrated.
    """
    settings = Settings()
    owner = Database(settings)
    if not is_first and owner.is_embedded and owner.embedded.is_new:
        raise TutorqError(
            f"nothing is installed in {settings.home} (TUTORQ_HOME); `tutorq up` or `tutorq load` starts an "
            "installation there"
        )
    if migrated and (role is None or owner.has_owner):
        migrate_and_tell(owner, err)
    return settings, owner.as_role(role) if role else owner


def migrate_and_tell(owner: Database, console: Console) -> None:
    """Bring the schema up to date, and say so if it was older."""
    from core.migrate import migrate, newest_version

    if before := migrate(owner):
        console.print(f"Updated the schema from {before} to {newest_version()}.", highlight=False)


def print_json(answer: object) -> None:
    sys.stdout.write(json.dumps(answer, indent=2, default=str) + "\n")
