"""`tutorq reports`: look at mail, and send what is due."""

from pathlib import Path
from typing import Annotated

import typer

from cli.terminal import JsonFlag, err, open_platform, out, print_json, tells_errors
from core.database import DatabaseRole
from core.errors import TutorqError
from reports.kinds import PREVIEWED

app = typer.Typer(help="Report mail: look at it, and send what is due.", no_args_is_help=True)


@app.command("preview")
@tells_errors
def preview(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(PREVIEWED)}.")],
    tutor: Annotated[str | None, typer.Option(metavar="ID", help="The tutor it is about.")] = None,
    session: Annotated[str | None, typer.Option(metavar="ID", help="The session it is about.")] = None,
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.html", help="Where to write it; KIND.html by default.")
    ] = None,
) -> None:
    """Write a mail as it would look now, due or not, as .html. Nothing is queued, sent or opened."""
    from reports.preview import preview

    settings, database = open_platform(DatabaseRole.TRANSFORM)
    mail = preview(settings, database, kind, tutor=tutor, session=session)
    path = file or Path(f"{kind}.html")
    try:
        path.write_text(mail.html)
    except OSError as error:
        raise TutorqError(f"cannot write {path}: {error.strerror}") from error
    out.print(f"{path}: {mail.subject}", soft_wrap=True, highlight=False, markup=False)


@app.command("send")
@tells_errors
def send(
    failed: Annotated[
        bool, typer.Option("--failed", help="Also what was refused, given up or sent back before; it has not arrived.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Queue what is due, and send what is queued: mail, chat and webhooks (what Dagster does by itself under
    `tutorq up`)."""
    from reports import conditions, outbox, watch
    from reports.due import queue_due
    from reports.providers import provider_from
    from reports.sending import send_everything

    settings, database = open_platform(DatabaseRole.TRANSFORM)
    provider_from(settings)  # a setting that is missing is told before anything is queued
    queued = queue_due(settings, database).to_dict()
    queued["alert"] = conditions.observe(settings, database, watch.silence(settings, database))
    again = outbox.requeue_failed(database) if failed else 0
    with err.status("Sending …"):
        sent = send_everything(settings, database, seconds=3600)
    if sent.mail.busy:
        raise TutorqError("another sender is at work; it sends what is due")
    queued |= {f"{channel}_events": count for channel, count in sent.queued.to_dict().items()}
    if as_json:
        print_json({"queued": {**queued, "failed_before": again}, **sent.to_dict()})
        return
    out.print(f"Queued {sum(queued.values()) + again:,} messages.")
    for channel, done in (("mail", sent.mail), ("chat", sent.chat), ("webhooks", sent.webhook)):
        counts = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in done.to_dict().items())
        if channel == "mail" or any(done.to_dict().values()):
            out.print(f"{channel}: {counts}")
