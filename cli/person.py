"""`tutorq person`: what is stored of one tutor or student, exported or erased."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from cli.terminal import JsonFlag, err, open_platform, out, plain_table, print_json, print_table, tells_errors
from core.errors import TutorqError
from core.words import plural

if TYPE_CHECKING:
    from persons.registry import Kind

app = typer.Typer(help="Export or erase the data of one tutor or student.", no_args_is_help=True)

Called = Annotated[str, typer.Argument(metavar="ID", help="Id of a tutor or student: your own id or the UUID.")]
KindText = Annotated[
    str | None,
    typer.Option(
        "--kind", metavar="KIND", help="tutor or student. Required if the id belongs to both, or to nobody yet."
    ),
]


@app.command("export")
@tells_errors
def export(
    called: Called,
    out_dir: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="New folder. Default: person-UUID.")
    ] = None,
    kind: KindText = None,
    as_json: JsonFlag = False,
) -> None:
    """Export all data of one tutor or student to a folder: one file per table, and index.html. With an e-mail address
    as ID, export the data of a person who logs in."""
    from core import people
    from core.sealing import text_sealer
    from persons.export import note_export, read_person, write_export
    from persons.identity import identify
    from persons.sealed import SealedTexts
    from persons.staff import read_staff

    settings, database = open_platform()
    with database.connect() as connection:
        if "@" in called and kind is None:
            person = people.find(connection, called)
            folder = out_dir or Path(f"person-{person.person_id}")
            tables = list(read_staff(connection, person))
            write_export(folder, person.name, "person", tables)
            note_export(connection, "person", person.person_id, len(tables))
        else:
            identity = identify(connection, called, _kind(kind))
            folder = out_dir or Path(f"person-{identity.person_id}")
            tables = list(read_person(connection, identity, SealedTexts(text_sealer(settings))))
            write_export(folder, identity.called, identity.kind, tables)
            note_export(connection, identity.kind, identity.person_id, len(tables))
    if as_json:
        print_json({"folder": str(folder), "rows": {table.stem: len(table.rows) for table in tables}})
        return
    rows = sum(len(table.rows) for table in tables)
    out.print(
        f"Exported {plural(rows, 'row')} of {plural(len(tables), 'table')} to {folder}. Open index.html.",
        highlight=False,
    )


@app.command("erase")
@tells_errors
def erase(
    called: Annotated[
        str | None, typer.Argument(metavar="ID", help="Id of a tutor or student: your own id or the UUID.")
    ] = None,
    kind: KindText = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    requested: Annotated[
        bool, typer.Option("--requested", help="Erase everyone whose erasure was requested through the API.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Erase all data of a tutor or student, and refuse later rows that name them. Only a backup can undo this."""
    from persons.erase import erase as erase_person
    from persons.identity import identify, with_id
    from persons.requests import waiting

    if (called is None) == (not requested):
        raise TutorqError("give an id or --requested")
    if called is not None and "@" in called and kind is None:
        raise TutorqError(
            "to remove somebody who logs in, use `tutorq people remove`; for a tutor or student, add --kind"
        )
    settings, database = open_platform()
    with database.connect() as connection:
        if called is None:
            people = [with_id(connection, *asked) for asked in waiting(connection)]
        else:
            people = [identify(connection, called, _kind(kind))]
    done = []
    for identity in people:
        if not yes:
            typer.confirm(
                f"Erase {identity.kind} {identity.name or called or identity.person_id} with "
                f"{plural(len(identity.sessions), 'session')}?",
                abort=True,
                err=True,
            )
        with err.status("erasing") as status:
            done.append(erase_person(settings, database, identity, tell=lambda step: status.update(f"erasing: {step}")))
    if as_json:
        print_json([{"erasure": each.erasure_id, "counts": each.counts, "left": each.left} for each in done])
    else:
        for each in done:
            table = plain_table("what", "count")
            for name, count in sorted(each.counts.items()):
                table.add_row(name, f"{count:,}")
            print_table(table)
            out.print(f"Erasure {each.erasure_id} is done. The next run updates the scores.", highlight=False)
    if left := [place for each in done for place in each.left]:
        raise TutorqError(f"the person is still named in {', '.join(left)}; stop what writes there, then erase again")


@app.command("allow")
@tells_errors
def allow(called: Called, kind: KindText = None) -> None:
    """Accept rows that name an erased person again. The erased data itself does not come back."""
    from core.erased import erased_ids
    from ingest.ids import entity_uuid
    from persons.erase import allow as allow_person
    from persons.identity import KINDS, with_id

    wanted = _kind(kind)
    settings, database = open_platform()
    try:
        person_id = entity_uuid(called)
    except ValueError as error:
        raise TutorqError(f"invalid person id: {error}") from error
    erased = erased_ids(settings)
    with database.connect() as connection:
        people = [with_id(connection, each, person_id) for each in ([wanted] if wanted else KINDS)]
        allowed = [identity.kind for identity in people if allow_person(connection, erased, identity)]
    if not allowed:
        raise TutorqError("no erased person has this id")
    out.print(
        f"tutorq accepts rows of this {' and '.join(allowed)} again. Load the source files once more.", highlight=False
    )


def _kind(text: str | None) -> "Kind | None":
    if text not in (None, "tutor", "student"):
        raise TutorqError(f"kind {text!r} is not tutor or student")
    return cast("Kind | None", text)
