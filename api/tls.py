"""Whom clients of other servers trust."""

import ssl
from functools import cache

import httpx2


@cache
def trusted() -> ssl.SSLContext:
    """The system's authorities, as httpx2 takes them by default. Reading them takes 30 ms, so it is done once."""
    return httpx2.create_ssl_context()
