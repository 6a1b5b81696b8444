"""`tutorq db backup`, `tutorq db restore` and `tutorq db export`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.terminal import JsonFlag, err, open_platform, print_json, tells_errors
from core.database import DatabaseRole
from core.words import plural

app = typer.Typer()


@app.command("backup")
@tells_errors
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write; `-` writes to standard output.")],
    landing: Annotated[bool, typer.Option("--landing", help="Include the files of the landing directory.")] = False,
    age: Annotated[
        list[str] | None,
        typer.Option(metavar="RECIPIENT", help="Encrypt with age: a public key, or a file with public keys."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Back up the database and the models to FILE as one consistent snapshot, without downtime."""
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
    parts = [_state(manifest.sessions, manifest.as_of), plural(models, "model")]
    if manifest.landing_files is not None:
        parts.append(plural(manifest.landing_files, "landing file"))
    err.print(f"{file}: {', '.join(parts)}.", soft_wrap=True, highlight=False, markup=False)
    if manifest.missing_models:
        _warn(f"not in the model store, so not in the backup: {', '.join(manifest.missing_models)}")
    if manifest.left_out_schemas:
        names = ", ".join(manifest.left_out_schemas)
        _warn(f"not tutorq's, so not in the backup: the schemas {names}; back them up with pg_dump")


@app.command("restore")
@tells_errors
def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Backup file from `tutorq db backup`; `-` reads standard input.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the current contents of the database with FILE.")
    ] = False,
    landing: Annotated[bool, typer.Option("--landing", help="Also restore the landing files.")] = False,
    identity: Annotated[
        Path | None, typer.Option(metavar="KEYFILE", help="Key file, if FILE is encrypted with age.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Restore FILE into the configured database and model store. All or nothing."""
    from backup import restore_backup
    from core.keys import State, list_keys, prefix_of
    from core.roles import Role

    settings, database = open_platform(migrated=False, is_first=True)
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
    err.print(f"Restored: {state}, {plural(done.models, 'model')}.", soft_wrap=True, highlight=False)
    if manifest.waiting_mails:
        what = "mail that was waiting is" if manifest.waiting_mails == 1 else "mails that were waiting are"
        _warn(
            f"{manifest.waiting_mails:,} {what} `unknown` now and will not be sent: the lost installation may "
            "have done so since the backup (see mail in docs/operations.md)"
        )
    _warn("keys and browser sessions revoked since the backup work again; check `tutorq keys list`")
    with database.connect() as connection:
        own = prefix_of(settings.api_key_file.read_text().strip()) if settings.api_key_file.exists() else None
        others = [
            key.name
            for key in list_keys(connection)
            if key.role == Role.ADMIN and key.state in (State.IN_USE, State.REPLACED) and key.prefix != own
        ]
    if others:
        _warn(f"admin keys other than this machine's are in use: {', '.join(others)}; to end one: `tutorq keys revoke`")
    err.print(
        f"The database has the state of {manifest.made_at}. Reload newer files with `tutorq load`, then run "
        "`tutorq score` and `tutorq doctor`.",
        soft_wrap=True,
        highlight=False,
    )


@app.command("export")
@tells_errors
def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New folder, or the folder of an earlier export.")],
    as_json: JsonFlag = False,
) -> None:
    """Export the marts to FOLDER as Parquet files: one consistent snapshot, personal data masked."""
    from backup.export import export_marts

    _, database = open_platform(DatabaseRole.TRANSFORM)
    with err.status("Exporting …") as status:
        done = export_marts(database, folder, tell=lambda what: status.update(f"Exporting: {what} …"))
    if as_json:
        print_json(done.to_dict())
        return
    rows, size = sum(table.rows for table in done.tables), sum(table.bytes for table in done.tables)
    err.print(
        f"{folder}: {plural(len(done.tables), 'table')}, {plural(rows, 'row')}, {size / 1e6:,.1f} MB, "
        f"as of {done.as_of}.",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def _state(sessions: int, as_of: str | None) -> str:
    return f"{plural(sessions, 'session')}, {f'scores as of {as_of}' if as_of else 'no scores yet'}"


def _warn(message: str) -> None:
    err.print(f"[yellow]warning:[/] {message}", soft_wrap=True, highlight=False)
