"""Report mail: the audit trail, and leaving it. The token in the link of a mail is the right to leave; no key is
needed for that."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from api.caching import NOT_MODIFIED, answer_by_content
from api.dependencies import CurrentReader, NoQuery
from api.exports import answer_pages
from api.paging import LINKED
from api.problems import GoneError, documented
from api.reports.commands import MailPreferences
from api.reports.queries import AuditTrail
from api.reports.schemas import Report, ReportFilters, ReportList, ReportResponse
from api.routing import ApiRoute
from api.state import from_state
from core.roles import Role

router = APIRouter(prefix="/api/reports", tags=["reports"], responses=documented(400, 503), route_class=ApiRoute)

ReportId = Annotated[UUID, Path(description="Id of the mail.")]
Token = Annotated[UUID, Query(description="As in the mail's List-Unsubscribe header.")]

# Mail scanners follow links, so a GET must change nothing: it asks first.
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unsubscribe</title>
<form method="post"><p>No more mail of this kind?</p><button>Unsubscribe</button></form>
</html>
"""

# The links of mails that were sent before links had a token. Ids are no secret: the audit trail shows them.
OLD_LINK = (
    "This link is from an older mail, and works no more. Please use “unsubscribe” on a newer one, or answer this one."
)
OLD_LINK_PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unsubscribe</title>
<p>{OLD_LINK}</p>
</html>
"""

# A mail may do no more here than in a mail program: no scripts, nothing from elsewhere, and links in a new window.
MAIL_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; "
        "sandbox allow-popups allow-popups-to-escape-sandbox"
    ),
    "X-Frame-Options": "SAMEORIGIN",
    "Cache-Control": "private, no-cache",
}
LINKS_IN_NEW_WINDOW = '<base target="_blank">'


AuditTrailDep = Annotated[AuditTrail, from_state("audit_trail")]
MailPreferencesDep = Annotated[MailPreferences, from_state("mail_preferences")]


@router.get("", response_model=ReportList, responses=NOT_MODIFIED | LINKED | documented(401, 403))
async def list_reports(
    request: Request, caller: CurrentReader, trail: AuditTrailDep, filters: Annotated[ReportFilters, Query()]
) -> Response:
    """Sent, queued and unsent mail and chat messages, newest first. Only admins see addresses."""
    read = partial(trail.page, with_addresses=caller.role is Role.ADMIN)
    return await answer_pages(request, caller, "reports", Report, filters, read)


@router.get("/{report_id}", response_model=ReportResponse, responses=NOT_MODIFIED | documented(401, 403, 404))
async def get_report(
    request: Request, caller: CurrentReader, trail: AuditTrailDep, report_id: ReportId, _: NoQuery
) -> Response:
    """One mail, with its text as given to the provider. The role `read` does not see the text of mail about appeals,
    which quotes the tutor."""
    return answer_by_content(request, await trail.report(report_id, caller.role))


@router.get("/{report_id}/html", response_class=HTMLResponse, responses=documented(401, 403, 404))
async def get_report_html(caller: CurrentReader, trail: AuditTrailDep, report_id: ReportId, _: NoQuery) -> Response:
    """The HTML part as an inert page, for a frame with `sandbox="allow-popups"`."""
    html = await trail.html(report_id, caller.role)
    return HTMLResponse(html.replace("<head>", f"<head>{LINKS_IN_NEW_WINDOW}", 1), headers=MAIL_HEADERS)


@router.post("/{report_id}/unsubscribe", response_class=PlainTextResponse, responses=documented(404, 410))
async def post_unsubscribe(
    preferences: MailPreferencesDep, report_id: ReportId, token: Token | None = None
) -> Response:
    """Stop this kind of mail for its recipient (one click, RFC 8058). 410 for old links without a token."""
    if token is None:
        raise GoneError(OLD_LINK)
    kind = await preferences.unsubscribe(report_id, token)
    return PlainTextResponse(f"You will get no more mail of this kind ({kind.replace('_', ' ')}).\n")


@router.get(
    "/{report_id}/unsubscribe",
    response_class=HTMLResponse,
    responses={410: {"description": "An old link without a token", "content": {"text/html": {}}}},
)
async def get_unsubscribe(report_id: ReportId, token: Token | None = None) -> Response:  # noqa: ARG001
    """The page behind the link in a mail: a button that posts."""
    return HTMLResponse(OLD_LINK_PAGE, 410) if token is None else HTMLResponse(PAGE)
