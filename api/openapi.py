"""The committed description of the API: `python -m api.openapi` writes it, `--check` fails if it is out of date."""

import json
import sys
from pathlib import Path
from typing import Any

from api.problems import MEDIA_TYPE

PATH = Path(__file__).parent / "openapi.json"


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """Correct what FastAPI assumes: errors are problems, and a request that is not valid is a 400."""
    for path in schema["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            for response in operation["responses"].values():
                content = response.get("content", {}).get("application/json", {})
                if content.get("schema", {}).get("$ref", "").endswith("/Problem"):
                    response["content"] = {MEDIA_TYPE: content}
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)
    return schema


def render() -> str:
    """The description as it is committed."""
    from api.app import create_app
    from core.settings import Settings

    app = create_app(Settings())
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


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
