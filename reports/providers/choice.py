"""The provider that the settings name."""

from core.errors import TutorqError
from core.settings import Settings
from reports.providers.base import Provider
from reports.providers.file import FileProvider
from reports.providers.sendgrid import SendGridProvider
from reports.providers.ses import ses_provider
from reports.providers.smtp import SmtpProvider, SmtpServer


def provider_from(settings: Settings) -> Provider:
    """Raises `TutorqError` if a setting that the provider needs is missing; connects to nothing."""
    match settings.mail_provider:
        case "smtp":
            if settings.smtp_url is None:
                raise TutorqError("TUTORQ_MAIL_PROVIDER=smtp needs TUTORQ_SMTP_URL")
            return SmtpProvider(SmtpServer.from_url(settings.smtp_url.get_secret_value()))
        case "sendgrid":
            if settings.sendgrid_api_key is None:
                raise TutorqError("TUTORQ_MAIL_PROVIDER=sendgrid needs TUTORQ_SENDGRID_API_KEY")
            return SendGridProvider(settings.sendgrid_api_key.get_secret_value(), settings.sendgrid_base_url)
        case "ses":
            return ses_provider(settings)
        case "file":
            return FileProvider(settings.outbox_dir)
