"""Headers that tell a browser to be strict with what it gets from here."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAME_FOR_ALL = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
POLICY = b"content-security-policy"
JSON_POLICY = b"default-src 'none'; frame-ancestors 'none'"
# Mantine writes the variables of its theme, and sizes that depend on the window, into <style> elements whose text is
# not known beforehand: no list of hashes can name them. Scripts come from files alone.
DASHBOARD_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; frame-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'"
)


class SecurityHeaders:
    """Sets the same protective headers on every answer, and a content policy that fits what is sent.

    A header that the answer has already is left as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                ours = (*SAME_FOR_ALL, (POLICY, _policy(scope["path"])))
                message["headers"] = [*message["headers"], *(header for header in ours if header[0] not in own)]
            await send(message)

        await self.app(scope, receive, protected)


def _policy(path: str) -> bytes:
    return JSON_POLICY if path.startswith("/api") else DASHBOARD_POLICY
