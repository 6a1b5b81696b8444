"""The tutor's own page. A link opens it: its token goes from behind the `#` into a cookie, never into an address."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from api import bodies
from api.addresses import address_of
from api.appeals.commands import Appeals
from api.appeals.endpoints import AppealsDep
from api.appeals.schemas import GREATEST_ID, MOST_SESSIONS, Objection
from api.key_ring import Refused, Why
from api.limits import ActionLimit, FailureLimit
from api.my.forms import read_form
from api.my.pages import Pages, is_proof
from api.my.queries import OwnPages
from api.my.schemas import OwnPage
from api.page_links.commands import PageLinks, Visitor
from api.page_links.endpoints import PageLinksDep
from api.problems import ApiError, ConflictError, ForbiddenError, InvalidRequestError, NotFoundError
from api.refusals import Refusals
from api.routing import ApiRoute
from api.state import from_state
from core.appeals import TUTOR
from core.audit import Action
from core.concerns import Concern, ConcernName

COOKIE = "tutorq_page"
COOKIE_PATH = "/my"
# Then the link opens the page again; it stays in the mail, and not in a browser that others use, too.
COOKIE_SECONDS = 2 * 60 * 60
LONGEST_TOKEN = 2_000
MOST_PAGES = 1_000
LINK_OVER = "This link no longer works. Open the newest mail about your teaching, or ask for a new link."
OPEN_LINK = "Open your page by the link from your mail."
NOTHING_YET = "There are no figures about your teaching yet. Come back after your first sessions."
TICK_SOMETHING = "Tick the sessions that are wrong first."
FILL_IN = "Say what is wrong, and what happened, in up to 1,000 characters."
NOT_HERE = "This does not count against you any more, or your appeal about it is open."
HEADINGS = {403: "This form is too old", 404: "Not found", 429: "Too many tries", 503: "Come back in a minute"}


class PageRoute(ApiRoute):
    """Errors are pages, too: their reader is no program."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            pages: Pages = request.state.pages
            try:
                return await answer(request)
            except RequestValidationError:
                return pages.problem("Not found", "This address is not complete.", 404)
            except ApiError as error:
                heading = HEADINGS.get(error.status, "That did not work")
                return pages.problem(heading, error.detail, error.status, error.headers)

        return handle


# No operations of the API: a browser is their only caller.
router = APIRouter(prefix="/my", include_in_schema=False, route_class=PageRoute)

PagesDep = Annotated[Pages, from_state("pages")]
OwnPagesDep = Annotated[OwnPages, from_state("own_pages")]
AppealNumber = Annotated[int, Path(ge=1, le=GREATEST_ID)]
PageNumber = Annotated[int, Query(ge=1, le=MOST_PAGES)]


@router.get("/open")
async def get_opening(pages: PagesDep) -> Response:
    """Where links lead: the same for everybody, since the token stands behind the `#`."""
    return pages.opening()


@router.post("/open")
async def post_opening(request: Request, pages: PagesDep, links: PageLinksDep) -> Response:
    """Take the token out of a link, and go on to the page."""
    # Another site could put its own tutor's page before somebody. Older browsers send no such header.
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise ForbiddenError(OPEN_LINK)
    form = await read_form(request)
    given = form.one("token").rpartition("token=")[2].strip()
    if not 0 < len(given) <= LONGEST_TOKEN or await links.visitor(given) is None:
        await _note_failure(request)
        return pages.opening(403, LINK_OVER)
    response = _to("/my")
    response.set_cookie(
        COOKIE,
        given,
        max_age=COOKIE_SECONDS,
        path=COOKIE_PATH,
        secure=_is_https(request),
        httponly=True,
        samesite="strict",
    )
    return response


@router.get("")
async def get_own_page(
    request: Request,
    pages: PagesDep,
    links: PageLinksDep,
    own: OwnPagesDep,
    page: PageNumber = 1,
    sent: int | None = None,
) -> Response:
    """The tutor's page."""
    cookie, visitor = await _reader(request, links)
    if visitor is None:
        return await _closed(request, pages, cookie)
    return pages.own(await _known(own, visitor.tutor_id, page=page), cookie, page, sent)


@router.get("/appeal")
async def get_appeal_form(request: Request, pages: PagesDep, links: PageLinksDep, own: OwnPagesDep) -> Response:
    """The form of an appeal about the ticked sessions, or about a concern."""
    cookie, visitor = await _reader(request, links)
    if visitor is None:
        return await _closed(request, pages, cookie)
    query = request.query_params
    page, concern = await _about(own, visitor.tutor_id, query.getlist("session"), query.get("concern"))
    return pages.appeal(page, cookie, concern)


