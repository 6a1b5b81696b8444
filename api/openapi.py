"""The committed description of the API: `python -m api.openapi` writes it, `--check` fails if it is out of date."""

import json
import sys
from pathlib import Path

from api.app import create_app
from core.settings import Settings

PATH = Path(__file__).parent / "openapi.json"


def render() -> str:
    """The description as it is committed."""
    return json.dumps(create_app(Settings()).openapi(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Exit code: 0, or 1 if the check found a difference, or 2 for arguments that make no sense."""
    if arguments == ["--check"]:
        if PATH.exists() and PATH.read_text() == render():
            return 0
        print(f"{PATH} is out of date: run `python -m api.openapi`", file=sys.stderr)
        return 1
    if arguments:
        print("usage: python -m api.openapi [--check]", file=sys.stderr)
        return 2
    PATH.write_text(render())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
