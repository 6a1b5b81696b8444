"""`tutorq mcp`: what assistants read, by the Model Context Protocol."""

from typing import Annotated

import typer

from cli.terminal import tells_errors
from core.errors import TutorqError
from core.settings import Settings

app = typer.Typer()

LOOPBACK = "127.0.0.1"


@app.command()
@tells_errors
def mcp(
    http: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=1, max=65535,
            help="Port on 127.0.0.1, for clients that send their own key. Default: standard input.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Serve scores, flags and cases to an MCP client, such as an AI assistant, with names masked."""
    settings = Settings()
    try:
        from mcp_server.masks import Masks
        from mcp_server.reader import Reader
        from mcp_server.tools import make_server
    except ModuleNotFoundError as error:
        if error.name != "mcp":
            raise
        raise TutorqError("`tutorq mcp` needs the extra `mcp`: install tutorq[mcp]") from None
    key = settings.mcp_key.get_secret_value() if settings.mcp_key and http is None else None
    if key is None and http is None:
        raise TutorqError(
            "TUTORQ_MCP_KEY is not set; create a key with: tutorq keys create --name assistant --role read"
        )
    reader = Reader(settings.api, key, settings.mcp_calls_per_minute)
    # The API serves the dashboard, too.
    dashboard = (settings.dashboard_url or settings.api).rstrip("/")
    server = make_server(reader, Masks(tutor_names=settings.mcp_names), dashboard)
    if http is None:
        server.run()
    else:
        server.run("streamable-http", host=LOOPBACK, port=http)
