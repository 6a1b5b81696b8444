"""Whom clients of other servers trust."""

import ssl
from functools import cache

import httpx2


@cache
def trusted() -> ssl.SSLContext:
    """The system's authorities, or those that SSL_CERT_FILE or SSL_CERT_DIR names, as httpx2 takes them by default.

    Reading them takes 30 ms, so a process does it once: other ones need a restart.
    """
    return httpx2.create_ssl_context()
