"""Errors as the client sees them: RFC 9457 problem details, in one shape for every status."""

import json
from collections.abc import Callable, Coroutine, Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.state import record_of

MEDIA_TYPE = "application/problem+json"

Handlers = dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]]


class FieldError(BaseModel):
    """What is wrong with one field of the request."""

    field: str = Field(description="Name of the parameter, or path into the body.", examples=["limit"])
    message: str = Field(examples=["Input should be less than or equal to 500"])


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(
        description="Kind of problem; `about:blank` says no more than the status.",
        examples=["urn:tutorq:problem:not-found"],
    )
    title: str = Field(description="Kind of problem in words.", examples=["Not found"])
    status: int = Field(description="HTTP status.", examples=[404])
    detail: str = Field(description="What happened in this request.", examples=["There is no tutor with this id."])
    request_id: str = Field(description="Identifies the request in the server's log; also in `X-Request-ID`.")
    errors: list[FieldError] | None = Field(
        default=None, description="One entry per wrong field; only for an invalid request."
    )


class ApiError(Exception):
    """Base of all errors that are meant for the client; a subclass says which status and title it stands for."""

    status: ClassVar[int]
    kind: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        errors: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.headers = headers
        # What a problem of this kind tells besides (RFC 9457, "extension members"), as JSON.
        self.members = members


class InvalidRequestError(ApiError):
    status, kind, title = 400, "invalid-request", "The request is not valid"


class UnauthorizedError(ApiError):
    status, kind, title = 401, "unauthorized", "A valid key or log-in is needed"


class ForbiddenError(ApiError):
    status, kind, title = 403, "forbidden", "This is not allowed"


class NotFoundError(ApiError):
    status, kind, title = 404, "not-found", "Not found"


class ConflictError(ApiError):
    status, kind, title = 409, "conflict", "The request contradicts what is stored"


class ErasedError(ApiError):
    """It names somebody who was erased."""

    status, kind, title = 409, "erased", "The person was erased"


class StaleVersionError(ApiError):
    status, kind, title = 409, "stale-version", "Somebody else has changed it"


class GoneError(ApiError):
    status, kind, title = 410, "gone", "This works no more"


class DeletedError(ApiError):
    status, kind, title = 410, "deleted", "It was deleted"


class BodyTooLargeError(ApiError):
    status, kind, title = 413, "body-too-large", "The body is too large"


class UnsupportedMediaTypeError(ApiError):
    status, kind, title = 415, "unsupported-media-type", "The body is of another type"


class IdempotencyMismatchError(ApiError):
    status, kind, title = 422, "idempotency-mismatch", "The Idempotency-Key was used for another request"


class TooManyRequestsError(ApiError):
    status, kind, title = 429, "too-many-requests", "Rate limit exceeded"


class TooManyAtOnceError(ApiError):
    status, kind, title = 429, "too-many-at-once", "The key has too many requests in progress"


class TooManyLogInsError(ApiError):
    status, kind, title = 429, "too-many-log-ins", "Too many tries to log in"


class HeadTooLargeError(ApiError):
    status, kind, title = 431, "headers-too-large", "The headers are too large"


class MalformedRequestError(ApiError):
    status, kind, title = 400, "malformed-request", "The request is not valid HTTP"


class TooManyFailedKeysError(ApiError):
    status, kind, title = 429, "too-many-failed-keys", "Too many requests with a key that does not work"


class BusyError(ApiError):
    status, kind, title = 503, "busy", "The session could not be stored in time"


class OverloadedError(ApiError):
    status, kind, title = 503, "overloaded", "The server is busy"


class NotPublishedError(ApiError):
    status, kind, title = 503, "not-published", "Scores have not been published yet"


class OutdatedScoresError(ApiError):
    status, kind, title = 503, "outdated-scores", "This version has not made its scores yet"


class DatabaseUnavailableError(ApiError):
    status, kind, title = 503, "database-unavailable", "The database cannot be reached"


class NotConfiguredError(ApiError):
    status, kind, title = 503, "not-configured", "A setting is missing"


class DagsterUnavailableError(ApiError):
    status, kind, title = 503, "dagster-unavailable", "Dagster cannot be reached"


class InternalError(ApiError):
    status, kind, title = 500, "internal-error", "Something went wrong here"


def problem_response(error: ApiError, request_id: str) -> Response:
    """The answer to a request that ended in `error`."""
    return _response(
        Problem(
            type=f"urn:tutorq:problem:{error.kind}",
            title=error.title,
            status=error.status,
            detail=error.detail,
            request_id=request_id,
            errors=error.errors,
        ),
        error.headers,
        error.members,
    )


def _problem_response(scope: Scope, error: ApiError) -> Response:
    return problem_response(error, record_of(scope).request_id)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: these statuses answer with a problem."""
    return {status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in statuses}


def handlers(routes: Iterable[BaseRoute]) -> Handlers:
    """`exception_handlers=` that answer every error with a problem; `routes` are those of the API."""
    methods: dict[str, set[str]] = {}
    for route in routes:
        assert isinstance(route, APIRoute)
        methods.setdefault(route.path, set()).update(route.methods or ())

    async def on_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = error.headers
        route = request.scope.get("route")
        if error.status_code == 405 and isinstance(route, APIRoute) and route.path in methods:
            # The router names the methods of one route, and there may be others with the same path.
            headers = {"Allow": ", ".join(sorted(methods[route.path]))}
        return _http_problem(request, error, headers)

    return {
        ApiError: _on_api_error,
        RequestValidationError: _on_validation_error,
        HTTPException: on_http_exception,
    }


class UnexpectedErrors:
    """Middleware: whatever nobody expected becomes a 500 that gives nothing away.

    The exception is noted in the request's record, for its log line.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            record = record_of(scope)
            record.error = error
            if record.status is not None:
                raise
            detail = "The error has been logged; the request id finds it."
            await _problem_response(scope, InternalError(detail))(scope, receive, send)


async def _on_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _problem_response(request.scope, error)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [FieldError(field=_field(item["loc"]), message=_message(item)) for item in error.errors()]
    names = ", ".join(dict.fromkeys(item.field for item in errors))
    return _problem_response(request.scope, InvalidRequestError(f"Not valid: {names}.", errors=errors))


def _http_problem(request: Request, error: HTTPException, headers: Mapping[str, str] | None) -> Response:
    details = {
        404: "There is nothing at this address.",
        405: f"{request.method} is not possible at this address.",
    }
    title = HTTPStatus(error.status_code).phrase
    problem = Problem(
        type="about:blank",
        title=title,
        status=error.status_code,
        detail=details.get(error.status_code, error.detail or title),
        request_id=record_of(request.scope).request_id,
    )
    return _response(problem, headers)


def _field(location: tuple[int | str, ...]) -> str:
    """`("query", "limit")` -> `limit`; `("body", "rows", 3, "status")` -> `rows.3.status`."""
    return ".".join(str(part) for part in location[1:]) or str(location[0])


def _message(item: dict[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return "There is no such parameter"
    return str(item["msg"]).removeprefix("Value error, ")


def _response(
    problem: Problem, headers: Mapping[str, str] | None = None, members: Mapping[str, Any] | None = None
) -> Response:
    content = json.dumps(problem.model_dump(exclude_none=True) | dict(members or {}), ensure_ascii=False)
    return Response(content, problem.status, {"Cache-Control": "no-store", **(headers or {})}, MEDIA_TYPE)
