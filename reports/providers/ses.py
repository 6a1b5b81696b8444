"""Amazon SES, by its SMTP interface: no AWS package is needed, and its replies carry the message's id."""

from core.errors import TutorqError
from core.settings import Settings
from reports.providers.smtp import SmtpProvider, SmtpServer

PORT = 587


def ses_provider(settings: Settings) -> SmtpProvider:
    """SMTP with host and port preset for a region, and encryption demanded.

    Raises:
        TutorqError: region or credentials are missing.
    """
    if not (settings.ses_region or settings.ses_endpoint_url):
        raise TutorqError("TUTORQ_MAIL_PROVIDER=ses needs TUTORQ_SES_REGION, for example eu-central-1")
    if not (settings.ses_smtp_username and settings.ses_smtp_password):
        raise TutorqError("TUTORQ_MAIL_PROVIDER=ses needs TUTORQ_SES_SMTP_USERNAME and TUTORQ_SES_SMTP_PASSWORD")
    endpoint = settings.ses_endpoint_url or f"email-smtp.{settings.ses_region}.amazonaws.com:{PORT}"
    server = SmtpServer.from_url(endpoint if "://" in endpoint else f"smtp://{endpoint}")
    return SmtpProvider(
        SmtpServer(
            server.host,
            server.port,
            settings.ses_smtp_username,
            settings.ses_smtp_password.get_secret_value(),
            implicit_tls=server.implicit_tls,
            starttls=not server.implicit_tls,
        ),
        name="ses",
    )
