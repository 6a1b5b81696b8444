"""`tutorq db backup`, `tutorq db restore` and `tutorq db export`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.terminal import JsonFlag, err, open_platform, print_json, tells_errors
from core.database import DatabaseRole

app = typer.Typer()


@app.command("backup")
@tells_errors
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write; `-` is standard output.")],
    landing: Annotated[bool, typer.Option("--landing", help="Put the files of the landing directory in, too.")] = False,
    age: Annotated[
        list[str] | None,
        typer.Option(metavar="RECIPIENT", help="Encrypt with age for this public key, or those of this file."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the database and the models to FILE, in one state, while everything runs."""
    from backup import make_backup

    settings, database = open_platform(migrated=False)
    with err.status("Backing up …") as status:
        manifest = make_backup(
            settings, database, file, landing=landing, recipients=age or (),
            tell=lambda what: status.update(f"Backing up: {what} …"),
        )  # fmt: skip
    size = file.stat().st_size if file.is_file() else None
    if as_json and size is not None:
        print_json({"file": str(file), "bytes": size, **manifest.to_dict()})
        return
    models = len(manifest.models) - len(manifest.missing_models)
    parts = [_state(manifest.sessions, manifest.as_of), _count(models, "model")]
    if manifest.landing_files is not None:
        parts.append(_count(manifest.landing_files, "landing file"))
    err.print(f"{file}: {', '.join(parts)}.", soft_wrap=True, highlight=False, markup=False)
    if manifest.missing_models:
        _warn(f"not in the model store, so not in the backup: {', '.join(manifest.missing_models)}")
    if manifest.left_out_schemas:
        names = ", ".join(manifest.left_out_schemas)
        _warn(f"not tutorq's, so not in the backup: the schemas {names}; back them up with pg_dump")


@app.command("restore")
@tells_errors
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `db backup`; `-` is standard input.")],
    replace: Annotated[bool, typer.Option("--replace", help="Drop what the database has, once FILE is in.")] = False,
    landing: Annotated[bool, typer.Option("--landing", help="Put the landing files back, too.")] = False,
    identity: Annotated[
        Path | None, typer.Option(metavar="KEYFILE", help="The file of the key, if FILE is encrypted with age.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Put FILE back into the database and the model store of these settings, whole or not at all."""
    from backup import restore_backup

    settings, database = open_platform(migrated=False)
    with err.status("Restoring …") as status:
        done = restore_backup(
            settings, database, file, replace=replace, landing=landing, identity=identity,
            tell=lambda what: status.update(f"Restoring: {what} …"),
        )  # fmt: skip
    manifest = done.manifest
    if as_json:
        counts = {"restored_models": done.models, "restored_landing_files": done.landing_files}
        print_json({"schema_now": done.migrated_to, **counts, **manifest.to_dict()})
        return
    state = _state(manifest.sessions, manifest.as_of)
    err.print(f"Restored: {state}, {_count(done.models, 'model')}.", soft_wrap=True, highlight=False)
    if manifest.waiting_mails:
        what = "mail that was waiting is" if manifest.waiting_mails == 1 else "mails that were waiting are"
        _warn(
            f"{manifest.waiting_mails:,} {what} `unknown` now and will not be sent: the lost installation may "
            "have done so since the backup (see mail in docs/operations.md)"
        )
    _warn("keys and browser sessions that were ended since the backup work again; look at `tutorq keys list`")
    err.print(
        f"The state is that of {manifest.made_at}: load again what was loaded since (`tutorq load`), then "
        "`tutorq score` and `tutorq doctor`.",
        soft_wrap=True,
        highlight=False,
    )


@app.command("export")
@tells_errors
def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder, or that of an earlier export.")],
    as_json: JsonFlag = False,
) -> None:
    """Write the marts as Parquet files into FOLDER, in one state, with personal data masked."""
    from backup.export import export_marts

    _, database = open_platform(DatabaseRole.TRANSFORM)
    with err.status("Exporting …") as status:
        done = export_marts(database, folder, tell=lambda what: status.update(f"Exporting: {what} …"))
    if as_json:
        print_json(done.to_dict())
        return
    rows, size = sum(table.rows for table in done.tables), sum(table.bytes for table in done.tables)
    err.print(
        f"{folder}: {_count(len(done.tables), 'table')}, {_count(rows, 'row')}, {size / 1e6:,.1f} MB, "
        f"as of {done.as_of}.",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def _state(sessions: int, as_of: str | None) -> str:
    return f"{_count(sessions, 'session')}, {f'scores as of {as_of}' if as_of else 'no scores yet'}"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _warn(message: str) -> None:
    err.print(f"[yellow]warning:[/] {message}", soft_wrap=True, highlight=False)
