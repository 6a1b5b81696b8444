"""Past cases of the made-up marketplace, once it is scored: talks that the truth knows of, and what came of them."""

import csv
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from core import audit
from core.audit import Action
from core.people import Person
from demo.truth import FOLDER
from ingest.ids import entity_uuid

SUBJECT = "case"
# The talk is some days after the case was opened, and is looked back at after the 30 days that an effect is counted in.
DAYS_TO_TALK, DAYS_TO_CLOSE = 3, 35
# The concern ends some weeks after a talk that helps, or stands until the case is closed. Runs tell the last 30 days.
DAYS_TO_CLEAR = 21
DAYS_OF_RUNS = 31
LIMIT = 0.15
CHANNELS = ("call", "video", "in_person")
CAUSES = ("too_many_sessions", "times_do_not_fit", "other_work", "family")
ACTIONS = ("fewer_sessions", "other_times", "mentor", "training")

# What was known of a tutor on a day, by the evidence of docs/scoring.md and the narrow part of the prior.
KNOWN = """
with evidence as (
    select
        count(*) as sessions,
        count(*) filter (where is_let_down) as let_downs,
        coalesce(sum(power(2, -(%(day)s::date - counted_on) / 30.0)), 0) as n,
        coalesce(sum(power(2, -(%(day)s::date - counted_on) / 30.0)) filter (where is_let_down), 0) as k
    from marts.fct_sessions
    where tutor_id = %(tutor)s and is_final and counted_on between %(day)s::date - 179 and %(day)s::date
),

posterior as (
    select
        evidence.*,
        baseline.let_down_prior_alpha + k * least(1, 60 / greatest(n, 1)) as alpha,
        baseline.let_down_prior_beta + (n - k) * least(1, 60 / greatest(n, 1)) as beta
    from evidence
    cross join marts.platform_baseline as baseline
)

select
    sessions,
    let_downs,
    (alpha / (alpha + beta))::float8,
    (sqrt(alpha * beta / (alpha + beta + 1)) / (alpha + beta))::float8
from posterior
"""
ADD = """
insert into app.cases (
    tutor_id, state, reason, owner_id, concerns, snapshot, opened_by, opened_on, opened_at, contacted_at, closed_at,
    changed_at, let_down_rate_expected, let_down_rate_low, let_down_rate_high, version
)
values (
    %(tutor)s, 'resolved', %(reason)s, %(owner)s, '{unreliable}', %(snapshot)s, 'tutorq', %(opened)s,
    %(opened)s::date + time '08:00', %(talked)s::date + time '15:00', %(closed)s::date + time '10:00',
    %(closed)s::date + time '10:00', %(expected)s, %(low)s, %(high)s, 3
)
returning case_id
"""
ADD_STRETCH = """
insert into app.concern_stretches (
    tutor_id, concern, raised_on, cleared_on, probability_when_raised, probability_when_cleared, high_days
)
values (%(tutor)s, 'unreliable', %(opened)s, %(cleared)s, 0.9, 0.4, array[%(opened)s::date])
on conflict do nothing
"""
ADD_EVENT = """
insert into app.case_events (case_id, kind, happened_at, happened_on, actor, person_id, version, details)
values (%s, %s, %s::date + %s::time, %s, %s, %s, %s, %s)
"""


def write_cases(connection: psycopg.Connection, folder: Path, coach: Person) -> int:
    """Write a closed case per talk that is long enough ago; returns how many.

    Args:
        folder: the demo's, which holds the truth.
        coach: who has talked with the tutors.
    """
    with (folder / FOLDER / "events.csv").open(encoding="utf-8", newline="") as file:
        talks = [row for row in csv.DictReader(file) if row["event"] == "coached"]
    (today,) = connection.execute("select as_of from marts.publication").fetchone() or (date.min,)
    written = 0
    for place, talk in enumerate(sorted(talks, key=lambda row: (row["starts_on"], row["tutor_id"]))):
        talked = date.fromisoformat(talk["starts_on"])
        if talked + timedelta(days=DAYS_TO_CLOSE + DAYS_OF_RUNS) <= today:
            has_helped = float(talk["share_after"]) < float(talk["share_before"])
            written += _write(connection, entity_uuid(talk["tutor_id"]), talked, has_helped, place, coach)
    return written


def _write(
    connection: psycopg.Connection, tutor_id: UUID, talked: date, has_helped: bool, place: int, coach: Person
) -> int:
    """1, or 0 if nobody could have known of it then."""
    opened, closed = talked - timedelta(days=DAYS_TO_TALK), talked + timedelta(days=DAYS_TO_CLOSE)
    known = connection.execute(KNOWN, {"tutor": tutor_id, "day": opened}).fetchone()
    assert known is not None
    sessions, let_downs, expected, deviation = known
    if sessions < 5 or expected <= LIMIT:
        return 0
    low, high = max(expected - 1.645 * deviation, 0.0), min(expected + 1.645 * deviation, 1.0)
    figures = {
        "concern": "unreliable", "probability": 0.9, "threshold": LIMIT, "trials": sessions, "events": let_downs,
        "raw_rate": let_downs / sessions, "expected": expected, "low": low, "high": high,
        "raised_on": str(opened),
    }  # fmt: skip
    reason = "improved" if has_helped else "no_effect"
    case = {
        "tutor": tutor_id, "reason": reason, "owner": coach.person_id, "snapshot": Jsonb([figures]), "opened": opened,
        "talked": talked, "closed": closed, "expected": expected, "low": low, "high": high,
    }  # fmt: skip
    row = connection.execute(ADD, case).fetchone()
    assert row is not None
    case_id = int(row[0])
    cleared = talked + timedelta(days=DAYS_TO_CLEAR) if has_helped else closed
    connection.execute(ADD_STRETCH, {"tutor": tutor_id, "opened": opened, "cleared": cleared})
    contact = {
        "channel": CHANNELS[place % len(CHANNELS)], "cause": CAUSES[place % len(CAUSES)],
        "action": ACTIONS[place % len(ACTIONS)], "follow_up_on": str(talked + timedelta(days=14)), "text": None,
    }  # fmt: skip
    events = (
        ("opened", opened, "08:00", None, "tutorq", None, 1, {"concerns": [figures]}),
        ("contact", talked, "15:00", talked, coach.actor, coach.person_id, 2, contact),
        ("closed", closed, "10:00", None, coach.actor, coach.person_id, 3, {"state": "resolved", "reason": reason}),
    )
    for kind, day, time, happened_on, actor, person_id, version, details in events:
        values = [case_id, kind, day, time, happened_on, actor, person_id, version, Jsonb(details)]
        connection.execute(ADD_EVENT, values)
    entry = {"state": "resolved", "reason": reason}
    audit.record(connection, audit.Entry(coach.actor, Action.CASE_CHANGE, SUBJECT, str(case_id), entry))
    return 1
