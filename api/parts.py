"""What the application makes once, at its start, and endpoints get by its class."""

from typing import Any, TypeVar

from fastapi import Depends
from starlette.requests import Request

Part = TypeVar("Part")


def parts(*made: object) -> dict[str, object]:
    """The state that the lifespan yields: each under the name of its class."""
    return {type(one).__name__: one for one in made}


def part(request: Request, kind: type[Part]) -> Part:
    """The one of this class."""
    found = getattr(request.state, kind.__name__)
    assert isinstance(found, kind)
    return found


def needs(kind: type[Part]) -> Any:
    """The same as a dependency: `Annotated[Marts, needs(Marts)]`."""

    async def find(request: Request) -> Part:
        return part(request, kind)

    return Depends(find)
