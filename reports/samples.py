"""A sample of each kind of mail, made of the demo's figures, so that the page Messages of the demo shows them all.

Samples have the state `sample`, which no sender takes, and say at the top that they were never sent.
"""

import json

import psycopg

from core.database import Database
from core.sealing import text_sealer
from core.settings import Settings
from reports.examples import EXAMPLE
from reports.kinds import KINDS, PREVIEWED, Audience, ReportKind
from reports.outbox import NOBODY, Draft
from reports.preview import Mark, NothingToShowError, draft_of, is_published, marked
from reports.render import render

# Nobody has an address at example.org (RFC 2606), so it tells the demo's tutors from everybody else's.
IS_DEMO = "select coalesce(bool_and(email like '%@example.org'), false) from marts.dim_tutors where email is not null"
EXAMPLE_TUTOR = "select email from marts.dim_tutors where tutor_id = (%s)::uuid"

ADD = """
insert into app.email_reports
    (kind, topic, unique_key, recipient, subject, payload, state, error, settled_at, body_text, body_html)
values
    (
        %(kind)s, %(topic)s, %(topic)s, %(recipient)s, %(subject)s, %(payload)s::jsonb, 'sample',
        'demo sample, never sent', now(), %(text)s, %(html)s
    )
on conflict (unique_key) do nothing
"""


def add_samples(settings: Settings, database: Database) -> int:
    """Put a sample of each kind into the outbox, once, if all tutors are the demo's.

    A kind that nothing can be made of yet is left out, until the next call. Returns the samples added.

    Raises:
        TutorqError: the database cannot be reached.
    """
    added = 0
    with database.connect() as connection:
        if not is_published(connection) or connection.execute(IS_DEMO).fetchone() != (True,):
            return 0
        for kind in PREVIEWED:
            try:
                draft = draft_of(settings, connection, kind)
            except NothingToShowError:
                continue
            if draft.payload.get("mark") == EXAMPLE:
                continue  # of no figures of the demo
            to = _recipient(settings, connection, kind, draft)
            added += _add(settings, connection, marked(draft, Mark.SAMPLE, topic=f"sample:{kind.value}", to=[to]))
    return added


def _add(settings: Settings, connection: psycopg.Connection, sample: Draft) -> int:
    payload = json.dumps(sample.payload, default=str)
    # As it would be sent: from what is stored.
    rendered = render(settings, sample.kind, sample.subject, json.loads(payload))
    box = text_sealer(settings)
    text, html = (box.seal_text(part) if box else part for part in (rendered.text, rendered.html))
    return connection.execute(
        ADD,
        {
            "kind": str(sample.kind), "topic": sample.topic, "recipient": sample.recipients[0],
            "subject": sample.subject, "payload": payload, "text": text, "html": html,
        },
    ).rowcount  # fmt: skip


def _recipient(settings: Settings, connection: psycopg.Connection, kind: ReportKind, draft: Draft) -> str:
    """Whom it would go to."""
    if KINDS[kind].audience is Audience.TUTORS:
        row = connection.execute(EXAMPLE_TUTOR, [draft.payload["tutor"]["tutor_id"]]).fetchone()
        return str(row[0]) if row and row[0] else NOBODY
    return next(iter(settings.staff_addresses), NOBODY)
