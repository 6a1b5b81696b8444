"""`python -m orchestration.webserver`: Dagster's web server behind the guard. Takes the options of `dagster-webserver`.

With `--read-only` it shows everything and changes nothing: a second one for people who should only look.
"""

import os
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from core.processes import prepare_dagster
from core.settings import Settings
from orchestration.dagster_internals import serve_webserver
from orchestration.guard import Guard
from orchestration.workspace import WAIT_FOR_PORT

LOOK_EVERY_SECONDS = 0.1


def guarded(settings: Settings) -> Callable[[ASGIApp, bool], ASGIApp]:
    """How an application is guarded in this installation; the second argument: it is read-only."""

    def guard(app: ASGIApp, read_only: bool) -> ASGIApp:
        address = urlsplit(settings.dagster).hostname or ""
        hosts = [f"[{address}]" if ":" in address else address, *settings.dagster_hosts]
        log_in = None
        if settings.dagster_log_in:
            from orchestration.log_in import ApiLogIn

            log_in = ApiLogIn(settings, read_only=read_only)
        return Guard(app, hosts, log_in)

    return guard


def wait_for_code_location() -> None:
    """Dagster looks for the code location once, at its start. Whoever starts both gives up by itself."""
    while port := os.environ.get(WAIT_FOR_PORT):
        try:
            socket.create_connection(("127.0.0.1", int(port)), timeout=1).close()
        except OSError:
            time.sleep(LOOK_EVERY_SECONDS)
        else:
            return


def main() -> None:
    settings = prepare_dagster()
    import dagster_webserver.webserver  # noqa: F401  # for seconds, while the code location does the same

    wait_for_code_location()
    serve_webserver(guarded(settings))


if __name__ == "__main__":
    main()
