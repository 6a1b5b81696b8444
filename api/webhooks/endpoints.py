"""SendGrid's signed event webhook: what became of mail after it was handed over."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.responses import Response

from api import bodies
from api.description import body_of
from api.problems import FieldError, NotFoundError, documented
from api.routing import ApiRoute
from api.state import from_state
from api.webhooks.commands import MailEvents
from api.webhooks.schemas import SendGridEvent, WebhookReceipt
from api.webhooks.signatures import SIGNATURE_HEADER, TIMESTAMP_HEADER, SendGridSignatures

# SendGrid's own batches end below 1 MB.
MOST_BYTES = 4 << 20

router = APIRouter(
    prefix="/api/webhooks", tags=["webhooks"], responses=documented(400, 401, 404, 413, 415, 503), route_class=ApiRoute
)


_SignaturesIfAny = Annotated[SendGridSignatures | None, from_state("sendgrid_signatures")]


async def _signatures(signatures: _SignaturesIfAny) -> SendGridSignatures:
    if signatures is None:
        raise NotFoundError("TUTORQ_SENDGRID_WEBHOOK_KEY is not set.")
    return signatures


SignaturesDep = Annotated[SendGridSignatures, Depends(_signatures)]
MailEventsDep = Annotated[MailEvents, from_state("mail_events")]


def _header(name: str) -> dict[str, object]:
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}


@router.post(
    "/sendgrid",
    response_model=WebhookReceipt,
    openapi_extra={
        "parameters": [_header(SIGNATURE_HEADER), _header(TIMESTAMP_HEADER)],
        **body_of(SendGridEvent, many=bodies.JSON, or_else="Invalid events are counted as ignored."),
    },
)
async def post_sendgrid_events(
    request: Request,
    signatures: SignaturesDep,
    mail_events: MailEventsDep,
) -> Response:
    """Receive SendGrid's events, each once. SendGrid's signature replaces a key."""
    bodies.media_type(request, (bodies.JSON,))
    data = await bodies.read(request, MOST_BYTES)
    signature, timestamp = request.headers.get(SIGNATURE_HEADER), request.headers.get(TIMESTAMP_HEADER)
    # In a thread: for SendGrid's largest batches it takes as long as dozens of other requests.
    events, ignored = await asyncio.to_thread(_read, signatures, data, signature, timestamp)
    receipt = await mail_events.take(events, ignored)
    return Response(receipt.model_dump_json(), media_type=bodies.JSON)


def _read(
    signatures: SendGridSignatures, data: bytes, signature: str | None, timestamp: str | None
) -> tuple[list[SendGridEvent], int]:
    """The events of a signed body, and how many of its elements are none.

    Raises:
        UnauthorizedError: the signature is not SendGrid's.
        InvalidRequestError: the body is not an array.
    """
    signatures.require(data, signature, timestamp)
    rows = bodies.parse_json(data)
    if not isinstance(rows, list):
        raise bodies.invalid([FieldError(field="body", message="must be an array of events")])
    events = [event for row in rows if (event := _event(row)) is not None]
    return events, len(rows) - len(events)


def _event(row: object) -> SendGridEvent | None:
    """None if it makes no sense; an error would have SendGrid send all of them again for a day."""
    try:
        return SendGridEvent.model_validate(row)
    except ValidationError:
        return None
