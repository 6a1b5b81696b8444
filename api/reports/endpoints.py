"""Report mail: leaving it. The random id in the mail's headers is the right to do so; no key is needed."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from api.problems import documented
from api.reports.commands import MailPreferences

router = APIRouter(prefix="/api/reports", tags=["reports"], responses=documented(400, 404, 503))

ReportId = Annotated[UUID, Path(description="Id of the mail, from its List-Unsubscribe header.")]

# Mail scanners follow links, so a GET must change nothing: it asks first.
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unsubscribe</title>
<form method="post"><p>No more mail of this kind?</p><button>Unsubscribe</button></form>
</html>
"""


async def _preferences(request: Request) -> MailPreferences:
    preferences = request.state.mail_preferences
    assert isinstance(preferences, MailPreferences)
    return preferences


@router.post("/{report_id}/unsubscribe", response_class=PlainTextResponse)
async def post_unsubscribe(
    preferences: Annotated[MailPreferences, Depends(_preferences)], report_id: ReportId
) -> Response:
    """Stop this kind of mail for its receiver (one click, RFC 8058)."""
    kind = await preferences.unsubscribe(report_id)
    return PlainTextResponse(f"You will get no more mail of this kind ({kind.replace('_', ' ')}).\n")


@router.get("/{report_id}/unsubscribe", response_class=HTMLResponse)
async def get_unsubscribe(report_id: ReportId) -> Response:  # noqa: ARG001
    """The page behind the link in a mail: a button that posts."""
    return HTMLResponse(PAGE)
