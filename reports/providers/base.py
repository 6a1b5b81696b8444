"""What a provider gets, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import formatdate
from typing import Literal, Protocol
from uuid import UUID

import idna

SENDER_NAME = "tutorq"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person, ready to be sent. `report_id` is the row of the outbox."""

    report_id: UUID
    kind: str
    sender: str
    recipient: str
    subject: str
    text: str
    html: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def message_id(self) -> str:
        """The same at every attempt, so that a receiver can tell a repetition."""
        return f"<{self.report_id}@{with_ascii_domain(self.sender).rpartition('@')[2]}>"

    @property
    def needs_utf8(self) -> bool:
        """Whether a letter such as ä stands before the @, which not every server takes (RFC 6531)."""
        return not with_ascii_domain(self.recipient).isascii()

    def to_message(self) -> EmailMessage:
        """As MIME: text and HTML as alternatives.

        Raises:
            ValueError: an address is none.
        """
        message = EmailMessage(policy=SMTPUTF8 if self.needs_utf8 else SMTP)
        message["From"] = Address(SENDER_NAME, addr_spec=with_ascii_domain(self.sender))
        name, _, domain = with_ascii_domain(self.recipient).rpartition("@")
        message["To"] = (
            Address(username=name, domain=domain) if self.needs_utf8 else Address(addr_spec=f"{name}@{domain}")
        )
        message["Subject"] = self.subject
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = self.message_id()
        for name, value in self.headers.items():
            message[name] = value
        message.set_content(self.text)
        message.add_alternative(self.html, subtype="html")
        return message


def with_ascii_domain(address: str) -> str:
    """An address as mail servers take it: a domain with letters such as ä in its other form (RFC 5891), `xn--…`.

    Raises:
        ValueError: there is no such domain.
    """
    name, at, domain = address.rpartition("@")
    return address if domain.isascii() else f"{name}{at}{idna.encode(domain, uts46=True).decode()}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mail.

    - `accepted`: the provider has it.
    - `refused`: it has not taken it, and would not take it at another attempt.
    - `later`: it has certainly not taken it; another attempt is safe. `pause_seconds` is its own wish for how
      long to wait; `concerns_all`: other mails would fare alike.
    - `unknown`: it may or may not have taken it; only a person or the provider's own records can tell.

    `answer_code` is the HTTP status of a webhook's receiver.
    """

    outcome: Literal["accepted", "refused", "later", "unknown"]
    reason: str | None = None
    message_id: str | None = None
    pause_seconds: float | None = None
    concerns_all: bool = False
    answer_code: int | None = None


class Provider(Protocol):
    """Hands a mail over. `name` goes into the audit trail."""

    name: str

    def send(self, mail: Mail) -> Verdict:
        """Try once, within seconds. Everything the outside world does is a verdict, not an exception."""
        ...
