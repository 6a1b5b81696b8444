"""`app.events`, the ledger of what has changed: its kinds, and how its readers miss nothing (decision 58).

The database itself writes events, in the transaction of the change: `marts.keep_cases` and the other functions that
make live scores, the models `int_session_facts` and `publication`, and a trigger on `app.case_events`.
"""

from enum import StrEnum
from typing import Final

# Each transaction that writes events notifies here once, with an empty payload, when it commits.
CHANNEL: Final = "tutorq_events"


class EventKind(StrEnum):
    """What an event tells of. A value is never renamed: receivers of webhooks know it."""

    PUBLICATION_DONE = "publication.done"
    TUTORS_REFRESHED = "tutors.refreshed"
    CONCERN_RAISED = "tutor.concern_raised"
    CONCERN_CLEARED = "tutor.concern_cleared"
    SESSION_ALERT = "session.alert"
    CASE_CHANGED = "case.changed"
