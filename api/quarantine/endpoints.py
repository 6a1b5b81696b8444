"""The quarantine: rows that could not be taken, and their dismissal. For who sends data, and for leads."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import bodies
from api.caching import NOT_MODIFIED
from api.dependencies import CurrentIngester, NoQuery
from api.exports import answer_pages
from api.paging import LINKED
from api.problems import FieldError, documented
from api.quarantine.commands import Dismissals
from api.quarantine.queries import Quarantine
from api.quarantine.schemas import Dismissed, QuarantineConditions, QuarantineFilters, QuarantineList, RefusedRow
from api.routing import ApiRoute
from api.state import from_state

router = APIRouter(
    prefix="/api/quarantine", tags=["quarantine"], responses=documented(400, 401, 403, 503), route_class=ApiRoute
)

QuarantineDep = Annotated[Quarantine, from_state("quarantine")]
DismissalsDep = Annotated[Dismissals, from_state("dismissals")]
QuarantineId = Annotated[int, Path(ge=1, le=2**63 - 1, description="`quarantine_id` in the list.")]


@router.delete("/{quarantine_id}", status_code=204, response_class=Response, responses=documented(404))
async def delete_quarantine_row(
    caller: CurrentIngester, dismissals: DismissalsDep, quarantine_id: QuarantineId, _: NoQuery
) -> None:
    """Dismiss one row. If the same row arrives again, it returns to quarantine."""
    await dismissals.dismiss(quarantine_id, caller.actor)


@router.get("", response_model=QuarantineList, responses=NOT_MODIFIED | LINKED)
async def list_quarantine(
    request: Request, caller: CurrentIngester, quarantine: QuarantineDep, filters: Annotated[QuarantineFilters, Query()]
) -> Response:
    """Refused rows of files and posts with their reasons, the last seen first. Includes remarks on rows stored without
    some cells (`is_remark`)."""
    return await answer_pages(request, caller, "quarantine", RefusedRow, filters, quarantine.page)


@router.delete("", response_model=Dismissed)
async def delete_quarantine_rows(
    caller: CurrentIngester, dismissals: DismissalsDep, conditions: Annotated[QuarantineConditions, Query()]
) -> Dismissed:
    """Dismiss all rows that match; at least one condition is required. With `until`, newer rows stay."""
    if not conditions.model_dump(exclude_none=True):
        message = "name at least one condition: entity, source, id, search, is_remark, since or until"
        raise bodies.invalid([FieldError(field="query", message=message)])
    return Dismissed(dismissed=await dismissals.dismiss_all(conditions, caller.actor))
