"""Whether the platform works; for load balancers, and for people."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.health.queries import HealthProbe
from api.health.schemas import Health, Status

router = APIRouter(prefix="/api/health", tags=["health"])


@router.get("", response_model=Health, responses={503: {"model": Health, "description": "Starting or failed"}})
async def get_health(request: Request) -> Response:
    """Needs no key. 503 only if the database cannot be read or nothing has been published yet."""
    probe = request.state.health_probe
    assert isinstance(probe, HealthProbe)
    health = await probe.health()
    status = 503 if health.status in (Status.STARTING, Status.FAILED) else 200
    return Response(health.model_dump_json(), status, {"Cache-Control": "no-store"}, "application/json")
