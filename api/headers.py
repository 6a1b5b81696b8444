"""Headers that tell a browser to be strict with what it gets from here."""

from collections.abc import Sequence

Header = tuple[bytes, bytes]

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
_OF_API = (*SAME_FOR_ALL, (POLICY, JSON_POLICY))
_OF_DASHBOARD = (*SAME_FOR_ALL, (POLICY, DASHBOARD_POLICY))


def protected(headers: Sequence[Header], path: str) -> list[Header]:
    """The answer's headers plus ours; a header that it has stays. Names are lower case.

    Ours are the same on every answer, but for a content policy that fits the path.
    """
    ours = _OF_API if path.startswith("/api") else _OF_DASHBOARD
    own = {name for name, _ in headers}
    return [*headers, *[header for header in ours if header[0] not in own]]
