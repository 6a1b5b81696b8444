"""`GET /metrics`, as Prometheus asks for it."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from api.auth import READER_KEY
from api.metrics.figures import PlatformFigures
from api.metrics.instruments import Instruments
from api.parts import part

router = APIRouter(include_in_schema=False)
BEARER = "bearer "


@router.get("/metrics")
async def get_metrics(request: Request) -> Response:
    """Counters of this process, and figures of the platform."""
    if request.state.metrics_need_key:
        await READER_KEY(request, request.headers.get("x-api-key") or _bearer(request))
    await part(request, PlatformFigures).look()
    registry = part(request, Instruments).registry
    return Response(generate_latest(registry), headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE_LATEST)


def _bearer(request: Request) -> str | None:
    """Prometheus can send a key from a file in this header alone (`authorization.credentials_file`)."""
    header = request.headers.get("authorization", "")
    return header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else None
