"""What FastAPI cannot know of the API's description: bodies that are read by the endpoints themselves, and errors."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from api.idempotency import PARAMETER
from api.problems import MEDIA_TYPE
from api.routing import Deprecation

IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`ETag` of an earlier answer of this address: as long as nothing has changed, the answer is 304.",
}
ETAG = {"ETag": {"description": "Version of the answer, for `If-None-Match`.", "schema": {"type": "string"}}}


def describe(schema: dict[str, Any]) -> dict[str, Any]:
    """Correct what FastAPI assumes: errors are problems, and a request that is not valid is a 400."""
    schemas = schema["components"]["schemas"]
    for path in schema["paths"].values():
        for method, operation in path.items():
            if method == "post" and operation.get("security"):
                operation.setdefault("parameters", []).append(PARAMETER)
                for status in (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY):
                    known = operation["responses"].get(str(status.value), {})
                    if "Problem" not in str(known):
                        operation["responses"][str(status.value)] = _problem(status)
            if "304" in operation["responses"]:
                operation.setdefault("parameters", []).append(IF_NONE_MATCH)
                for code in ("200", "304"):
                    operation["responses"][code].setdefault("headers", {}).update(ETAG)
            if (deprecation := Deprecation.of(operation)) is not None:
                end = f"Deprecated: use `{deprecation.instead}`. It may be gone from {deprecation.sunset} on."
                operation["description"] = f"{operation['description']}\n\n{end}"
            if operation.get("security"):
                # Keys that do not work are limited, whatever they are sent to.
                operation["responses"].setdefault("429", _problem(HTTPStatus.TOO_MANY_REQUESTS))
            for content in operation.get("requestBody", {}).get("content", {}).values():
                schemas.update(content["schema"].pop("$defs", {}))
            unprocessable = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
            if unprocessable.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
                del operation["responses"]["422"]
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    schemas.update(content.get("schema", {}).pop("$defs", {}))
                # Of the type that the route answers with when all is well.
                for content in list(response.get("content", {}).values()):
                    if _is_problem(content.get("schema", {})):
                        response["content"] = {MEDIA_TYPE: content}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in schemas.values():
        for field in model.get("properties", {}).values():
            # Of answers: true if it is there. A default would say that it is true if it is not.
            if field.get("const") is True:
                field.pop("default", None)
    schema["components"]["schemas"] = dict(sorted(schemas.items()))
    return schema


def _is_problem(schema: dict[str, Any]) -> bool:
    """Also if it is one of several kinds."""
    return any(one.get("$ref", "").endswith("/Problem") for one in (schema, *schema.get("anyOf", [])))


def _problem(status: HTTPStatus) -> dict[str, Any]:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {"description": status.phrase, "content": {MEDIA_TYPE: problem}}


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
