"""The committed description of the API: `python -m api.openapi` writes it, `--check` fails if it is out of date."""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from api.problems import MEDIA_TYPE

PATH = Path(__file__).parent / "openapi.json"


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """Correct what FastAPI assumes: errors are problems, and a request that is not valid is a 400."""
    schemas = schema["components"]["schemas"]
    for path in schema["paths"].values():
        for operation in path.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schemas.update(content["schema"].pop("$defs", {}))
            unprocessable = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
            if unprocessable.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
                del operation["responses"]["422"]
            for response in operation["responses"].values():
                # Of the type that the route answers with when all is well.
                for content in list(response.get("content", {}).values()):
                    if content.get("schema", {}).get("$ref", "").endswith("/Problem"):
                        response["content"] = {MEDIA_TYPE: content}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schema["components"]["schemas"] = dict(sorted(schemas.items()))
    return schema


def body_of(
    model: type[BaseModel], *media_types: str, many: str | None = None, or_else: str | None = None
) -> dict[str, Any]:
    """`openapi_extra=` of a route that reads its body itself; with `many`, an array of the model in that type, which
    may hold anything else, too, if `or_else` says what becomes of it."""
    definitions = model.model_json_schema(ref_template="#/components/schemas/{model}")
    inner = definitions.pop("$defs", {})
    one: dict[str, Any] = {"$ref": f"#/components/schemas/{model.__name__}"}
    schemas: dict[str, dict[str, Any]] = {name: dict(one) for name in media_types}
    if many is not None:
        items: dict[str, Any] = one if or_else is None else {"anyOf": [one, {"description": or_else}]}
        schemas[many] = {"type": "array", "items": items}
    next(iter(schemas.values()))["$defs"] = {**inner, model.__name__: definitions}
    return {"requestBody": {"required": True, "content": {name: {"schema": each} for name, each in schemas.items()}}}


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
