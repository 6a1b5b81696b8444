"""The audit log: read by admins, written by whoever does something."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import bodies
from api.audit.queries import AuditLog
from api.audit.schemas import AuditEntry, AuditFilters, AuditList, ExportNote
from api.caching import NOT_MODIFIED
from api.dependencies import AuditWriterDep, CurrentAdmin, CurrentReader, NoQuery
from api.description import body_of
from api.exports import answer_pages
from api.limits import ActionLimit
from api.paging import LINKED
from api.problems import documented
from api.routing import ApiRoute
from api.state import from_state
from core.audit import Action, Entry

MOST_BYTES = 1 << 10

router = APIRouter(prefix="/api/audit", tags=["audit"], responses=documented(400, 401, 403, 503), route_class=ApiRoute)

AuditLogDep = Annotated[AuditLog, from_state("audit_log")]
ExportLimitDep = Annotated[ActionLimit, from_state("export_limit")]


@router.get("", response_model=AuditList, responses=NOT_MODIFIED | LINKED)
async def list_audit_entries(
    request: Request, caller: CurrentAdmin, log: AuditLogDep, filters: Annotated[AuditFilters, Query()]
) -> Response:
    """Manual actions and refused requests, newest first. For admins."""
    return await answer_pages(request, caller, "audit", AuditEntry, filters, log.page)


@router.post(
    "/exports",
    status_code=204,
    response_class=Response,
    responses=documented(413, 415, 429),
    openapi_extra=body_of(ExportNote, bodies.JSON),
)
async def post_export(
    request: Request, caller: CurrentReader, audit: AuditWriterDep, limit: ExportLimitDep, _: NoQuery
) -> None:
    """Record that data were exported as a file; the dashboard does this before it offers one."""
    note = await bodies.read_model(request, ExportNote, MOST_BYTES)
    await limit.spend(caller.actor)
    await audit.record(Entry(caller.actor, Action.EXPORT, "export", note.what, {"rows": note.rows}))
