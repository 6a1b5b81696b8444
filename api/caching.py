"""Answers with an ETag: nobody downloads again what has not changed."""

import asyncio
import gzip
import hashlib
import re
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from fastapi import Request
from starlette.responses import Response

from api.answer_memory import AnswerMemory, Kept
from api.auth import Require
from api.database import Marts, Statement
from api.paging import next_page
from api.problems import NotFoundError
from api.routing import ApiRoute
from api.state import record_of
from core.roles import Role

TAG = re.compile(r'"([^"]*)"')
# An answer to one caller is none to another one.
CREDENTIALS = "X-API-Key, Authorization, Cookie"
GZIP_FROM_BYTES = 1024
# Others need not wait for these.
GZIP_IN_THREAD_FROM_BYTES = 128 << 10
# On bodies of 75 kB: level 9 takes several times as long, and saves a few per cent.
GZIP_LEVEL = 2
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The client has this already (`If-None-Match`)"}}


@dataclass(frozen=True, slots=True)
class Resource:
    """What an address stands for, and so how every request for it is answered. `name` is its part of the ETag; `shape`
    makes the body of what the statement gives."""

    name: str
    statement: Statement
    shape: Callable[[bytes], bytes]

    async def answer(self, request: Request, role: Role | None = None) -> "Answer":
        """200, or 304 if the client has the present version.

        With the role of a caller who may read it, from memory if the answer of the present version is there; else it
        is there afterwards. The version is looked up after the request came in, so what a 202 stands for is never
        missing.

        Raises:
            NotFoundError: the statement's body is null.
        """
        marts: Marts = request.state.marts
        memory: AnswerMemory = request.state.answer_memory
        key = (request.scope["path"], request.scope["query_string"], role)
        known = _known_versions(request, self.name)
        if known or key in memory:
            version = await marts.version(self.statement.version_sql)
            if version in known:
                return _not_modified(version, self.name)
            if kept := memory.find(key, version):
                return await _from_memory(request, memory, key, kept)
        published = await marts.read_published(self.statement)
        if published.body is None:
            raise NotFoundError(self.statement.missing)
        body = self.shape(published.body)
        # Compression adds its own entry to Vary.
        headers = _headers(published.version, self.name, CREDENTIALS) | next_page(request, published.next_cursor)
        if role is not None and not self.statement.reads_sessions:
            memory.keep(key, Kept(published.version, body, headers))
        return Answer(body, headers=headers, media_type="application/json")


class Answer(Response):
    """A response that may say how the next request for its address is answered."""

    resource: Resource | None = None


class RevalidatedRoute(ApiRoute):
    """`route_class=` for endpoints that use `answer`: notes in the request's record how the next request for the same
    address can be answered (revalidation.py).

    Its caller is looked at by those dependencies of the endpoint that do so. It must have no others that may refuse:
    what they say of the address holds for the next request, too.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer_in_full = super().get_route_handler()
        guards = [guard for each in self.dependant.dependencies if isinstance(guard := each.call, Require)]
        # Headers of deprecated operations are added on the way through FastAPI.
        if not guards or self.deprecated:
            return answer_in_full

        async def handle(request: Request) -> Response:
            response = await answer_in_full(request)
            if isinstance(response, Answer) and response.resource is not None:
                record_of(request.scope).answer_again = partial(_answer_again, guards, response.resource)
            return response

        return handle


async def _answer_again(guards: Sequence[Require], resource: Resource, request: Request) -> Response:
    callers = [await guard.caller(request) for guard in guards]
    return await resource.answer(request, callers[-1].role)


def _as_it_is(body: bytes) -> bytes:
    return body


async def answer(request: Request, statement: Statement, shape: Callable[[bytes], bytes] = _as_it_is) -> Answer:
    """200 with the statement's body, put into `shape`; or 304 if the client has it already.

    The tag is weak because the body may be compressed on its way.

    Raises:
        NotFoundError: the statement's body is null.
    """
    resource = Resource(_resource(request, statement), statement, shape)
    response = await resource.answer(request)
    response.resource = resource
    return response


async def _from_memory(request: Request, memory: AnswerMemory, key: Hashable, kept: Kept) -> Answer:
    """As the middleware for compression would send it, but packed once."""
    if len(kept.body) < GZIP_FROM_BYTES or "gzip" not in request.headers.get("accept-encoding", ""):
        return Answer(kept.body, headers=kept.headers, media_type="application/json")
    if kept.packed is None:
        pack = partial(gzip.compress, kept.body, GZIP_LEVEL)
        is_large = len(kept.body) >= GZIP_IN_THREAD_FROM_BYTES
        kept = replace(kept, packed=await asyncio.to_thread(pack) if is_large else pack())
        memory.keep(key, kept)
    headers = {**kept.headers, "Content-Encoding": "gzip", "Vary": f"{CREDENTIALS}, Accept-Encoding"}
    return Answer(kept.packed, headers=headers, media_type="application/json")


def tagged(request: Request, statement: Statement, version: str, body: bytes) -> Response:
    """The same for a body that is there already, and that is the same as long as its `version` is."""
    resource = _resource(request, statement)
    if version in _known_versions(request, resource):
        return _not_modified(version, resource)
    return _found(version, resource, body)


def _known_versions(request: Request, resource: str) -> list[str]:
    """The versions of the resource that the client has."""
    known = request.headers.get("if-none-match", "")
    return [tag.removesuffix(f"-{resource}") for tag in TAG.findall(known) if tag.endswith(f"-{resource}")]


def _not_modified(version: str, resource: str) -> Answer:
    return Answer(status_code=304, headers=_headers(version, resource, f"{CREDENTIALS}, Accept-Encoding"))


def _found(version: str, resource: str, body: bytes) -> Answer:
    # Compression adds its own entry to Vary.
    headers = _headers(version, resource, CREDENTIALS)
    return Answer(body, headers=headers, media_type="application/json")


def answer_by_content(request: Request, body: bytes, next_cursor: str | None = None) -> Response:
    """200 with a JSON body that does not hang on the publication, or 304 if the client has the same already. A page of
    a list links to the next one."""
    version = hashlib.blake2b(body, digest_size=12).hexdigest()
    headers = _headers(version, "content", CREDENTIALS)
    if f"{version}-content" in TAG.findall(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers | next_page(request, next_cursor), media_type="application/json")


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
