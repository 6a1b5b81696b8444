"""The API's description as a page to read: made from the OpenAPI document here, without scripts and without a CDN."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

TEMPLATE = "reference.html.j2"
STYLE = (Path(__file__).parent / "reference.css").read_text()
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
}


def render(openapi: dict[str, Any]) -> str:
    """Every operation with its parameters and answers, and every schema with its fields."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["type_of"] = type_of
    return environment.get_template(TEMPLATE).render(
        title=openapi["info"]["title"],
        description=openapi["info"]["description"],
        version=openapi["info"]["version"],
        tags=by_tag(openapi["paths"]),
        schemes=openapi["components"]["securitySchemes"],
        schemas=openapi["components"]["schemas"],
        style=STYLE,
    )


def by_tag(paths: dict[str, Any]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    """Operations as (method, path, operation), in the order of the document, by their first tag."""
    tags: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            tags.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    return tags


def type_of(schema: dict[str, Any]) -> Markup:
    """A schema in a few words: `integer or null`, `array of TutorScore`; other schemas are links."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return Markup(" or ").join(type_of(each) for each in schema[choice])
    if schema.get("type") == "array":
        return Markup("array of {}").format(type_of(schema.get("items", {})))
    if "enum" in schema:
        return Markup(" | ").join(Markup("<code>{}</code>").format(value) for value in schema["enum"])
    if "const" in schema:
        return Markup("<code>{}</code>").format(schema["const"])
    kind = schema.get("type", "anything")
    return Markup("{} ({})").format(kind, schema["format"]) if "format" in schema else Markup("{}").format(kind)
