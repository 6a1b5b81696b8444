"""Webhooks: addresses of other programs that are told of events, for admins."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from pydantic_core import from_json
from starlette.responses import Response

from api import bodies
from api.caching import NOT_MODIFIED, answer_by_content
from api.dependencies import CurrentAdmin, NoQuery
from api.description import body_of
from api.exports import answer_pages
from api.idempotency import OnceResponse
from api.paging import LINKED
from api.problems import documented
from api.routing import ApiRoute
from api.state import from_state
from api.webhook_endpoints.commands import Webhooks
from api.webhook_endpoints.queries import WebhookQueries
from api.webhook_endpoints.schemas import (
    DeliveryFilters,
    NewWebhookEndpoint,
    WebhookDelivery,
    WebhookDeliveryList,
    WebhookDeliveryResponse,
    WebhookEndpoint,
    WebhookEndpointList,
    WebhookEndpointPatch,
    WebhookEndpointPost,
    WebhookEndpointResponse,
    WebhookSecret,
)

# The longest address, each character escaped.
MOST_BYTES = 32 << 10

router = APIRouter(
    prefix="/api/webhook-endpoints",
    tags=["webhooks"],
    responses=documented(400, 401, 403, 503),
    route_class=ApiRoute,
)

WebhooksDep = Annotated[Webhooks, from_state("webhooks")]
WebhookQueriesDep = Annotated[WebhookQueries, from_state("webhook_queries")]
EndpointId = Annotated[UUID, Path(description="`endpoint_id` in the list.")]
DeliveryId = Annotated[UUID, Path(description="`delivery_id` in the list.")]

ONE = documented(404)


@router.get("", response_model=WebhookEndpointList, responses=NOT_MODIFIED)
async def list_webhook_endpoints(
    request: Request, _: CurrentAdmin, queries: WebhookQueriesDep, __: NoQuery
) -> Response:
    """All webhooks and their state."""
    return answer_by_content(request, await queries.endpoints())


@router.post(
    "",
    status_code=201,
    response_model=NewWebhookEndpoint,
    responses=documented(409, 413, 415),
    openapi_extra=body_of(WebhookEndpointPost, bodies.JSON),
)
async def post_webhook_endpoint(
    request: Request, caller: CurrentAdmin, webhooks: WebhooksDep, queries: WebhookQueriesDep, _: NoQuery
) -> Response:
    """Add a webhook, which receives events from now on. The secret is shown once, in this answer."""
    post = await bodies.read_model(request, WebhookEndpointPost, MOST_BYTES)
    endpoint_id, secret = await webhooks.add(post, caller.actor)
    endpoint = WebhookEndpoint.model_validate(from_json(await queries.endpoint(endpoint_id))["data"])
    new = NewWebhookEndpoint(data=endpoint, secret=secret)
    return OnceResponse(new.model_dump_json(), new.model_copy(update={"secret": None}).model_dump_json(), 201)


@router.get("/{endpoint_id}", response_model=WebhookEndpointResponse, responses=NOT_MODIFIED | ONE)
async def get_webhook_endpoint(
    request: Request, _: CurrentAdmin, queries: WebhookQueriesDep, endpoint_id: EndpointId, __: NoQuery
) -> Response:
    """One webhook."""
    return answer_by_content(request, await queries.endpoint(endpoint_id))


@router.patch(
    "/{endpoint_id}",
    response_model=WebhookEndpointResponse,
    responses=ONE | documented(413, 415),
    openapi_extra=body_of(WebhookEndpointPatch, bodies.JSON),
)
async def patch_webhook_endpoint(
    request: Request,
    caller: CurrentAdmin,
    webhooks: WebhooksDep,
    queries: WebhookQueriesDep,
    endpoint_id: EndpointId,
    _: NoQuery,
) -> Response:
    """Change, enable or disable a webhook. Waiting deliveries to a disabled webhook are not sent."""
    patch = await bodies.read_model(request, WebhookEndpointPatch, MOST_BYTES)
    await webhooks.change(endpoint_id, patch, caller.actor)
    return Response(await queries.endpoint(endpoint_id), media_type=bodies.JSON)


@router.delete("/{endpoint_id}", status_code=204, response_class=Response, responses=ONE)
async def delete_webhook_endpoint(
    caller: CurrentAdmin, webhooks: WebhooksDep, endpoint_id: EndpointId, _: NoQuery
) -> None:
    """Delete a webhook and its secret. Waiting deliveries are not sent."""
    await webhooks.remove(endpoint_id, caller.actor)


@router.post("/{endpoint_id}/secret", response_model=WebhookSecret, responses=ONE)
async def post_webhook_secret(
    caller: CurrentAdmin, webhooks: WebhooksDep, endpoint_id: EndpointId, _: NoQuery
) -> Response:
    """Renew the secret, which is shown once, in this answer. For 24 hours, deliveries are also signed with the old
    one."""
    renewed = await webhooks.renew_secret(endpoint_id, caller.actor)
    secret = WebhookSecret(secret=renewed.secret, old_secret_until=renewed.old_secret_until)
    return OnceResponse(secret.model_dump_json(), secret.model_copy(update={"secret": None}).model_dump_json())


@router.post("/{endpoint_id}/test", status_code=202, response_model=WebhookDeliveryResponse, responses=ONE)
async def post_webhook_test(
    caller: CurrentAdmin, webhooks: WebhooksDep, queries: WebhookQueriesDep, endpoint_id: EndpointId, _: NoQuery
) -> Response:
    """Queue a test (`webhook.test`), which is sent once within seconds; the delivery shows the result."""
    delivery_id = await webhooks.test(endpoint_id, caller.actor)
    return Response(await queries.delivery(endpoint_id, delivery_id), 202, media_type=bodies.JSON)


@router.get("/{endpoint_id}/deliveries", response_model=WebhookDeliveryList, responses=NOT_MODIFIED | LINKED | ONE)
async def list_webhook_deliveries(
    request: Request,
    caller: CurrentAdmin,
    queries: WebhookQueriesDep,
    endpoint_id: EndpointId,
    filters: Annotated[DeliveryFilters, Query()],
) -> Response:
    """Deliveries to one webhook with their results, newest first."""
    read = partial(queries.deliveries, endpoint_id)
    return await answer_pages(request, caller, "deliveries", WebhookDelivery, filters, read)


@router.get(
    "/{endpoint_id}/deliveries/{delivery_id}",
    response_model=WebhookDeliveryResponse,
    responses=NOT_MODIFIED | ONE,
)
async def get_webhook_delivery(
    request: Request,
    _: CurrentAdmin,
    queries: WebhookQueriesDep,
    endpoint_id: EndpointId,
    delivery_id: DeliveryId,
    __: NoQuery,
) -> Response:
    """One delivery with its body and every attempt."""
    return answer_by_content(request, await queries.delivery(endpoint_id, delivery_id))


@router.post(
    "/{endpoint_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    response_model=WebhookDeliveryResponse,
    responses=ONE | documented(409),
)
async def post_webhook_replay(
    caller: CurrentAdmin,
    webhooks: WebhooksDep,
    queries: WebhookQueriesDep,
    endpoint_id: EndpointId,
    delivery_id: DeliveryId,
    _: NoQuery,
) -> Response:
    """Send a delivery again, with the same `webhook-id` and body; a waiting one is sent at once."""
    await webhooks.replay(endpoint_id, delivery_id, caller.actor)
    return Response(await queries.delivery(endpoint_id, delivery_id), 202, media_type=bodies.JSON)
