"""From what is read to HTML. Words about concerns and sessions are those of the API and of mails."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from api.my.queries import PAGE_SIZE
from api.my.schemas import OwnPage
from core import appeals, concerns
from core.let_downs import in_words
from core.settings import Settings
from core.words import percent, plural
from reports.render import notice

FOLDER = Path(__file__).parent
STYLE = (FOLDER / "page.css").read_text()
SCRIPT = (FOLDER / "open.js").read_text()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# Only the page that opens a link runs a script, and both know their one style by its hash.
POLICY = (
    f"default-src 'none'; style-src {_hash(STYLE)}; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
OPENING_POLICY = f"{POLICY}; script-src {_hash(SCRIPT)}"
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


class Pages:
    """Renders every page of a tutor."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        zone = ZoneInfo(settings.timezone)
        environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Callable[..., Any]] = {
            "percent": percent,
            "plural": plural,
            "notice": notice,
            "verbs": in_words,
            "tally": tally,
            "day": _day,
            "date": lambda moment: _day(moment.astimezone(zone).date()),
            "when": lambda moment: _moment(moment.astimezone(zone)),
            "happened": lambda code: appeals.happened(code, "you"),
            "remedy": appeals.remedy,
            "reason": lambda code: appeals.REASONS[code],
            "state": lambda code: appeals.STATES[code],
            "title_of": concerns.title,
            "sentence": lambda concern, page: concerns.sentence(concern, page.rules, "You", page.recently),
            "ending": concerns.ending,
        }
        environment.filters.update(filters)
        environment.globals.update(
            style=Markup(STYLE),  # noqa: S704
            script=Markup(SCRIPT),  # noqa: S704
            zone=settings.timezone,
            appeal_days=settings.appeal_days,
            page_size=PAGE_SIZE,
        )
        self._environment = environment

    def own(self, page: OwnPage, cookie: str, number: int, sent: int | None) -> HTMLResponse:
        """The tutor's page; `sent` is the number of an appeal that has just been sent."""
        known = next((each for each in page.appeals if each.appeal_id == sent), None)
        return self._response(
            "page",
            200,
            page=page,
            proof=proof_of(cookie),
            number=number,
            first=(number - 1) * PAGE_SIZE + 1,
            sent=known,
        )

    def appeal(
        self,
        page: OwnPage,
        cookie: str,
        concern: concerns.Concern | None,
        *,
        reason: str = "",
        text: str = "",
        error: str | None = None,
        status: int = 200,
    ) -> HTMLResponse:
        """The form of an appeal about a concern, or about the sessions of `page`."""
        return self._response(
            "appeal", status, page=page, proof=proof_of(cookie), concern=concern, reasons=appeals.REASONS,
            longest=appeals.LONGEST_TEXT, reason=reason, text=text, error=error,
        )  # fmt: skip

    def opening(self, status: int = 200, error: str | None = None) -> HTMLResponse:
        """The page that a link leads to."""
        return self._response("open", status, {"Content-Security-Policy": OPENING_POLICY}, error=error)

    def problem(self, heading: str, detail: str, status: int, headers: dict[str, str] | None = None) -> HTMLResponse:
        """That something did not work."""
        return self._response("problem", status, headers, heading=heading, detail=detail)

    def _response(
        self, template: str, status: int, headers: dict[str, str] | None = None, **context: object
    ) -> HTMLResponse:
        body = self._environment.get_template(f"{template}.html.j2").render(context)
        return HTMLResponse(body, status, {**HEADERS, **(headers or {})})


def tally(page: OwnPage) -> str:
    """What the listed sessions count as: `142 count, 24 only began late, 19 do not count`"""
    counting, late = page.sessions_counting, page.sessions_late
    others = page.sessions_total - counting - late
    said = [f"{counting:,} {'counts' if counting == 1 else 'count'}"]
    if late:
        said.append(f"{late:,} only began late")
    if others:
        said.append(f"{others:,} {'does' if others == 1 else 'do'} not count")
    return ", ".join(said)


def proof_of(cookie: str) -> str:
    """What a form of this page holds, and a form of another site cannot: nobody else knows the cookie."""
    return hashlib.sha256(f"form of {cookie}".encode()).hexdigest()


def is_proof(given: str, cookie: str) -> bool:
    """Whether a form is ours."""
    return hmac.compare_digest(given.encode(), proof_of(cookie).encode())


def _day(day: date) -> str:
    return f"{day:%-d %B %Y}"


def _moment(moment: datetime) -> str:
    return f"{moment:%a %-d %B %Y, %H:%M}"
