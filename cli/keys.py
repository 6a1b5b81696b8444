"""`tutorq keys`: which programs may use the API."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.moments import duration
from cli.terminal import JsonFlag, err, open_platform, out, plain_table, print_json, print_table, tells_errors
from core.errors import TutorqError
from core.words import plural

if TYPE_CHECKING:
    from core.keys import Key

OVERLAP = "7d"
FOLDED = ("name", "made", "ends", "last used")

app = typer.Typer(help="Manage API keys.", no_args_is_help=True)

Lasts = Annotated[
    str | None, typer.Option("--expires", metavar="TIME", help="Lifetime of the key, such as 90d. Default: unlimited.")
]


@app.command("create")
@tells_errors
def create(
    name: Annotated[str, typer.Option(metavar="TEXT", help="Name of the key: what it is for.")],
    role: Annotated[str, typer.Option(metavar="ROLE", help="read, ingest or admin")] = "read",
    expires: Lasts = None,
    as_json: JsonFlag = False,
) -> None:
    """Create an API key and print it once. tutorq stores only its hash."""
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
        err.print(
            f"Role {key.role}, {_until(key)}. Save the key now: tutorq does not show it again.",
            soft_wrap=True,
            highlight=False,
        )


@app.command("rotate")
@tells_errors
def rotate(
    name: Annotated[str, typer.Argument(help="Name of the key.")],
    overlap: Annotated[
        str, typer.Option(metavar="TIME", help="How long the old key keeps working, such as 12h; 0 revokes it now.")
    ] = OVERLAP,
    expires: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Lifetime of the new key. Default: that of the old key."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Replace a key and print the new one once. The old key keeps working for a while.

    For the local key, tutorq also updates its file.
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
        f"Role {new.role}, {_until(new)}. Save the key now: tutorq does not show it again. "
        f"The old key (tq_{old.prefix}) ends on {_minute(old.expires_at)}.",
        soft_wrap=True, highlight=False,
    )  # fmt: skip
    if is_local:
        err.print(f"{path} has the new key.", soft_wrap=True, highlight=False)


@app.command("list")
@tells_errors
def list_keys(as_json: JsonFlag = False) -> None:
    """List the API keys without their secrets."""
    from core import keys

    _, database = open_platform()
    with database.connect() as connection:
        rows = keys.list_keys(connection)
    if as_json:
        print_json([_without_secret(key) for key in rows])
        return
    table = plain_table("name", "role", "begins with", "state", "made", "ends", "last used", folded=FOLDED)
    for key in rows:
        ends = key.revoked_at or key.expires_at
        moments = [_minute(moment) for moment in (key.created_at, ends, key.last_used_at)]
        table.add_row(key.name, key.role, f"tq_{key.prefix}", key.state, *moments)
    print_table(table)


@app.command("revoke")
@tells_errors
def revoke(
    name: Annotated[
        str, typer.Argument(help="Name of the key, or its prefix (tq_…) to revoke one of several keys with this name.")
    ],
) -> None:
    """Revoke a key. The API refuses it within seconds."""
    from core import keys

    _, database = open_platform()
    with database.connect() as connection:
        ended = keys.revoke(connection, name)
    for key in ended:
        out.print(f"The key {key.name} (tq_{key.prefix}) is revoked.", highlight=False, markup=False)


@app.command("rotate-encryption")
@tells_errors
def rotate_encryption(as_json: JsonFlag = False) -> None:
    """Re-encrypt secrets and texts in the database with the newest key, in small batches and without downtime.

    If you set TUTORQ_SECRETS_KEY, first put the new key before the old one, for every process. Otherwise the key is a
    file in the home, and tutorq adds a new key to that file.
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
        out.print(f"Encrypted {plural(done.renewed, 'value')} with the newest key.", highlight=False)
    if done.unreadable:
        raise TutorqError(
            f"{plural(done.unreadable, 'value')} cannot be decrypted: TUTORQ_SECRETS_KEY lacks the key. Append "
            "that key and run the command again, or renew the webhook secrets; texts stay unreadable without the key"
        )
    if settings.secrets_keys[1:]:
        err.print("Once every process has the newest key, you can remove the older keys from TUTORQ_SECRETS_KEY.")


def _lasts(text: str | None) -> timedelta | None:
    return None if text is None else duration("--expires", text)


def _until(key: "Key") -> str:
    return f"until {_minute(key.expires_at)}" if key.expires_at else "without an end"


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _without_secret(key: "Key") -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name not in ("secret", "key_id")}
