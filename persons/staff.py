"""What is stored of somebody who logs in to the dashboard. Forgetting them is `core.people.remove`."""

from collections.abc import Iterator
from typing import Final

import psycopg
from psycopg.rows import dict_row

from core.people import Person, number_of
from persons.export import COMMENT, Exported
from persons.registry import Holds, renumbered, stored_tables

# Rows of theirs; the parameters are their number, the words by which the audit log tells them, and their address.
ROWS: Final = {
    "app.people": "person_id = $1::bigint",
    "app.person_tutors": "person_id = $1::bigint",
    "app.browser_sessions": "person_id = $1::bigint",
    "app.login_tokens": "person_id = $1::bigint",
    "app.notification_preferences": "person_id = $1::bigint",
    "app.notifications": "person_id = $1::bigint",
    "app.cases": "owner_id = $1::bigint",
    "app.case_events": "person_id = $1::bigint or strpos(actor, $2::text) > 0",
    "app.appeals": "decider_id = $1::bigint",
    "app.excuses": "strpos(created_by, $2::text) > 0",
    "app.audit_log": "strpos(actor, $2::text) > 0 or subject_kind = 'person' and subject_id = $1::bigint::text",
    "app.email_reports": "lower(recipient) = lower($3::text)",
    "app.mail_opt_outs": "lower(address) = lower($3::text)",
    "app.mail_suppressions": "lower(address) = lower($3::text)",
}


def read_staff(connection: psycopg.Connection, person: Person) -> Iterator[Exported]:
    """What each table holds of the person, without secrets; tables without such rows are left out."""
    values = [person.person_id, number_of(person.person_id), person.email]
    with psycopg.RawCursor(connection, row_factory=dict_row) as cursor:
        for table in stored_tables(connection, ["app"]):
            if table.name not in ROWS:
                continue
            secret = set(table.holding(Holds.SECRET))
            shown = ", ".join(f'"{column}"' for column in table.columns if column not in secret)
            query, used = renumbered(f"select {shown} from {table.name} where {ROWS[table.name]}", values)
            if rows := cursor.execute(query.encode(), used).fetchall():
                about = connection.execute(COMMENT, [table.name]).fetchone()
                yield Exported(table.name, str((about or ("",))[0] or ""), rows)
