"""Mail through an SMTP server."""

import re
import smtplib
import ssl
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from core.errors import TutorqError
from reports.providers.base import Mail, Verdict, with_ascii_domain

TIMEOUT_SECONDS = 10.0
TRANSIENT = 400
PERMANENT = 500
SERVICE_UNAVAILABLE = 421
THROTTLED = 454
UNREADABLE = (
    "TUTORQ_SMTP_URL cannot be read; write smtp://user:password@host:587, and in user and password % as %25, @ as %40, "
    "/ as %2F, # as %23 and ? as %3F"
)
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where to deliver, and as whom. `starttls`: demand encryption before anything else is said."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    implicit_tls: bool = False
    starttls: bool = False

    @classmethod
    def from_url(cls, url: str) -> "SmtpServer":
        """From smtp://user:password@host:port or smtps://…; percent-encode special characters.

        Raises:
            TutorqError: it is no such URL. The text does not repeat it, for it may hold a password.
        """
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError:
            raise TutorqError(UNREADABLE) from None  # its text repeats a part of the URL
        if "@" in parts.path + parts.query + parts.fragment:
            raise TutorqError(UNREADABLE)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise TutorqError("TUTORQ_SMTP_URL must look like smtp://user:password@host:587 or smtps://…:465")
        implicit = parts.scheme == "smtps"
        return cls(
            parts.hostname,
            port or (465 if implicit else 587),
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
            implicit_tls=implicit,
        )


class SmtpProvider:
    """One connection per mail. The server's reply to the end of the message is the verdict."""

    def __init__(self, server: SmtpServer, *, name: str = "smtp", timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.name = name
        self._server = server
        self._timeout = timeout_seconds

    def send(self, mail: Mail) -> Verdict:
        content = mail.to_message().as_bytes()
        try:
            smtp = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            return Verdict("later", f"cannot connect to {self._server.host}: {_told(error)}", concerns_all=True)
        try:
            return self._before_content(smtp, mail) or self._content(smtp, content)
        finally:
            # The verdict is known; how the connection ends does not matter.
            smtp.close()

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.implicit_tls:
            return smtplib.SMTP_SSL(
                server.host, server.port, timeout=self._timeout, context=ssl.create_default_context()
            )
        return smtplib.SMTP(server.host, server.port, timeout=self._timeout)

    def _before_content(self, smtp: smtplib.SMTP, mail: Mail) -> Verdict | None:
        """All that comes before the message itself: whatever goes wrong here, nothing was sent."""
        server = self._server
        try:
            smtp.ehlo_or_helo_if_needed()
            # A relay on this machine needs no encryption, and mostly has a certificate that nobody has signed.
            if not server.implicit_tls and (server.starttls or server.host not in LOCAL_HOSTS):
                if smtp.has_extn("starttls"):
                    smtp.starttls(context=ssl.create_default_context())
                    smtp.ehlo()
                elif server.starttls or server.username:
                    return Verdict("later", f"{server.host} does not offer encryption (STARTTLS)", concerns_all=True)
            if server.username:
                smtp.login(server.username, server.password or "")
            options = ["BODY=8BITMIME", "SMTPUTF8"] if mail.needs_utf8 else []
            if mail.needs_utf8 and not smtp.has_extn("smtputf8"):
                return Verdict("refused", f"{server.host} takes no address with a letter such as ä before the @")
            sender, recipient = with_ascii_domain(mail.sender), with_ascii_domain(mail.recipient)
            for code, reply in (smtp.mail(sender, options), smtp.rcpt(recipient), smtp.docmd("DATA")):
                if code >= TRANSIENT:
                    return _verdict(code, reply)
        except UnicodeError:
            return Verdict("later", "user and password for SMTP may have ASCII characters only", concerns_all=True)
        except smtplib.SMTPAuthenticationError as error:
            return replace(_verdict(error.smtp_code, error.smtp_error), concerns_all=True)
        except smtplib.SMTPResponseException as error:
            return _verdict(error.smtp_code, error.smtp_error)
        except (OSError, smtplib.SMTPException) as error:
            return Verdict("later", f"before the message was sent: {_told(error)}", concerns_all=True)
        return None

    def _content(self, smtp: smtplib.SMTP, content: bytes) -> Verdict:
        """The message; from its first byte on, silence means that nobody knows."""
        stuffed = re.sub(rb"(?m)^\.", b"..", content)
        try:
            smtp.send((stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n") + b".\r\n")
            code, reply = smtp.getreply()
        except (OSError, smtplib.SMTPException) as error:
            return Verdict("unknown", f"no reply to the message: {_told(error)}")
        return _verdict(code, reply)


def _verdict(code: int, reply: bytes | str) -> Verdict:
    text = reply.decode("ascii", "replace") if isinstance(reply, bytes) else reply
    reason = f"{code} {' '.join(text.split())}"[:500]
    if code >= PERMANENT:
        return Verdict("refused", reason)
    if code >= TRANSIENT:
        return Verdict("later", reason, concerns_all=code in (SERVICE_UNAVAILABLE, THROTTLED))
    if code < 0:  # smtplib's word for a reply that is none
        return Verdict("unknown", f"a reply that cannot be understood: {reason}")
    return Verdict("accepted", message_id=text[:200])


def _told(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
