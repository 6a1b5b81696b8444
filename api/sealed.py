"""Texts that are sealed in the database are opened here, for who may read them."""

import asyncio

from pydantic_core import from_json, to_json

from api.problems import NotConfiguredError
from core.errors import TutorqError
from core.sealing import MARK, NO_KEY, text_sealer
from core.settings import Settings


async def opened(settings: Settings, text: str) -> str:
    """The text.

    Raises:
        NotConfiguredError: the key that it was encrypted with is not there.
    """
    return await asyncio.to_thread(_opened, settings, text)


async def with_opened(settings: Settings, body: bytes, *fields: str) -> bytes:
    """An answer's JSON, with these fields of its `data` opened.

    Raises:
        NotConfiguredError: the key that they were encrypted with is not there.
    """
    return await asyncio.to_thread(_with_opened, settings, body, fields) if MARK.encode() in body else body


def _with_opened(settings: Settings, body: bytes, fields: tuple[str, ...]) -> bytes:
    answer = from_json(body)
    data = answer["data"]
    for name in fields:
        if isinstance(data[name], str):
            data[name] = _opened(settings, data[name])
    return to_json(answer)


def _opened(settings: Settings, text: str) -> str:
    if not text.startswith(MARK):
        return text
    try:
        # Read anew: the key may have been rotated since.
        box = text_sealer(settings)
        if box is None:
            raise TutorqError(NO_KEY)
        return box.open_text(text)
    except TutorqError as error:
        raise NotConfiguredError(f"The text cannot be read: {error}.") from error
