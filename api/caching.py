"""Answers with an ETag: nobody downloads again what has not changed."""

import asyncio
import gzip
import hashlib
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from fastapi import Request
from starlette.responses import Response

from api.answer_memory import AnswerMemory, Kept
from api.auth import Require
from api.database import Marts, Statement
from api.paging import next_page
from api.problems import NotFoundError
from api.routing import ApiRoute
from api.state import AnswerAs, record_of
from core.roles import Role

TAG = re.compile(r'"([^"]*)"')
# An answer to one caller is none to another one.
CREDENTIALS = "X-API-Key, Authorization, Cookie"
VARY_COMPRESSED = f"{CREDENTIALS}, Accept-Encoding"
GZIP_FROM_BYTES = 1024
# Others need not wait for these.
GZIP_IN_THREAD_FROM_BYTES = 128 << 10
# On bodies of 75 kB: level 9 takes several times as long, and saves a few per cent.
GZIP_LEVEL = 2
REMEMBERED_304S = 1024
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The client has this already (`If-None-Match`)"}}


@dataclass(frozen=True, slots=True)
class Resource:
    """What an address stands for, and so how every request for it is answered. `name` is its part of the ETag; `shape`
    makes the body of what the statement gives.

    The version is looked up after the request came in, so what a 202 stands for is never missing.

    Raises (every method):
        NotFoundError: the statement's body is null.
    """

    name: str
    statement: Statement
    shape: Callable[[bytes], bytes]

    async def answer(self, request: Request) -> Response:
        """200, or 304 if the client has the present version."""
        if known := _known_versions(request, self.name):
            version = await request.state.marts.version(self.statement.version_sql)
            if version in known:
                return _not_modified(version, self.name)
        version, body, headers = await self._read(request)
        # Compression adds its own entry to Vary.
        return _json(body, _headers(version, self.name, CREDENTIALS) | headers)

    async def answer_again(self, request: Request, role: Role) -> Response:
        """The same for a caller who may read it with this role, from memory if the answer of the present version is
        there; else it is there afterwards. It is compressed already, if it is to be."""
        memory: AnswerMemory = request.state.answer_memory
        key, found, known = (self.name, role), None, _known_versions(request, self.name)
        if known or key in memory:
            version = await request.state.marts.version(self.statement.version_sql)
            if version in known:
                return _not_modified_again(version, self.name)
            found = memory.find(key, version)
        answer, kept = await _as_asked(request, found or await self._read_to_keep(request))
        if kept is not found and not self.statement.reads_sessions:
            memory.keep(key, kept)
        return answer

    async def _read_to_keep(self, request: Request) -> Kept:
        version, body, headers = await self._read(request)
        vary = CREDENTIALS if len(body) < GZIP_FROM_BYTES else VARY_COMPRESSED
        return Kept(version, _json(body, _headers(version, self.name, vary) | headers))

    async def _read(self, request: Request) -> tuple[str, bytes, dict[str, str]]:
        """Version, body and headers of what the database has."""
        marts: Marts = request.state.marts
        published = await marts.read_published(self.statement)
        if published.body is None:
            raise NotFoundError(self.statement.missing)
        return published.version, self.shape(published.body), next_page(request, published.next_cursor)


