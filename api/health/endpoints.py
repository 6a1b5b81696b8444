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


@router.get(
    "/ready", response_model=Readiness, responses={503: {"model": Readiness, "description": "Send requests elsewhere"}}
)
async def get_readiness(probe: HealthProbeDep, drain: DrainDep, _: NoQuery) -> Response:
    """For load balancers; needs no key. 503 until this process has reached the database once, and from the moment at
    which it is told to end. A database that is away later does not count: all processes would be taken away at once,
    and nobody would tell clients when to try again."""
    found = Readiness(status="ready")
    if drain.has_begun:
        found.status = "draining"
    elif not await probe.has_reached_database():
        found.status = "starting"
    status = 200 if found.status == "ready" else 503
    return Response(found.model_dump_json(), status, {"Cache-Control": "no-store"}, "application/json")


@router.get("/live", response_model=Liveness)
async def get_liveness(_: NoQuery) -> Response:
    """For what starts processes again; needs no key, and asks nothing of the database: a new process would not mend
    that."""
    return Response(Liveness().model_dump_json(), 200, {"Cache-Control": "no-store"}, "application/json")
