"""Requests to services: again after 429 and 5xx, after as long as `Retry-After` says."""

from typing import Any

from dlt.sources.helpers.requests import Client
from dlt.sources.helpers.rest_client import RESTClient
from requests.auth import AuthBase

ATTEMPTS = 6
LONGEST_PAUSE_SECONDS = 300
TIMEOUT_SECONDS = 60


def session(headers: dict[str, str] | None = None, *, raises: bool = True) -> Any:
    """What asks, and raises `requests.HTTPError` (`raises`) when it was told to stop asking."""
    client = Client(
        request_timeout=TIMEOUT_SECONDS,
        raise_for_status=raises,
        request_max_attempts=ATTEMPTS,
        request_max_retry_delay=LONGEST_PAUSE_SECONDS,
        session_attrs={"headers": {"User-Agent": "tutorq", **(headers or {})}},
    )
    return client.session


def rest(url: str, headers: dict[str, str], auth: AuthBase | None = None) -> RESTClient:
    """A client of an API, for its pages; it raises `requests.HTTPError` by itself."""
    return RESTClient(base_url=url, headers=headers, auth=auth, session=session(raises=False))
