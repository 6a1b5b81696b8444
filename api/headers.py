"""Headers that tell a browser to be strict with what it gets from here."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DOCS_PATH = "/api/docs"

SAME_FOR_ALL = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
POLICY = b"content-security-policy"
JSON_POLICY = b"default-src 'none'; frame-ancestors 'none'"
# Swagger UI comes from its CDN and starts with a script in the page.
DOCS_POLICY = (
    b"default-src 'self'; script-src 'unsafe-inline' https://cdn.jsdelivr.net; "
    b"style-src 'unsafe-inline' https://cdn.jsdelivr.net; img-src 'self' data: https://fastapi.tiangolo.com; "
    b"frame-ancestors 'none'"
)
# The dashboard's component library sets styles in the page.
DASHBOARD_POLICY = (
    b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
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
    if path == DOCS_PATH:
        return DOCS_POLICY
    return JSON_POLICY if path.startswith("/api") else DASHBOARD_POLICY
