"""Proof that a webhook comes from the service: HMAC-SHA256 over its body, in each service's own form."""

import base64
import hmac
import time
from hashlib import sha256

from core.errors import TutorqError

# A recording that somebody sends again is refused after this, and does nothing before: each version counts once.
OLDEST_SECONDS = 300


class ForgedError(TutorqError):
    """The signature is missing, wrong or too old."""


def calcom(key: str, body: bytes, signature: str) -> None:
    """`X-Cal-Signature-256`: hex over the body.

    Raises:
        ForgedError: it is not that.
    """
    _require(_digest(key, body).hex(), signature)


def acuity(key: str, body: bytes, signature: str) -> None:
    """`X-Acuity-Signature`: base64 over the body, by the API key.

    Raises:
        ForgedError: it is not that.
    """
    _require(base64.b64encode(_digest(key, body)).decode(), signature)


def calendly(key: str, body: bytes, signature: str) -> None:
    """`Calendly-Webhook-Signature`: t=UNIX TIME,v1=HEX over `t.body`.

    Raises:
        ForgedError: it is not that, or of more than five minutes ago or ahead.
    """
    parts = dict(part.strip().partition("=")[::2] for part in signature.split(","))
    _timely(parts.get("t", ""))
    _require(_digest(key, parts["t"].encode() + b"." + body).hex(), parts.get("v1", ""))


CHECKS = {"calcom": calcom, "acuity": acuity, "calendly": calendly}


def _digest(key: str, message: bytes) -> bytes:
    return hmac.new(key.encode(), message, sha256).digest()


def _timely(stamp: str) -> None:
    if not (stamp.isascii() and stamp.isdecimal() and abs(time.time() - int(stamp[:20])) <= OLDEST_SECONDS):
        raise ForgedError("The signature is missing, or of another time.")


def _require(wanted: str, given: str) -> None:
    if not hmac.compare_digest(wanted.encode(), given.strip().encode()):
        raise ForgedError("The signature is missing or wrong.")
