"""Ways for a mail to leave; `provider_from` picks the one of the settings."""

from reports.providers.base import Mail, Provider, Verdict
from reports.providers.choice import provider_from

__all__ = ["Mail", "Provider", "Verdict", "provider_from"]