class RevalidatedRoute(ApiRoute):
    """`route_class=` for endpoints that use `answer`: notes in the request's record how the next request for the same
    address can be answered (revalidation.py). The endpoint returns what `answer` returned, unchanged.

    Its caller is looked at by those dependencies of the endpoint that do so. It must have no others that may refuse:
    what they say of the address holds for the next request, too. These, and the `shape` of the body, refuse by
    `ApiError` alone: the next request passes no other handler of errors.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer_in_full = super().get_route_handler()
        guards = [guard for each in self.dependant.dependencies if isinstance(guard := each.call, Require)]
        # Headers of deprecated operations are added on the way through FastAPI.
        if not guards or self.deprecated:
            return answer_in_full

        async def handle(request: Request) -> Response:
            response = await answer_in_full(request)
            record = record_of(request.scope)
            if record.answer_as is not None:
                record.answer_again = partial(_answer_again, guards, record.answer_as)
            return response

        return handle


async def _answer_again(guards: Sequence[Require], answer_as: AnswerAs, request: Request) -> Response:
    callers = [await guard.caller(request) for guard in guards]
    return await answer_as(request, callers[-1].role)


def _as_it_is(body: bytes) -> bytes:
    return body


async def answer(request: Request, statement: Statement, shape: Callable[[bytes], bytes] = _as_it_is) -> Response:
    """200 with the statement's body, put into `shape`; or 304 if the client has it already.

    The tag is weak because the body may be compressed on its way.

    Raises:
        NotFoundError: the statement's body is null.
    """
    resource = Resource(_resource(request, statement), statement, shape)
    record_of(request.scope).answer_as = resource.answer_again
    return await resource.answer(request)


def tagged(request: Request, statement: Statement, version: str, body: bytes) -> Response:
    """The same for a body that is there already, and that is the same as long as its `version` is."""
    resource = _resource(request, statement)
    if version in _known_versions(request, resource):
        return _not_modified(version, resource)
    return _json(body, _headers(version, resource, CREDENTIALS))


def _known_versions(request: Request, resource: str) -> list[str]:
    """The versions of the resource that the client has."""
    known = request.headers.get("if-none-match", "")
    return [tag.removesuffix(f"-{resource}") for tag in TAG.findall(known) if tag.endswith(f"-{resource}")]


def _not_modified(version: str, resource: str) -> Response:
    return Response(status_code=304, headers=_headers(version, resource, VARY_COMPRESSED))


# Not for what goes through FastAPI, which may add to a response.
_not_modified_again = lru_cache(REMEMBERED_304S)(_not_modified)


def _json(body: bytes, headers: dict[str, str]) -> Response:
    return Response(body, headers=headers, media_type="application/json")


async def _as_asked(request: Request, kept: Kept) -> tuple[Response, Kept]:
    """The answer packed or plain, as the client takes it; and what there is to keep of it then."""
    if len(kept.plain.body) < GZIP_FROM_BYTES or "gzip" not in request.headers.get("accept-encoding", ""):
        return kept.plain, kept
    if kept.packed is not None:
        return kept.packed, kept
    packed = await _packed(kept.plain)
    return packed, replace(kept, packed=packed)


async def _packed(plain: Response) -> Response:
    """As the middleware for compression would send it."""
    pack = partial(gzip.compress, plain.body, GZIP_LEVEL)
    body = await asyncio.to_thread(pack) if len(plain.body) >= GZIP_IN_THREAD_FROM_BYTES else pack()
    headers = {**plain.headers, "content-encoding": "gzip", "content-length": str(len(body))}
    return Response(body, headers=headers)


def answer_by_content(request: Request, body: bytes, next_cursor: str | None = None) -> Response:
    """200 with a JSON body that does not hang on the publication, or 304 if the client has the same already. A page of
    a list links to the next one."""
    version = hashlib.blake2b(body, digest_size=12).hexdigest()
    headers = _headers(version, "content", CREDENTIALS)
    if f"{version}-content" in TAG.findall(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return _json(body, headers | next_page(request, next_cursor))


def _resource(request: Request, statement: Statement) -> str:
    """Short name of what is asked for. The SQL is part of it: another release may shape the body differently."""
    parts = (request.scope["path"].encode(), request.scope["query_string"], statement.sql.encode())
    return hashlib.blake2b(b"\0".join(parts), digest_size=9).hexdigest()


def _headers(version: str, resource: str, vary: str) -> dict[str, str]:
    return {
        "ETag": f'W/"{version}-{resource}"',
        "Cache-Control": "private, no-cache",
        "Vary": vary,
    }
