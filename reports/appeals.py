"""Reminders of open appeals: when one comes, three days before its last day, and when that is over."""

from collections.abc import Sequence
from datetime import date

import psycopg
from psycopg.rows import dict_row

from core.appeals import REMINDER
from core.settings import Settings
from reports.outbox import Draft
from reports.subjects import subject_of

REMIND_DAYS = 3

# Those who decide: leads, or else admins. An address of this machine is nobody's mailbox.
DECIDERS = """
select array_agg(email order by person_id) as addresses
from app.people
where is_active and role in ('lead', 'admin') and lower(email) not like '%%@localhost'
group by role
order by role = 'lead' desc
limit 1
"""
WAITING = f"""
select
    due.occasion,
    appeals.appeal_id,
    jsonb_build_object(
        'occasion', due.occasion,
        'appeal', jsonb_build_object(
            'appeal_id', appeals.appeal_id, 'concern', appeals.concern, 'reason', appeals.reason,
            'created_at', appeals.created_at, 'due_on', appeals.due_on
        ),
        'tutor', jsonb_build_object(
            'tutor_id', appeals.tutor_id, 'external_id', tutors.external_id, 'name', tutors.name
        ),
        'sessions', (select count(*) from app.appeal_sessions as about where about.appeal_id = appeals.appeal_id)
    ) as payload
from app.appeals as appeals
left join marts.dim_tutors as tutors on appeals.tutor_id = tutors.tutor_id
cross join lateral (
    select
        case
            when appeals.due_on < %(today)s then 'overdue'
            when appeals.due_on - {REMIND_DAYS} <= %(today)s then 'soon'
            else 'new'
        end as occasion
) as due
where appeals.state = 'open'
    and not exists (
        select from app.email_reports as told
        where told.topic = '{REMINDER}:' || appeals.appeal_id || ':' || due.occasion
    )
order by appeals.due_on, appeals.appeal_id
"""


def reminders(connection: psycopg.Connection, settings: Settings, today: date) -> list[Draft]:
    """A draft for each open appeal of which those who decide have not been told as much. The tutor's words stay on the
    dashboard."""
    with connection.cursor(row_factory=dict_row) as cursor:
        waiting = cursor.execute(WAITING, {"today": today}).fetchall()
        if not waiting:
            return []
        row = cursor.execute(DECIDERS, {}).fetchone()
    addresses: Sequence[str] = row["addresses"] if row else settings.staff_addresses
    return [
        Draft(
            REMINDER,
            f"{REMINDER}:{each['appeal_id']}:{each['occasion']}",
            addresses,
            subject_of(REMINDER, each["payload"]),
            each["payload"],
        )
        for each in waiting
    ]