@router.post("/appeal")
async def post_own_appeal(
    request: Request, pages: PagesDep, links: PageLinksDep, own: OwnPagesDep, appeals: AppealsDep
) -> Response:
    """Send an appeal, and go back to the page, which says until when there will be an answer."""
    cookie, visitor = await _reader(request, links)
    if visitor is None:
        return await _closed(request, pages, cookie)
    form = await read_form(request)
    _check(form.one("proof"), cookie)
    sessions, concern_name = form.all("session"), form.one("concern") or None
    reason, text = form.one("reason"), form.one("text")
    body = {"session_ids": sessions, "concern": concern_name, "reason": reason, "text": text}
    await _limit(request, visitor.tutor_id)
    try:
        appeal_id = await _send(appeals, visitor, body)
    except (ConflictError, InvalidRequestError) as error:
        page, concern = await _about(own, visitor.tutor_id, sessions, concern_name)
        detail = error.detail if isinstance(error, ConflictError) else _what_is_wrong(error)
        return pages.appeal(page, cookie, concern, reason=reason, text=text, error=detail, status=error.status)
    return _to(f"/my?sent={appeal_id}")


@router.post("/appeals/{appeal_id}/withdrawal")
async def post_own_withdrawal(
    request: Request, pages: PagesDep, links: PageLinksDep, appeals: AppealsDep, appeal_id: AppealNumber
) -> Response:
    """Take an appeal back."""
    cookie, visitor = await _reader(request, links)
    if visitor is None:
        return await _closed(request, pages, cookie)
    _check((await read_form(request)).one("proof"), cookie)
    await appeals.withdraw(appeal_id, TUTOR, tutor_id=visitor.tutor_id, link_made_by=visitor.link_made_by)
    return _to(f"/my#appeal-{appeal_id}")


@router.post("/leave")
async def post_leaving(request: Request) -> Response:
    """Forget the page at this browser; the link goes on working."""
    return _without_cookie(request, _to("/my/open"))


async def _reader(request: Request, links: PageLinks) -> tuple[str, Visitor | None]:
    """The cookie, and whose page it opens; None if nobody's."""
    cookie = request.cookies.get(COOKIE, "")
    return cookie, await links.visitor(cookie) if 0 < len(cookie) <= LONGEST_TOKEN else None


async def _closed(request: Request, pages: Pages, cookie: str) -> Response:
    """Who has no link, or one that is over, is asked for another one."""
    if not cookie:
        return pages.opening(401, OPEN_LINK)
    await _note_failure(request)
    return _without_cookie(request, pages.opening(401, LINK_OVER))


async def _known(own: OwnPages, tutor_id: UUID, *, page: int = 1, session_ids: list[UUID] | None = None) -> OwnPage:
    found = await own.of(tutor_id, page=page, session_ids=session_ids)
    if found is None:
        raise NotFoundError(NOTHING_YET)
    return found


async def _about(
    own: OwnPages, tutor_id: UUID, sessions: list[str], concern: str | None
) -> tuple[OwnPage, Concern | None]:
    """What an appeal is about: a concern, or the page with these sessions alone."""
    ids = [found for each in sessions[:MOST_SESSIONS] if (found := _uuid(each)) is not None]
    page = await _known(own, tutor_id, session_ids=ids)
    if concern is not None:
        raised = next((each for each in page.concerns if each.concern == concern), None)
        if raised is None or page.has_open_appeal(ConcernName(concern)):
            raise NotFoundError(NOT_HERE)
        return page, raised
    if not sessions:
        raise NotFoundError(TICK_SOMETHING)
    page.sessions = [each for each in page.sessions if each.can_be_appealed]
    if not page.sessions:
        raise NotFoundError(NOT_HERE)
    return page, None


async def _send(appeals: Appeals, visitor: Visitor, body: dict[str, Any]) -> int:
    try:
        wanted = Objection.model_validate(body)
    except ValidationError as error:
        raise bodies.invalid(bodies.errors_of(error)) from error
    return await appeals.open(visitor.tutor_id, wanted, TUTOR, link_made_by=visitor.link_made_by)


def _what_is_wrong(error: InvalidRequestError) -> str:
    is_form = all(each.field in ("reason", "text") for each in error.errors or [])
    return FILL_IN if is_form else NOT_HERE


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _check(proof: str, cookie: str) -> None:
    if not is_proof(proof, cookie):
        raise ForbiddenError("Go back to your page, and send it again.")


async def _limit(request: Request, tutor_id: UUID) -> None:
    limit: ActionLimit = request.state.appeal_limit
    await limit.spend(tutor_id)


async def _note_failure(request: Request) -> None:
    """
    Raises:
        TooManyLogInsError: this address has failed too often. A link that works never gets here.
    """
    address = address_of(request)
    refusals: Refusals = request.state.refusals
    refusals.note(Action.PAGE_LINK_REFUSED, address, Refused(Why.UNKNOWN))
    limit: FailureLimit = request.state.failed_page_limit
    await limit.note(address)


def _to(address: str) -> RedirectResponse:
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


def _without_cookie(request: Request, response: Response) -> Response:
    response.delete_cookie(COOKIE, path=COOKIE_PATH, secure=_is_https(request), httponly=True, samesite="strict")
    return response


def _is_https(request: Request) -> bool:
    """As the browser sees it."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
