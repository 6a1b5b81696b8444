"""The least that the API's server can do: uvicorn as the API runs on it, and an application that knows its answers.

`python -m benchmarks.read_bare PORT` asks nobody; `?bytes=N` is answered with so many, and If-None-Match with 304.
"""

import sys
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from api.server import server_config
from core.settings import Settings

HEADERS = [(b"content-type", b"application/json"), (b"etag", b'W/"1"')]


async def app(scope: Scope, _: Receive, send: Send) -> None:
    """Answers to GET, and nothing else."""
    if scope["type"] != "http":
        return
    if any(name == b"if-none-match" for name, _ in scope["headers"]):
        await send({"type": "http.response.start", "status": 304, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b""})
        return
    body = b"x" * int(scope["query_string"].removeprefix(b"bytes="))
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, length]})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    bare: Any = app
    settings = Settings.model_construct(api_port=int(sys.argv[1]))
    uvicorn.Server(server_config(bare, settings, lifespan="off", log_level="warning")).run()
