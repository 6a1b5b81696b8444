"""`tutorq keys`: which programs may use the API."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.moments import duration
from cli.terminal import JsonFlag, err, open_platform, out, plain_table, print_json, tells_errors
from core.errors import TutorqError

if TYPE_CHECKING:
    from core.keys import Key

OVERLAP = "7d"

app = typer.Typer(help="Keys of the API.", no_args_is_help=True)

Lasts = Annotated[
    str | None, typer.Option("--expires", metavar="TIME", help="How long it lasts, such as 90d; by default for ever.")
]


@app.command("create")
@tells_errors
def create(
    name: Annotated[str, typer.Option(metavar="TEXT", help="What the key is for.")],
    role: Annotated[str, typer.Option(metavar="ROLE", help="read, ingest or admin")] = "read",
    expires: Lasts = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a key and print it once; only its hash is kept."""
    from core import keys
    from core.roles import KEY_ROLES, Role

    if role not in KEY_ROLES:
        raise TutorqError(f"role {role!r} is not one of {', '.join(KEY_ROLES)}")
    lasts = _lasts(expires)
    _, database = open_platform()
    with database.connect() as connection:
        key = keys.create(connection, name, Role(role), lasts=lasts)
    if as_json:
        print_json({"name": key.name, "role": key.role, "expires_at": key.expires_at, "secret": key.secret})
    else:
        out.print(key.secret, soft_wrap=True, highlight=False, markup=False)
        err.print(f"Role {key.role}, {_until(key)}. Keep it: it is not shown again.", soft_wrap=True, highlight=False)


@app.command("rotate")
@tells_errors
def rotate(
    name: Annotated[str, typer.Argument(help="Name of the key.")],
    overlap: Annotated[
        str, typer.Option(metavar="TIME", help="How long the old key works on, such as 12h; 0 ends it at once.")
    ] = OVERLAP,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="How long the new key lasts; by default as long as the old one was made for."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a new key in place of one, and print it once; the old one works on for a while.

    The file of the local key follows.
    """
    from core import keys

    lasts, overlapping = _lasts(expires), duration("--overlap", overlap)
    settings, database = open_platform()
    with database.connect() as connection:
        old, new = keys.rotate(connection, name, overlap=overlapping, lasts=lasts)
        path = settings.api_key_file
        is_local = path.exists() and keys.prefix_of(path.read_text().strip()) == old.prefix
        if is_local:
            keys.write_private(path, new.secret or "")
    if as_json:
        print_json(
            {"name": new.name, "role": new.role, "expires_at": new.expires_at, "secret": new.secret,
             "old_ends_at": old.expires_at}
        )  # fmt: skip
        return
    out.print(new.secret, soft_wrap=True, highlight=False, markup=False)
    err.print(
        f"Role {new.role}, {_until(new)}. Keep it: it is not shown again. "
        f"The old key (tq_{old.prefix}) ends on {_minute(old.expires_at)}.",
        soft_wrap=True, highlight=False,
    )  # fmt: skip
    if is_local:
        err.print(f"{path} has the new key.", soft_wrap=True, highlight=False)


@app.command("list")
@tells_errors
def list_keys(as_json: JsonFlag = False) -> None:
    """List the keys, without their secrets."""
    from core import keys

    _, database = open_platform()
    with database.connect() as connection:
        rows = keys.list_keys(connection)
    if as_json:
        print_json([_without_secret(key) for key in rows])
        return
    table = plain_table("name", "role", "begins with", "state", "made", "ends", "last used")
    for key in rows:
        ends = key.revoked_at or key.expires_at
        moments = [_minute(moment) for moment in (key.created_at, ends, key.last_used_at)]
        table.add_row(key.name, key.role, f"tq_{key.prefix}", key.state, *moments)
    out.print(table)


@app.command("revoke")
@tells_errors
def revoke(
    name: Annotated[
        str, typer.Argument(help="Name of the key; or how it begins (tq_…), to leave another one of that name alone.")
    ],
) -> None:
    """End a key now; the API refuses it within seconds."""
    from core import keys

    _, database = open_platform()
    with database.connect() as connection:
        ended = keys.revoke(connection, name)
    for key in ended:
        out.print(f"The key {key.name} (tq_{key.prefix}) is revoked.", highlight=False, markup=False)


@app.command("rotate-encryption")
@tells_errors
def rotate_encryption(as_json: JsonFlag = False) -> None:
    """Encrypt secrets and texts in the database with the newest key, in small batches, while everything runs on.

    With TUTORQ_SECRETS_KEY, put the new key in front of the old one first, for every process. Without it, the key is a
    file in the home: a new one is made and put in front.
    """
    from core import audit
    from core.sealing import add_key, rotate, sealer

    settings, database = open_platform()
    sealer(settings)  # refuses to go on without a key
    if not settings.secrets_keys:
        add_key(settings.secrets_key_file)
    with database.connect(autocommit=True) as connection:
        done = rotate(connection, sealer(settings))
        details = {"renewed": done.renewed, "unreadable": done.unreadable}
        entry = audit.Entry(audit.operator(), audit.Action.SECRETS_ROTATE, "secrets", "database", details)
        audit.record(connection, entry)
    if as_json:
        print_json(details)
    else:
        out.print(f"{done.renewed:,} values are encrypted with the newest key.", highlight=False)
    if done.unreadable:
        raise TutorqError(
            f"{done.unreadable:,} values are encrypted with a key that TUTORQ_SECRETS_KEY does not hold: put that key "
            "behind the newest one and run this again, or renew the secrets of the webhooks; such texts stay unreadable"
        )
    if settings.secrets_keys[1:]:
        err.print("No value needs the older keys of TUTORQ_SECRETS_KEY any more, once every process has the newest.")


def _lasts(text: str | None) -> timedelta | None:
    return None if text is None else duration("--expires", text)


def _until(key: "Key") -> str:
    return f"until {_minute(key.expires_at)}" if key.expires_at else "without an end"


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _without_secret(key: "Key") -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name not in ("secret", "key_id")}
