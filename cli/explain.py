"""`tutorq load --explain`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich import box

from cli.terminal import PlainTable, err, out, plain, print_json, print_table
from core.settings import Settings

if TYPE_CHECKING:
    from ingest.explain import Explanation, Reading

DRAFT_NAME = "mapping.draft.yml"


def explain_file(path: Path, settings: Settings, mapping: Path | None, *, as_json: bool) -> None:
    """Print how a file would be read, and write a draft of a mapping where it would not.

    Raises:
        typer.Exit: with 1, if it would not be read.
    """
    from ingest.explain import explain

    explanation = explain(path, timezone=settings.timezone, mapping=mapping)
    where = _written(path.parent / DRAFT_NAME, explanation.draft) if explanation.draft else ""
    if as_json:
        print_json(asdict(explanation))
    else:
        for reading in explanation.readings:
            _tell(reading, explanation)
    if explanation.failure:
        err.print(f"[red]error:[/] {plain(explanation.failure)}", soft_wrap=True, highlight=False)
        err.print(_way_out(explanation, path) if explanation.use else where, soft_wrap=True, highlight=False)
        raise typer.Exit(1)


def _tell(reading: "Reading", explanation: "Explanation") -> None:
    how = " by the mapping" if explanation.is_mapped else ""
    out.print(f"{plain(explanation.source)} would be read as {reading.entity}{how}:\n", highlight=False)
    table = PlainTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("column", "as mapped" if explanation.is_mapped else "in the file", "read as"):
        table.add_column(name, overflow="fold")
    for column in reading.columns:
        for place, (cell, value) in enumerate(zip(column.cells, column.values, strict=True)):
            table.add_row(column.name if place == 0 else "", cell or "", value or "")
    if reading.columns and reading.columns[0].cells:
        print_table(table)
    for note in reading.notes:
        out.print(f"{note.kind}: {plain(str(note))}", soft_wrap=True, highlight=False)
    if reading.unknown_columns:
        out.print(f"left out: {plain(', '.join(reading.unknown_columns))}", soft_wrap=True, highlight=False)
    for line, reason in reading.refused:
        out.print(f"refused: line {line}: {plain(reason)}", soft_wrap=True, highlight=False)
    if reading.additions:
        out.print("\ntutorq does not recognise these words and times. Complete this and save it in mapping.yml:\n")
        out.print(_plain_lines(reading.additions), soft_wrap=True, highlight=False)
    out.print("\nNothing was loaded.")


def _way_out(explanation: "Explanation", path: Path) -> str:
    return f"To load the file, save mapping.yml in {plain(str(path.parent))} with the line `use: {explanation.use}`."


def _written(path: Path, draft: str) -> str:
    """What became of the draft, and what to do with it. Nothing that is there is written over."""
    try:
        with path.open("x") as file:
            file.write(draft)
    except FileExistsError:
        return f"{plain(str(path))} already exists: complete it, or delete it to get a new draft."
    except OSError as error:
        return f"Cannot write {plain(str(path))} ({error.strerror}). The draft:\n\n{_plain_lines(draft)}"
    return (
        f"Wrote {plain(str(path))}: check each line, replace each ???, save the file as mapping.yml and run "
        "--explain again."
    )


def _plain_lines(text: str) -> str:
    return "\n".join(plain(line) for line in text.splitlines())
