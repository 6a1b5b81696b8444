"""Answers with an ETag: nobody downloads again what has not changed."""

import hashlib
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import Request
from starlette.responses import Response

from api.auth import Require
from api.database import Marts, Statement
from api.paging import next_page
from api.problems import NotFoundError
from api.routing import ApiRoute
from api.state import record_of

TAG = re.compile(r'"([^"]*)"')
# An answer to one caller is none to another one.
CREDENTIALS = "X-API-Key, Authorization, Cookie"
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The client has this already (`If-None-Match`)"}}


@dataclass(frozen=True, slots=True)
class Unchanged:
    """By what a resource is known to be what the client has."""

    resource: str
    version_sql: str

    async def response(self, request: Request, marts: Marts) -> "Answer | None":
        """304, or None if the client does not have the present version. Costs one look at the version."""
        versions = _known_versions(request, self.resource)
        if versions:
            version = await marts.version(self.version_sql)
            if version in versions:
                return _not_modified(version, self.resource)
        return None


class Answer(Response):
    """A response that may say by what its next 304 is known."""

    unchanged: Unchanged | None = None


class RevalidatedRoute(ApiRoute):
    """`route_class=` for endpoints that use `answer`: notes in the request's record how the next request for the same
    address can be answered (revalidation.py).

    Its caller is looked at by those dependencies of the endpoint that do so.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer_in_full = super().get_route_handler()
        guards = [guard for each in self.dependant.dependencies if isinstance(guard := each.call, Require)]
        if not guards:
            return answer_in_full

        async def handle(request: Request) -> Response:
            response = await answer_in_full(request)
            if isinstance(response, Answer) and response.unchanged is not None:
                record_of(request.scope).revalidate = partial(_revalidate, guards, response.unchanged)
            return response

        return handle


async def _revalidate(guards: Sequence[Require], unchanged: Unchanged, request: Request) -> Response | None:
    for guard in guards:
        await guard.caller(request)
    return await unchanged.response(request, request.state.marts)


def _as_it_is(body: bytes) -> bytes:
    return body


async def answer(request: Request, statement: Statement, shape: Callable[[bytes], bytes] = _as_it_is) -> Answer:
    """200 with the statement's body, put into `shape`; or 304 if the client has it already.

    The tag is weak because the body may be compressed on its way.

    Raises:
        NotFoundError: the statement's body is null.
    """
    # No dependency of the endpoints: FastAPI takes longer to hand it over than some of them take.
    marts: Marts = request.state.marts
    unchanged = Unchanged(_resource(request, statement), statement.version_sql)
    if (response := await unchanged.response(request, marts)) is None:
        published = await marts.read_published(statement)
        if published.body is None:
            raise NotFoundError(statement.missing)
        response = _found(published.version, unchanged.resource, shape(published.body))
        response.headers.update(next_page(request, published.next_cursor))
    response.unchanged = unchanged
    return response


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
