"""`tutorq keys` and `login-link`: who may use the API and the dashboard."""

from typing import Annotated

import typer

from cli.terminal import JsonFlag, err, open_platform, out, plain_table, print_json, tells_errors
from core.errors import TutorqError

login_app = typer.Typer()
app = typer.Typer(help="Keys of the API.", no_args_is_help=True)


@login_app.command("login-link")
@tells_errors
def login_link(
    role: Annotated[str, typer.Option(metavar="ROLE", help="read or admin")] = "admin",
    name: Annotated[str, typer.Option(metavar="TEXT", help="Who it is for; the audit log names them so.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Print a link that logs one browser in to the dashboard: once, and within ten minutes."""
    from core import logins
    from core.keys import Role

    if role not in (Role.READ, Role.ADMIN):
        raise TutorqError(f"role {role!r} is not one of read, admin")
    settings, database = open_platform()
    with database.connect() as connection:
        link = logins.create_link(connection, settings, Role(role), name.strip() or logins.DEFAULT_NAME)
    if as_json:
        print_json({"link": link, "role": role, "seconds": int(logins.LINK_LASTS.total_seconds())})
    else:
        out.print(link, soft_wrap=True, highlight=False, markup=False)


@app.command("create")
@tells_errors
def create(
    name: Annotated[str, typer.Option(metavar="TEXT", help="What the key is for.")],
    role: Annotated[str, typer.Option(metavar="ROLE", help="read, ingest or admin")] = "read",
    as_json: JsonFlag = False,
) -> None:
    """Make a key and print it once; only its hash is kept."""
    from core import keys

    try:
        wanted = keys.Role(role)
    except ValueError as error:
        raise TutorqError(f"role {role!r} is not one of {', '.join(keys.Role)}") from error
    _, database = open_platform()
    with database.connect() as connection:
        key = keys.create(connection, name, wanted)
    if as_json:
        print_json({"name": key.name, "role": key.role, "secret": key.secret})
    else:
        out.print(f"{key.secret}", highlight=False)
        err.print("Keep it: it is not shown again.", highlight=False)


@app.command("list")
@tells_errors
def list_keys(as_json: JsonFlag = False) -> None:
    """List the keys, without their secrets."""
    from core import keys

    _, database = open_platform()
    with database.connect() as connection:
        rows = keys.list_keys(connection)
    if as_json:
        print_json(
            [
                {"name": key.name, "role": key.role, "prefix": key.prefix, "created_at": key.created_at,
                 "last_used_at": key.last_used_at, "revoked_at": key.revoked_at}
                for key in rows
            ]
        )  # fmt: skip
        return
    table = plain_table("name", "role", "begins with", "made", "last used", "revoked")
    for key in rows:
        moments = [f"{moment:%Y-%m-%d %H:%M}" if moment else "" for moment in
                   (key.created_at, key.last_used_at, key.revoked_at)]  # fmt: skip
        table.add_row(key.name, key.role, f"tq_{key.prefix}", *moments)
    out.print(table)


@app.command("revoke")
@tells_errors
def revoke(name: Annotated[str, typer.Argument(help="Name of the key.")]) -> None:
    """Revoke a key; the API refuses it within seconds."""
    from core import keys

    _, database = open_platform()
    with database.connect() as connection:
        keys.revoke(connection, name)
    out.print(f"The key {name} is revoked.")
