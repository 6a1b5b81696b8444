"""Signed webhooks of booking tools: cal.com, Calendly, Acuity."""

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api import bodies
from api.connectors.commands import Connectors
from api.connectors.schemas import ConnectorReceipt
from api.problems import FieldError, documented
from api.routing import ApiRoute
from api.state import from_state

MOST_BYTES = 1 << 20
FORM = "application/x-www-form-urlencoded"

router = APIRouter(
    prefix="/api/connectors",
    tags=["webhooks"],
    responses=documented(400, 401, 404, 413, 415, 503),
    route_class=ApiRoute,
)

ConnectorsDep = Annotated[Connectors, from_state("connectors")]
Name = Annotated[str, Path(max_length=41, description="Name of the connector in connectors.yml.")]
BODY = {
    "required": True,
    # The form is described in words: generators of clients write no body of two kinds.
    "content": {bodies.JSON: {"schema": {"type": "object"}}},
}


@router.post("/{name}/webhook", response_model=ConnectorReceipt, openapi_extra={"requestBody": BODY})
async def post_connector_event(request: Request, connectors: ConnectorsDep, name: Name) -> Response:
    """Receive one event of a booking tool, as the tool sends and signs it: JSON, or a form from Acuity. The signature
    replaces a key. Sending it again changes nothing."""
    kind = bodies.media_type(request, (bodies.JSON, FORM))
    data = await bodies.read(request, MOST_BYTES)
    connector = connectors.require(name, data, request.headers)
    event = dict(parse_qsl(data.decode("utf-8", "replace"))) if kind == FORM else bodies.parse_json(data)
    if not isinstance(event, dict):
        raise bodies.invalid([FieldError(field="body", message="must be an object")])
    receipt = await connectors.take(name, connector, event)
    return Response(receipt.model_dump_json(), media_type=bodies.JSON)
