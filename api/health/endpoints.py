"""Whether the platform works; for load balancers, and for people."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.dependencies import NoQuery
from api.drain import Drain
from api.health.queries import HealthProbe
from api.health.schemas import Health, Liveness, Readiness, Status
from api.problems import documented
from api.routing import ApiRoute
from api.state import from_state

HealthProbeDep = Annotated[HealthProbe, from_state("health_probe")]

DrainDep = Annotated[Drain, from_state("drain")]

router = APIRouter(prefix="/api", tags=["health"], responses=documented(400), route_class=ApiRoute)


@router.get(
    "/health",
    response_model=Health,
    responses={503: {"model": Health, "description": "Starting or failed; with `strict`, also degraded"}},
)
async def get_health(
    probe: HealthProbeDep,
    strict: Annotated[bool, Query(description="For monitoring: 503 also for `degraded`.")] = False,
) -> Response:
    """Needs no key. 503 only if the database cannot be read or nothing has been published yet; old scores are still
    served. `degraded`: the Dagster daemon is silent, or changes have waited too long."""
    health = await probe.health()
    bad = (Status.STARTING, Status.FAILED, Status.DEGRADED) if strict else (Status.STARTING, Status.FAILED)
    status = 503 if health.status in bad else 200
    return Response(health.model_dump_json(), status, {"Cache-Control": "no-store"}, "application/json")


@router.get(
    "/ready", response_model=Readiness, responses={503: {"model": Readiness, "description": "Send requests elsewhere"}}
)
async def get_readiness(probe: HealthProbeDep, drain: DrainDep, _: NoQuery) -> Response:
    """For load balancers; needs no key. 503 until this process has reached the database once, and after SIGTERM. A
    later outage of the database does not count: the load balancer would drop all processes at once, and nobody could
    tell clients when to try again."""
    found = Readiness(status="ready")
    if drain.has_begun:
        found.status = "draining"
    elif not await probe.has_reached_database():
        found.status = "starting"
    status = 200 if found.status == "ready" else 503
    return Response(found.model_dump_json(), status, {"Cache-Control": "no-store"}, "application/json")


@router.get("/live", response_model=Liveness)
async def get_liveness(_: NoQuery) -> Response:
    """For supervisors that restart processes; needs no key. Does not check the database: a restart would not repair
    it."""
    return Response(Liveness().model_dump_json(), 200, {"Cache-Control": "no-store"}, "application/json")
