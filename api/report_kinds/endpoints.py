"""Kinds of mail: what is sent when, a preview of each, and a test to oneself."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import HTMLResponse, Response

from api import bodies
from api.caching import NOT_MODIFIED, answer_by_content
from api.dependencies import CurrentReader, NoQuery
from api.problems import documented
from api.report_kinds.commands import MailTests
from api.report_kinds.queries import Kinds
from api.report_kinds.schemas import KindsResponse, PreviewResponse, QueuedTestResponse
from api.reports.endpoints import LINKS_IN_NEW_WINDOW, MAIL_HEADERS
from api.routing import ApiRoute
from api.state import from_state
from core.roles import Role
from reports.kinds import ReportKind

router = APIRouter(
    prefix="/api/reports/kinds", tags=["reports"], responses=documented(400, 401, 403, 503), route_class=ApiRoute
)

KindName = Annotated[ReportKind, Path(description="A kind of mail.")]
KindsDep = Annotated[Kinds, from_state("report_kinds")]
TestsDep = Annotated[MailTests, from_state("mail_tests")]


@router.get("", response_model=KindsResponse, responses=NOT_MODIFIED)
async def list_report_kinds(request: Request, caller: CurrentReader, kinds: KindsDep, _: NoQuery) -> Response:
    """Kinds of mail, their recipients and next times. Only admins see addresses."""
    return answer_by_content(request, await kinds.listed(with_addresses=caller.role is Role.ADMIN))


@router.get("/{kind}/preview", response_model=PreviewResponse, responses=NOT_MODIFIED | documented(404, 429))
async def get_report_preview(
    request: Request, caller: CurrentReader, kinds: KindsDep, kind: KindName, _: NoQuery
) -> Response:
    """A mail of this kind as it would look now, with the newest figures, or with made-up facts if it answers one
    person's action. Nothing is queued."""
    return answer_by_content(request, await kinds.preview(kind, caller))


@router.get("/{kind}/preview/html", response_class=HTMLResponse, responses=documented(404, 429))
async def get_report_preview_html(caller: CurrentReader, kinds: KindsDep, kind: KindName, _: NoQuery) -> Response:
    """The HTML part as an inert page, for a frame with `sandbox="allow-popups"`."""
    html = await kinds.html(kind, caller)
    return HTMLResponse(html.replace("<head>", f"<head>{LINKS_IN_NEW_WINDOW}", 1), headers=MAIL_HEADERS)


@router.post("/{kind}/test", status_code=202, response_model=QueuedTestResponse, responses=documented(404, 409, 429))
async def post_report_test(caller: CurrentReader, tests: TestsDep, kind: KindName, _: NoQuery) -> Response:
    """Mail yourself a test of this kind. You must be logged in as a person: a key has no address."""
    return Response(await tests.send(kind, caller), 202, media_type=bodies.JSON)
