"""`tutorq audit`: who did what by hand, and who was refused."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from cli.moments import moment
from cli.terminal import JsonFlag, err, open_platform, out, print_json, tells_errors
from core.errors import TutorqError

app = typer.Typer()


@app.command("audit")
@tells_errors
def audit_log(
    actor: Annotated[str | None, typer.Option(metavar="TEXT", help="Part of the name of who did it.")] = None,
    action: Annotated[
        list[str] | None, typer.Option(metavar="ACTION", help="Such as key.create or log_in.refused; may be repeated.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="A date, a date and time, or 7d.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="The same; not including it.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many, the newest.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """Show the audit log, the newest entry first."""
    from core import audit

    known = {each.value: each for each in audit.Action}
    for each in action or ():
        if each not in known:
            raise TutorqError(f"action {each!r} is not one of {', '.join(known)}")
    settings, database = open_platform()
    with database.connect() as connection:
        entries = audit.find(
            connection,
            actor=actor,
            actions=[known[each] for each in action or ()],
            since=moment("--since", since, settings.timezone) if since else None,
            until=moment("--until", until, settings.timezone) if until else None,
            limit=limit,
        )
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    if not entries:
        err.print("No such entries.")
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("when", "who", "action", "on", "details"):
        table.add_column(column, no_wrap=column in ("when", "action"), overflow="fold")
    for entry in entries:
        details = ", ".join(f"{name} {_short(value)}" for name, value in entry.details.items() if value is not None)
        # As text: a reason that somebody gave must not colour the terminal.
        cells = (entry.actor, entry.action, f"{entry.subject_kind} {entry.subject_id}", details)
        table.add_row(_second(entry.happened_at), *(_plain(cell) for cell in cells))
    out.print(table)


def _second(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(text: str) -> str:
    """Without control characters, and with brackets that Rich leaves alone."""
    from rich.markup import escape

    return escape("".join(character if character.isprintable() else " " for character in text))
