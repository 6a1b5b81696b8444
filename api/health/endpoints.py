"""Whether the platform works; for load balancers, and for people."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.health.queries import HealthProbe
from api.health.schemas import Health, Status
from api.problems import documented
from api.routing import ApiRoute
from api.state import from_state

HealthProbeDep = Annotated[HealthProbe, from_state("health_probe")]

router = APIRouter(prefix="/api/health", tags=["health"], responses=documented(400), route_class=ApiRoute)


@router.get(
    "",
    response_model=Health,
    responses={503: {"model": Health, "description": "Starting or failed; or degraded, if asked strictly"}},
)
async def get_health(
    probe: HealthProbeDep,
    strict: Annotated[bool, Query(description="For monitoring: 503 when anything is degraded, too.")] = False,
) -> Response:
    """Needs no key. 503 only if the database cannot be read or nothing has been published yet: what can be read is
    served, even if nothing new comes. `degraded`: the Dagster daemon is silent, or changes wait for too long."""
    health = await probe.health()
    bad = (Status.STARTING, Status.FAILED, Status.DEGRADED) if strict else (Status.STARTING, Status.FAILED)
    status = 503 if health.status in bad else 200
    return Response(health.model_dump_json(), status, {"Cache-Control": "no-store"}, "application/json")
