"""What is sent and when, and previews of it, made of the newest figures."""

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import psycopg

from api.callers import AnyCaller
from api.database import with_app_tables
from api.problems import DatabaseUnavailableError, NotFoundError
from api.report_kinds.schemas import KindOfMail, KindsMeta, KindsResponse, Preview, PreviewedMail, PreviewResponse
from api.turns import Turns
from core.database import Database
from core.errors import DatabaseUnreachableError
from core.settings import Settings
from reports.kinds import KINDS, Audience, ReportKind, off_because
from reports.kinds import KindOfMail as Known
from reports.outbox import Draft
from reports.preview import NothingToShowError, draft_of
from reports.render import Rendered, render
from reports.weekly import LEADS, recipients

# Each reads some thousand rows, and holds a connection of its own meanwhile.
PREVIEWS_PER_CALLER, PREVIEWS_IN_ALL = 2, 4
PATIENCE_SECONDS = 10
STATEMENT_SECONDS = 10

HAS_BEGUN = "select exists (select from app.report_switches)"
# $1: kinds. A test has told nobody anything.
LAST_SENT = """
select kinds.kind, last.report_id, last.settled_at
from unnest($1::text[]) as kinds (kind)
cross join lateral (
    select report.report_id, report.settled_at
    from app.email_reports as report
    where report.kind = kinds.kind and report.state = 'sent' and not starts_with(report.topic, 'test:')
    order by report.settled_at desc
    limit 1
) as last
"""


class Kinds:
    """Reads the state of every kind of mail, and makes previews in threads.

    Raises (every method):
        DatabaseUnavailableError: the server cannot be reached, or not in time.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings, database: Database) -> None:
        self._pool = pool
        self._settings = settings
        self._database = database
        self._turns = Turns("previews", per_key=PREVIEWS_PER_CALLER, in_all=PREVIEWS_IN_ALL)

    async def listed(self, *, with_addresses: bool) -> bytes:
        """A `KindsResponse`, in the order of the list."""

        async def work(connection: Any) -> tuple[bool, list[str], dict[str, Any]]:
            has_begun = await connection.fetchval(HAS_BEGUN)
            leads = await connection.fetch(LEADS, self._settings.mail_provider == "file")
            last = await connection.fetch(LAST_SENT, [kind.value for kind in KINDS])
            return has_begun, [row["email"] for row in leads], {row["kind"]: row for row in last}

        has_begun, leads, last = await with_app_tables(self._pool, work)
        addresses = {
            Audience.STAFF: self._settings.staff_addresses,
            Audience.LEADS: recipients(self._settings, leads),
        }
        now = datetime.now(ZoneInfo(self._settings.timezone))
        kinds = [
            self._kind(known, addresses.get(known.audience), last.get(known.kind), now if has_begun else None)
            for known in KINDS.values()
        ]
        if not with_addresses:
            for kind in kinds:
                kind.recipients = kind.recipients and [_masked(address) for address in kind.recipients]
        meta = KindsMeta(provider=self._settings.mail_provider, timezone=self._settings.timezone, has_begun=has_begun)
        return KindsResponse(data=kinds, meta=meta).model_dump_json().encode()

    async def preview(self, kind: ReportKind, caller: AnyCaller) -> bytes:
        """A `PreviewResponse`."""
        try:
            mail = await self._rendered(kind, caller)
        except NothingToShowError as nothing:
            preview = Preview(kind=kind, mail=None, missing=_sentence(nothing))
        else:
            shown = PreviewedMail(subject=mail.subject, text=mail.text, html=mail.html)
            preview = Preview(kind=kind, mail=shown, missing=None)
        return PreviewResponse(data=preview).model_dump_json().encode()

    async def html(self, kind: ReportKind, caller: AnyCaller) -> str:
        """The HTML part of a preview.

        Raises:
            NotFoundError: there is nothing yet that such a mail could be made of.
        """
        try:
            return (await self._rendered(kind, caller)).html
        except NothingToShowError as nothing:
            raise NotFoundError(_sentence(nothing)) from None

    async def draft(self, kind: ReportKind, caller: AnyCaller) -> Draft:
        """A mail of this kind as it would be queued now, for nobody.

        Raises:
            NothingToShowError: there is nothing yet that such a mail could be made of.
            NotFoundError: mail of this kind has no preview.
        """
        if not KINDS[kind].has_preview:
            raise NotFoundError("A log-in link has no preview: it would work.")
        async with self._turns.turn(caller, PATIENCE_SECONDS):
            return await asyncio.to_thread(self._draft, kind)

    async def _rendered(self, kind: ReportKind, caller: AnyCaller) -> Rendered:
        draft = await self.draft(kind, caller)
        return await asyncio.to_thread(render, self._settings, kind, draft.subject, draft.payload)

    def _draft(self, kind: ReportKind) -> Draft:
        try:
            with self._database.connect() as connection:
                connection.execute(f"set local statement_timeout = '{STATEMENT_SECONDS}s'")
                return draft_of(self._settings, connection, kind)
        except psycopg.errors.QueryCanceled as error:
            raise DatabaseUnavailableError("It took too long to answer.") from error
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            raise DatabaseUnavailableError("The tables of the scores are being rebuilt.") from error
        except (DatabaseUnreachableError, psycopg.OperationalError) as error:
            raise DatabaseUnavailableError("Please try again in a moment.") from error

    def _kind(
        self, known: Known, addresses: Sequence[str] | None, last: Any | None, now: datetime | None
    ) -> KindOfMail:
        off = off_because(known.kind, self._settings, addresses or ())
        return KindOfMail(
            kind=known.kind,
            title=known.title,
            about=known.about,
            audience=known.audience,
            recipients=None if addresses is None else list(addresses),
            when=known.when,
            next_at=known.schedule.next_after(now) if known.schedule and now and off is None else None,
            is_on=off is None,
            off_because=off,
            setting=known.setting,
            last_sent_at=last and last["settled_at"],
            last_report_id=last and last["report_id"],
            has_preview=known.has_preview,
        )


def _masked(address: str) -> str:
    """As the audit trail masks it: `head@example.org` -> `h…@example.org`"""
    return re.sub(r"^(.).*@", r"\1…@", address)


def _sentence(nothing: NothingToShowError) -> str:
    text = str(nothing)
    return f"{text[:1].upper()}{text[1:]}."
