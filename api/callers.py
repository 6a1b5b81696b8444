"""Who a request came from: a key, a browser, or a program with a token of the OpenID provider."""

from collections.abc import Hashable
from dataclasses import dataclass

from api.browser_sessions import BrowserCaller
from api.key_ring import Caller
from core.roles import Role


@dataclass(frozen=True, slots=True)
class TokenCaller:
    """The program that the provider's token names. It is no person, whatever its role. `subject` is what the provider
    knows it by; the name may be that of a client that several share."""

    name: str
    subject: str
    role: Role

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return f"{self.name} (token of {self.subject})"

    @property
    def counted_as(self) -> tuple[str, Hashable]:
        """Whose share of the server it takes."""
        return "token", self.subject


AnyCaller = Caller | BrowserCaller | TokenCaller
