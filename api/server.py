"""uvicorn as the API runs on it: the process, and the tests."""

import resource
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.connections import Limits, guarded_protocol
from core.settings import Settings

SHUTDOWN_SECONDS = 10
# Database connections, logs and libraries: measured 60.
OTHER_FILES = 256


def server_config(app: FastAPI, settings: Settings, limits: Limits | None = None, **options: Any) -> uvicorn.Config:
    """How the API is served. `options` are uvicorn's, and come before ours."""
    ours: dict[str, Any] = {
        "host": settings.api_host,
        "port": settings.api_port,
        "loop": "uvloop",
        "http": guarded_protocol(limits),
        "limit_concurrency": room_for(settings.api_connections),
        "timeout_keep_alive": settings.keep_alive_seconds,
        "access_log": False,
        # The application looks at them itself (proxies.py).
        "proxy_headers": False,
        "ws": "none",
        "server_header": False,
        "timeout_graceful_shutdown": SHUTDOWN_SECONDS,
    }
    return uvicorn.Config(app, **{**ours, **options})


def room_for(connections: int) -> int:
    """How many connections the process may have open, at most so many; raises its limit of open files if need be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        connections = min(connections, max(1, soft - OTHER_FILES))
    return connections
