"""The committed description of the API, written by `make generate`."""

import json
from pathlib import Path

from api.app import create_app
from core.settings import Settings

PATH = Path(__file__).parent / "openapi.json"


def render() -> str:
    """The description as it is committed."""
    # A space is enough to tell the levels apart, and a fifth of the file less than two.
    return json.dumps(create_app(Settings()).openapi(), indent=1, ensure_ascii=False) + "\n"
