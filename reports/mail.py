"""The channel mail: a row of the outbox becomes a mail, and a provider gets it."""

from uuid import UUID

import psycopg

from core import locks
from core.errors import TutorqError
from core.sealing import text_sealer
from core.settings import Settings
from reports import delivery
from reports.delivery import Channel, Claimed
from reports.links import KEPT, made_when_sent
from reports.providers import Mail, Provider, Verdict
from reports.render import render

# What stands in the stored text in place of a secret.
NOT_KEPT = "…"

# What somebody does not want, or no longer, is settled here, at the last moment; the rest is claimed one by one.
SUPPRESS = """
with unwanted as (
    select
        report.report_id,
        case
            when suppression.address is not null then 'the address is suppressed: ' || suppression.reason
            when opt_out.address is not null then 'the recipient has opted out of ' || report.kind
            when target.is_gone then 'the person is not active any more, or has another address'
            else 'asked for more than 30 minutes ago'
        end as why
    from app.email_reports as report
    left join app.mail_suppressions as suppression on suppression.address = lower(report.recipient)
    left join app.mail_opt_outs as opt_out
        on opt_out.address = lower(report.recipient) and opt_out.kind = report.kind
    -- What somebody asked to be told of is not for whoever reads that mailbox now.
    cross join lateral (
        select
            starts_with(report.payload ->> 'target', 'person:')
            and not exists (
                select from app.people
                where
                    'person:' || people.person_id = report.payload ->> 'target'
                    and people.is_active and lower(people.email) = lower(report.recipient)
            ) as is_gone
    ) as target
    where
        report.state = 'queued' and report.channel = 'mail'
        and (
            suppression.address is not null
            or opt_out.address is not null
            or target.is_gone
            -- Who has asked for it waits no longer, and a link that works should not arrive hours later.
            or (report.kind = 'log_in_link' and report.created_at < now() - interval '30 minutes')
        )
    for update of report skip locked
)

update app.email_reports as report
set state = 'suppressed', error = unwanted.why, settled_at = now()
from unwanted
where report.report_id = unwanted.report_id
"""


class MailChannel(Channel):
    """Hands mail to a provider, which cannot tell a repetition: an unknown outcome stays unknown."""

    name = "mail"
    lock = locks.MAIL_SENDER

    def __init__(self, settings: Settings, provider: Provider) -> None:
        self._settings = settings
        self._provider = provider
        self.provider = provider.name

    def suppress(self, connection: psycopg.Connection) -> int:
        return connection.execute(SUPPRESS).rowcount

    def attempt(self, connection: psycopg.Connection, row: Claimed) -> Verdict:
        try:
            # Made only now: in the outbox it would be for everybody who may look at mail, and grow old.
            link = made_when_sent(self._settings, connection, row.kind, row.recipient, row.payload)
            mail = self._mail(row, link)
        except Exception as error:
            # Nothing has left yet, and another attempt would end alike. The error may quote data.
            return Verdict("refused", f"no mail can be made of it ({type(error).__name__})")
        text, html = (_without_token(part, link) for part in (mail.text, mail.html))
        try:
            delivery.keep_body(connection, row, text_sealer(self._settings), text, html)
        except TutorqError as error:
            return Verdict("later", str(error))
        return self._provider.send(mail)

    def _mail(self, row: Claimed, link: str | None) -> Mail:
        settings = self._settings
        rendered = render(settings, row.kind, row.subject, row.payload | ({"link": link} if link else {}))
        mail = Mail(
            report_id=row.report_id,
            kind=row.kind,
            sender=settings.mail_from,
            recipient=row.recipient,
            subject=row.subject,
            text=rendered.text,
            html=rendered.html,
            headers={}
            if row.kind in KEPT
            else unsubscribe_headers(settings, row.kind, row.report_id, row.unsubscribe_token),
        )
        mail.to_message()
        return mail


def unsubscribe_headers(settings: Settings, kind: str, report_id: UUID, token: UUID) -> dict[str, str]:
    """RFC 2369 and, where the API can be reached from outside, RFC 8058."""
    by_mail = f"<mailto:{settings.mail_from}?subject=unsubscribe%20{kind}>"
    if settings.public_url is None:
        return {"List-Unsubscribe": by_mail}
    by_click = f"<{settings.public_url.rstrip('/')}/api/reports/{report_id}/unsubscribe?token={token}>"
    return {"List-Unsubscribe": f"{by_click}, {by_mail}", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _without_token(text: str, link: str | None) -> str:
    return text.replace(link.partition("token=")[2], NOT_KEPT) if link else text
