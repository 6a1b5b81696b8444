"""`tutorq audit`: who did what by hand, and who was refused; and whether the log is as it was written."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box

from cli.moments import moment
from cli.terminal import (
    LEAST_FOLDED,
    JsonFlag,
    PlainTable,
    err,
    open_platform,
    out,
    print_json,
    print_table,
    tells_errors,
)
from core.errors import TutorqError

if TYPE_CHECKING:
    from core import audit

# As Postgres and Python write them into the details.
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d(:\d\d)?)$")

# On narrower terminals the time stands below the day, which leaves more room for the details.
WIDE = 100

app = typer.Typer()


@app.command("verify")
@tells_errors
def verify(
    head: Annotated[
        str | None,
        typer.Option(metavar="PLACE:HASH", help="A chain end that an earlier run printed; fail if it is missing."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check the hash chain of the audit log. On a mismatch, print the first wrong entry and exit with 1.

    Prints the end of the chain. Keep a copy elsewhere: nobody who rewrites the database can change that copy.
    """
    from core import audit

    noted = _head(head)
    _, database = open_platform()
    with database.connect() as connection:
        end = audit.verify(connection, noted=noted)
    if as_json:
        print_json({"place": end.place, "hash": end.hash})
    else:
        out.print(str(end), soft_wrap=True, highlight=False)
        err.print("The chain is intact.")


def _head(text: str | None) -> "audit.Head | None":
    from core import audit

    if text is None:
        return None
    if not (found := re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text.strip().lower())):
        raise TutorqError(f"--head {text!r} is not PLACE:HASH, as `tutorq audit verify` prints it")
    return audit.Head(int(found[1]), found[2])


@app.callback(invoke_without_command=True)
@app.command("list")
@tells_errors
def list_entries(
    context: typer.Context,
    actor: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only entries of people or keys whose name contains this text.")
    ] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(metavar="ACTION", help="Only this action, such as key.create or log_in.refused. Repeatable."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Start: a date, a date and time, or an age such as 7d.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="End, exclusive; same formats as --since.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Maximum number of entries, newest first.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """Show the audit log, newest first: who changed what, and whom tutorq refused."""
    if context.invoked_subcommand is not None:
        return
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
        err.print("No entries match.")
        return
    table = PlainTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("when", overflow="fold", max_width=LEAST_FOLDED if out.width < WIDE else None)
    for column in ("who", "action", "on, and details"):
        table.add_column(column, no_wrap=column == "action", overflow="fold")
    for entry in entries:
        subject = f"{entry.subject_kind} {entry.subject_id}"
        details = details_of(entry.details)
        who = f"{entry.actor} ({entry.address})" if entry.address else entry.actor
        cells = (who, entry.action, f"{subject}: {details}" if details else subject)
        table.add_row(_second(entry.happened_at), *cells)
    print_table(table)


def _second(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def details_of(details: Mapping[str, Any]) -> str:
    """What else an entry says, as the dashboard does: of a change, and of rows before and after, what differs."""
    if details.keys() == {"from", "to"}:
        return _change(details)
    before, after = details.get("before"), details.get("after")
    parts = []
    if isinstance(before, dict) and isinstance(after, dict):
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        parts = [f"{name} {_change({'from': before.get(name), 'to': after.get(name)})}" for name in names]
        details = {name: value for name, value in details.items() if name not in ("before", "after")}
    for name, value in details.items():
        if isinstance(value, dict) and value.keys() == {"from", "to"}:
            parts.append(f"{name} {_change(value)}")
        elif value is not None:
            parts.append(f"{name} {_short(value)}")
    return ", ".join(parts)


def _change(change: Mapping[str, Any]) -> str:
    return f"{_short(change['from'])} → {_short(change['to'])}"


def _short(value: object) -> str:
    if value is None or value in ("", []):
        return "none"
    if isinstance(value, str):
        return _second(datetime.fromisoformat(value)) if MOMENT.match(value) else value
    return json.dumps(value, ensure_ascii=False)
