"""`python -m orchestration.code_location`: Dagster's code location server, whose runs start from a warm process.

Dagster starts a new Python for every run, and imports make that take 4 s and more on two cores, as long as a small run
itself takes. Here runs are forked from a process that has imported everything beforehand and done nothing else.
Takes the options of `dagster api grpc`.
"""

import multiprocessing
from multiprocessing.forkserver import ensure_running
from typing import Any

from dagster._cli.api import grpc_command
from dagster._grpc import server

WARM = "orchestration.warm"


class WarmServer(server.DagsterApiServer):
    """The server as it is, but for how it starts the processes of runs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        forkserver = multiprocessing.get_context("forkserver")
        forkserver.set_forkserver_preload([WARM])
        ensure_running()  # now, so that even the first run finds it warm
        self._mp_ctx = forkserver  # type: ignore[assignment]


def main() -> None:
    server.DagsterApiServer = WarmServer  # type: ignore[misc]
    grpc_command()


if __name__ == "__main__":
    main()
