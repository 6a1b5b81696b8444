"""Links with a token, made when the mail that holds them is sent: in the outbox they would be for everybody who may
look at mail, and grow old."""

from typing import Any
from uuid import UUID

import psycopg

from core import logins, page_links, people
from core.appeals import ANSWER, RECEIVED
from core.errors import TutorqError
from core.settings import Settings

LOG_IN_LINK = "log_in_link"
# To tutors, with a link to their own page.
TO_TUTORS = ("tutor_snapshot", RECEIVED, ANSWER)
# Nobody is asked whether they want an answer, so nobody can unsubscribe from it.
KEPT = (LOG_IN_LINK, RECEIVED, ANSWER)

# Another address has come since, or the tutor has gone: no link to somebody else's mailbox.
IS_THEIRS = f"""
select exists (
    select from raw.tutors as tutors
    where tutor_id = %s::text::uuid and lower(email) = lower(%s) and {page_links.OPENS.format(left_for="%s")}
)
"""


def made_when_sent(
    settings: Settings, connection: psycopg.Connection, kind: str, recipient: str, payload: dict[str, Any]
) -> str | None:
    """The link that a mail is about to hold; None if it holds none.

    Raises:
        TutorqError: it is a log-in link, and the person has been removed or has another address.
    """
    if kind == LOG_IN_LINK:
        return _log_in_link(settings, connection, recipient, payload)
    if kind in TO_TUTORS:
        return _page_link(settings, connection, recipient, payload["tutor"])
    return None


def _log_in_link(settings: Settings, connection: psycopg.Connection, recipient: str, payload: dict[str, Any]) -> str:
    person = people.with_id(connection, payload["person_id"])
    if person is None or person.email.lower() != recipient.lower():
        raise TutorqError("the person has been removed since, or has another address")
    asked_from = payload.get("address")
    return logins.create_link(connection, settings, person, by="mail", actor="mail", asked_from=asked_from)


def _page_link(settings: Settings, connection: psycopg.Connection, recipient: str, tutor: dict[str, Any]) -> str | None:
    tutor_id = tutor.get("tutor_id")
    if not tutor_id:
        return None
    row = connection.execute(IS_THEIRS, [tutor_id, recipient, page_links.left_for(settings)]).fetchone()
    if row is None or not row[0]:
        return None
    return page_links.create(connection, settings, UUID(str(tutor_id)), "mail").url
