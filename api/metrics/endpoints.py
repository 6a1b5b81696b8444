"""`GET /metrics`, as Prometheus asks for it."""

from typing import Annotated

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from api.auth import READER_KEY
from api.metrics.figures import PlatformFigures
from api.metrics.instruments import Instruments
from api.routing import ApiRoute
from api.state import from_state

router = APIRouter(include_in_schema=False, route_class=ApiRoute)
BEARER = "bearer "

InstrumentsDep = Annotated[Instruments, from_state("instruments")]
MetricsNeedKeyDep = Annotated[bool, from_state("metrics_need_key")]
PlatformFiguresDep = Annotated[PlatformFigures, from_state("platform_figures")]


@router.get("/metrics")
async def get_metrics(
    request: Request, must_have_key: MetricsNeedKeyDep, figures: PlatformFiguresDep, instruments: InstrumentsDep
) -> Response:
    """Counters of this process, and figures of the platform."""
    if must_have_key:
        await READER_KEY(request, request.headers.get("x-api-key") or _bearer(request))
    await figures.look()
    return Response(
        generate_latest(instruments.registry), headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE_LATEST
    )


def _bearer(request: Request) -> str | None:
    """Prometheus can send a key from a file in this header alone (`authorization.credentials_file`)."""
    header = request.headers.get("authorization", "")
    return header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else None
