"""Sessions come in here, one by one or many at once."""

import asyncio

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response
from starlette.routing import Route

from api import bodies, idempotency, rows
from api.auth import INGESTER_KEY
from api.description import body_of
from api.idempotency import Claim
from api.key_ring import Caller
from api.limits import RateLimit
from api.problems import FieldError, ForbiddenError, documented
from api.routing import ApiRoute
from api.sessions import batches
from api.sessions.batches import BatchWriter
from api.sessions.schemas import BatchReceipt, SessionReceipt
from api.sessions.writer import SessionWriter
from core.roles import Role
from ingest.posts import SessionPost

# All texts at their longest, each character escaped (\ud83d\ude00).
MOST_BYTES = 192 << 10

OVERRIDE_PARAMETER = {
    "name": "override",
    "in": "query",
    "required": False,
    "schema": {"type": "boolean", "default": False},
    "description": "Replace the stored version, even if it is newer. Needs the role admin; the audit log keeps the "
    "replaced version.",
}

PATH = "/api/sessions"

# Only describes: requests come by `FRONT_ROUTES`, past FastAPI, so the endpoints check the key themselves.
router = APIRouter(
    prefix=PATH,
    tags=["sessions"],
    dependencies=[Depends(INGESTER_KEY)],
    responses=documented(400, 401, 403, 409, 413, 415, 422, 429, 503),
    route_class=ApiRoute,
)


@router.post(
    "",
    status_code=202,
    response_model=SessionReceipt,
    openapi_extra={"parameters": [OVERRIDE_PARAMETER], **body_of(SessionPost, bodies.JSON)},
)
async def post_session(request: Request) -> Response:
    """Post one session. The answer comes after the commit: the session is durably stored, unless `stale` or `conflict`
    is there. Sending it again changes nothing. Send `updated_at`: without it, a correction may be refused."""
    caller = await INGESTER_KEY.caller(request)
    limit: RateLimit = request.state.rate_limit
    writer: SessionWriter = request.state.session_writer
    bodies.media_type(request, (bodies.JSON,))
    key = idempotency.key_of(request)
    override_by = _override_by(request, caller)
    await limit.spend(caller)
    writer.require_room()
    data = await bodies.read(request, MOST_BYTES)
    claim = Claim.of(caller, key, _address(request, override_by), data) if key else None
    body = bodies.parse_json(data)
    if override_by is None:
        answer = await writer.submit(body, len(data), claim)
    else:
        answer = await writer.override(body, claim, override_by)
    return Response(answer, 202, media_type=bodies.JSON)


@router.post(
    "/batch",
    response_model=BatchReceipt,
    openapi_extra={
        "parameters": [OVERRIDE_PARAMETER],
        **body_of(SessionPost, bodies.NDJSON, many=bodies.JSON),
    },
)
async def post_session_batch(request: Request) -> Response:
    """Post up to 10,000 sessions and 20 MiB, as a JSON array or as NDJSON. The status is 200 even if rows are rejected:
    each row has its own result, in the order sent."""
    caller = await INGESTER_KEY.caller(request)
    limit: RateLimit = request.state.rate_limit
    writer: BatchWriter = request.state.batch_writer
    kind = bodies.media_type(request, (bodies.JSON, bodies.NDJSON))
    key = idempotency.key_of(request)
    override_by = _override_by(request, caller)
    await limit.spend(caller)
    async with writer.turn(caller):
        data = await bodies.read(request, batches.MOST_BYTES)
        async with writer.place():
            parse = rows.parser_of(kind)
            posted = await asyncio.to_thread(parse, data)
            await limit.spend_more(caller, len(posted) - 1)
            claim = Claim.of(caller, key, _address(request, override_by), data) if key else None
            del data
            answer = await writer.write(posted, claim, override_by)
    return Response(answer, media_type=bodies.JSON)


FRONT_ROUTES = (
    Route(PATH, post_session, methods=["POST"]),
    Route(f"{PATH}/batch", post_session_batch, methods=["POST"]),
)


def _override_by(request: Request, caller: Caller) -> str | None:
    """Who says that stored versions are replaced whatever they are; None if nobody does.

    Raises:
        InvalidRequestError: it is not true or false, or there are other parameters: a misspelt one is not ignored.
        ForbiddenError: somebody who may not.
    """
    if not request.scope["query_string"]:
        return None
    names = [name for name, _ in request.query_params.multi_items()]
    if unknown := sorted(set(names) - {"override"}):
        raise bodies.invalid([FieldError(field=name, message="There is no such parameter") for name in unknown])
    if len(names) > 1:
        raise bodies.invalid([FieldError(field="override", message="must be given once")])
    given = request.query_params.get("override", "false")
    if given not in ("true", "false"):
        raise bodies.invalid([FieldError(field="override", message="must be true or false")])
    if given == "false":
        return None
    if caller.role is not Role.ADMIN:
        raise ForbiddenError(f"The key has the role {caller.role}; to override a stored version, admin is needed.")
    return caller.actor


def _address(request: Request, override_by: str | None) -> str:
    """What an Idempotency-Key is for, beside the body."""
    return request.url.path if override_by is None else f"{request.url.path}?override=true"
