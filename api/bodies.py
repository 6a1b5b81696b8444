"""Bodies of requests: their type, their size while they are read, and their JSON."""

import asyncio
from collections.abc import Collection
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect

from api.problems import BodyTooLargeError, FieldError, InvalidRequestError, UnsupportedMediaTypeError

JSON = "application/json"
NDJSON = "application/x-ndjson"
# Slower clients would hold memory and a place in the line.
READ_SECONDS = 30

Model = TypeVar("Model", bound=BaseModel)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# JSON has one kind of number: 4.0 is a whole one. Stands behind the limits of a field, which else are not described.
WHOLE = BeforeValidator(_whole)


class Body(BaseModel, extra="forbid", strict=True):
    """What is sent, as it is described: a text is no number, and a field that is not known is a mistake."""


def media_type(request: Request, accepted: Collection[str]) -> str:
    """The type of the body.

    Raises:
        UnsupportedMediaTypeError: it is none of these, or compressed.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in accepted:
        raise UnsupportedMediaTypeError(f"Send {' or '.join(accepted)}, and say so in Content-Type.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaTypeError("Send the body uncompressed.")
    return given


async def read(request: Request, most_bytes: int) -> bytes:
    """The body; never more of it is kept than `most_bytes`, whatever its Content-Length says or leaves out.

    Raises:
        BodyTooLargeError: it is longer.
        InvalidRequestError: it ended early, or took too long.
    """
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > most_bytes:
        raise _too_large(most_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most_bytes:
                    raise _too_large(most_bytes)
                chunks.append(chunk)
    except ClientDisconnect as error:
        raise InvalidRequestError("The body ended early.") from error
    except TimeoutError as error:
        raise InvalidRequestError(f"The body took longer than {READ_SECONDS} seconds.", headers=_HANG_UP) from error
    return b"".join(chunks)


def parse_json(data: bytes) -> object:
    """
    Raises:
        InvalidRequestError: it is not JSON.
    """
    try:
        value: object = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequestError(
            "The body is not JSON.", errors=[FieldError(field="body", message=f"is not JSON: {error}")]
        ) from error
    return value


async def read_model(request: Request, model: type[Model], most_bytes: int) -> Model:
    """The body as this model.

    Raises:
        InvalidRequestError: it is not.
        BodyTooLargeError, UnsupportedMediaTypeError: as above.
    """
    media_type(request, (JSON,))
    data = await read(request, most_bytes)
    try:
        return model.model_validate(parse_json(data))
    except ValidationError as error:
        raise invalid(errors_of(error)) from error


def errors_of(error: ValidationError) -> list[FieldError]:
    """What is wrong, by path into the body."""
    return [FieldError(field=".".join(map(str, item["loc"])) or "body", message=item["msg"]) for item in error.errors()]


def invalid(errors: list[FieldError]) -> InvalidRequestError:
    """The error that names these fields."""
    names = ", ".join(dict.fromkeys(error.field for error in errors))
    return InvalidRequestError(f"Not valid: {names}.", errors=errors)


# What is left of the body would have to be read before the next request on the connection.
_HANG_UP = {"Connection": "close"}


def _too_large(most_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"At most {most_bytes:,} bytes are taken.", headers=_HANG_UP)
