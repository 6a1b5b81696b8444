"""Proof that a request comes from SendGrid: ECDSA over its time and its body."""

import time

from api.problems import UnauthorizedError
from core.errors import TutorqError

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"
# SendGrid repeats what was not taken for a day. A recording of a request does nothing: each event counts once.
OLDEST_SECONDS = 25 * 3600
MOST_AHEAD_SECONDS = 600


class SendGridSignatures:
    """Checks requests against the verification key that SendGrid shows in its settings.

    Raises:
        TutorqError: that is no such key.
    """

    def __init__(self, key: str) -> None:
        # The package loads all of SendGrid's API, which only those who use it should wait for.
        from sendgrid.helpers.eventwebhook import EventWebhook

        try:
            self._webhook = EventWebhook(key)
        except ValueError as error:
            raise TutorqError("TUTORQ_SENDGRID_WEBHOOK_KEY is no verification key of SendGrid's") from error

    def require(self, body: bytes, signature: str | None, timestamp: str | None) -> None:
        """
        Raises:
            UnauthorizedError: the signature is missing, wrong, too old, or from the future.
        """
        if not signature or not timestamp or not self._is_signed(body, signature, timestamp):
            raise UnauthorizedError("The signature is missing or wrong.")
        age = time.time() - int(timestamp) if timestamp.isdecimal() else float("inf")
        if not -MOST_AHEAD_SECONDS <= age <= OLDEST_SECONDS:
            raise UnauthorizedError("The signature is too old, or from the future.")

    def _is_signed(self, body: bytes, signature: str, timestamp: str) -> bool:
        try:
            return bool(self._webhook.verify_signature(body.decode(), signature, timestamp))
        except ValueError:  # the body is no text, or the signature no base64
            return False
