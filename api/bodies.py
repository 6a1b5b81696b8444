"""Bodies of requests: their type, their size while they are read, and their JSON."""

import asyncio
import zlib
from collections.abc import Collection, Iterator
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect

from api.problems import BodyTooLargeError, FieldError, InvalidRequestError, UnsupportedMediaTypeError

JSON = "application/json"
NDJSON = "application/x-ndjson"
# Some editors and spreadsheets write it before a text in UTF-8.
BOM = b"\xef\xbb\xbf"
# Slower clients would hold memory and a place in the line.
READ_SECONDS = 30

Model = TypeVar("Model", bound=BaseModel)


def whole(value: object) -> object:
    """A whole number as an integer, whatever its point; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# JSON has one kind of number: 4.0 is a whole one. Stands behind the limits of a field, which else are not described.
WHOLE = BeforeValidator(whole)


class Body(BaseModel, extra="forbid", strict=True):
    """What is sent, as it is described: a text is no number, and a field that is not known is a mistake."""


def media_type(request: Request, accepted: Collection[str]) -> str:
    """The type of the body.

    Raises:
        UnsupportedMediaTypeError: it is none of these.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in accepted:
        raise UnsupportedMediaTypeError(f"Send {' or '.join(accepted)}, and say so in Content-Type.")
    return given


async def read(request: Request, most_bytes: int) -> bytes:
    """The body, unpacked if it came by gzip; never more of it is kept than `most_bytes`, whatever its Content-Length
    says or leaves out.

    Raises:
        BodyTooLargeError: it is longer, packed or unpacked.
        UnsupportedMediaTypeError: it is packed in another way.
        InvalidRequestError: it ended early, took too long, or is not gzip.
    """
    unpack = _unpacker(request)
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > most_bytes:
        raise _too_large(most_bytes)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                for part in unpack.parts(chunk, most_bytes - size) if unpack else (chunk,):
                    size += len(part)
                    if size > most_bytes:
                        raise _too_large(most_bytes)
                    chunks.append(part)
    except ClientDisconnect as error:
        raise InvalidRequestError("The body ended early.") from error
    except TimeoutError as error:
        raise InvalidRequestError(f"The body took longer than {READ_SECONDS} seconds.", headers=_HANG_UP) from error
    if unpack:
        unpack.end()
    return b"".join(chunks)


def _unpacker(request: Request) -> "_Gzip | None":
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return None
    if encoding not in ("gzip", "x-gzip"):
        headers = {"Accept-Encoding": "gzip", **_HANG_UP}
        raise UnsupportedMediaTypeError("Send the body uncompressed, or by gzip.", headers=headers)
    return _Gzip()


class _Gzip:
    """Unpacks the members of a gzip stream, never more at a time than is asked for."""

    def __init__(self) -> None:
        self._member = _new_member()
        self._is_empty = True

    def parts(self, packed: bytes, most_bytes: int) -> Iterator[bytes]:
        """What comes out of these bytes: at most a byte more than `most_bytes`.

        Raises:
            InvalidRequestError: it is not gzip.
        """
        left = most_bytes + 1
        while packed and left > 0:
            if self._member.eof:
                self._member = _new_member()
            try:
                part = self._member.decompress(packed, left)
            except zlib.error as error:
                raise _not_gzip() from error
            self._is_empty = False
            left -= len(part)
            packed = self._member.unconsumed_tail or self._member.unused_data
            yield part

    def end(self) -> None:
        """
        Raises:
            InvalidRequestError: the stream is not complete.
        """
        if not self._member.eof and not self._is_empty:
            raise _not_gzip()


def _new_member() -> Any:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


def _not_gzip() -> InvalidRequestError:
    message = "is not gzip, or not all of it, although Content-Encoding says so"
    return InvalidRequestError(
        "The body cannot be unpacked.", errors=[FieldError(field="body", message=message)], headers=_HANG_UP
    )


def parse_json(data: bytes) -> object:
    """
    Raises:
        InvalidRequestError: it is not JSON.
    """
    try:
        value: object = from_json(data.removeprefix(BOM), allow_inf_nan=False)
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
    return [
        FieldError(field=".".join(map(str, item["loc"])) or "body", message=item["msg"].removeprefix("Value error, "))
        for item in error.errors()
    ]


def invalid(errors: list[FieldError]) -> InvalidRequestError:
    """The error that names these fields."""
    names = ", ".join(dict.fromkeys(error.field for error in errors))
    return InvalidRequestError(f"Not valid: {names}.", errors=errors)


# What is left of the body would have to be read before the next request on the connection.
_HANG_UP = {"Connection": "close"}


def _too_large(most_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"At most {most_bytes:,} bytes are taken.", headers=_HANG_UP)
