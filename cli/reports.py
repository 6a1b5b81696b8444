"""`tutorq reports`: preview mail, and send what is due."""

from pathlib import Path
from typing import Annotated

import typer

from cli.terminal import JsonFlag, err, open_platform, out, print_json, tells_errors
from core.database import DatabaseRole
from core.errors import TutorqError
from core.words import plural
from reports.kinds import PREVIEWED

app = typer.Typer(help="Preview and send mail, chat messages and webhooks.", no_args_is_help=True)


@app.command("preview")
@tells_errors
def preview(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(PREVIEWED)}.")],
    tutor: Annotated[str | None, typer.Option(metavar="ID", help="Tutor that the mail is about.")] = None,
    session: Annotated[str | None, typer.Option(metavar="ID", help="Session that the mail is about.")] = None,
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.html", help="File to write. Default: KIND.html.")
    ] = None,
) -> None:
    """Write a preview of a mail to an HTML file. Nothing is queued or sent."""
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
        bool,
        typer.Option(
            "--failed", help="Also send again mail that a provider refused or returned, or that tutorq gave up on."
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Queue due messages and send all queued mail, chat messages and webhooks. Under `tutorq up`, Dagster does this."""
    from reports import conditions, outbox, watch
    from reports.due import queue_due
    from reports.providers import provider_from
    from reports.sending import send_everything

    settings, database = open_platform(DatabaseRole.TRANSFORM)
    provider_from(settings)  # reports a missing setting before it queues anything
    queued = queue_due(settings, database).to_dict()
    queued["alert"] = conditions.observe(settings, database, watch.silence(settings, database))
    again = outbox.requeue_failed(database) if failed else 0
    with err.status("Sending …"):
        sent = send_everything(settings, database, seconds=3600)
    if sent.mail.busy:
        raise TutorqError("another process is already sending, and sends these messages, too")
    queued |= {f"{channel}_events": count for channel, count in sent.queued.to_dict().items()}
    if as_json:
        print_json({"queued": {**queued, "failed_before": again}, **sent.to_dict()})
        return
    out.print(f"Queued {plural(sum(queued.values()) + again, 'message')}.")
    for channel, done in (("mail", sent.mail), ("chat", sent.chat), ("webhooks", sent.webhook)):
        counts = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in done.to_dict().items())
        if channel == "mail" or any(done.to_dict().values()):
            out.print(f"{channel}: {counts}")
