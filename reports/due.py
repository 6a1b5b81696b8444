"""What people should know of, and have not been told: queued in one transaction, as often as one likes.

Whether something is due follows from the marts and from what has been queued, never from a cursor. Each kind has a
switch that remembers since when it is on here, so that the first load of a history tells nobody anything.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from core import locks
from core.concerns import in_order
from core.database import Database
from core.errors import TutorqError
from core.settings import Settings
from reports import appeals, facts, weekly
from reports.kinds import KINDS, ReportKind
from reports.outbox import Draft, enqueue
from reports.subjects import subject_of

CALM_DAYS = 7
WINDOW_DAYS = 90
SNAPSHOT_LAST_DAY = 7
DIGEST_SESSIONS = 10
DIGEST_LOOKS_AHEAD = timedelta(days=2)
DIGEST_CONCERNS = 5
# More than this at once is a bulk load or a changed setting: one mail with a list, instead of one each.
MOST_MAILS_AT_ONCE = 20
MOST_IN_A_LIST = 25

# Switches: session reports have one for each of two settings, all other kinds one of their name.
IMPORTANT = "session_report:important"
ALL = "session_report:all"

IS_PUBLISHED = """
select to_regclass('marts.publication') is not null and to_regclass('marts.score_history') is not null
"""

# First those that are calm again: fine for a week by the recorded days and as far as was seen here, or not
# flagged for so long that nothing of what was told then can count now.
FORGET_CALM = f"""
delete from app.risk_alert_states as alerted
using marts.tutor_scores as scores
where
    scores.tutor_id = alerted.tutor_id
    and scores.risk_status not in ('watch', 'high_risk')
    and (
        (
            scores.risk_status = 'ok'
            and scores.risk_status_since <= scores.as_of - {CALM_DAYS}
            and alerted.last_flagged_on <= scores.as_of - {CALM_DAYS}
        )
        or alerted.last_flagged_on <= scores.as_of - {WINDOW_DAYS}
    )
"""

STILL_FLAGGED = """
update app.risk_alert_states as alerted
set last_flagged_on = scores.as_of
from marts.tutor_scores as scores
where
    scores.tutor_id = alerted.tutor_id
    and scores.risk_status in ('watch', 'high_risk')
    and scores.as_of > alerted.last_flagged_on
"""

# A tutor crosses by being flagged anew, or by going from watch to high risk. Back to watch is no crossing.
CROSSINGS = """
with crossed as (
    insert into app.risk_alert_states as alerted (tutor_id, alerted_status, alerted_on, last_flagged_on)
    select tutor_id, risk_status, as_of, as_of
    from marts.tutor_scores
    where is_active and risk_status in ('watch', 'high_risk')
    on conflict (tutor_id) do update
    set alerted_status = excluded.alerted_status, alerted_on = excluded.alerted_on
    where alerted.alerted_status = 'watch' and excluded.alerted_status = 'high_risk'
    returning tutor_id, alerted_status, alerted_on
)

select
    crossed.tutor_id,
    crossed.alerted_status,
    crossed.alerted_on,
    coalesce(history.risk_status, 'insufficient_data') as previous_status
from crossed
left join marts.score_history as history
    on crossed.tutor_id = history.tutor_id and history.as_of = crossed.alerted_on - 1
order by crossed.tutor_id
"""

DIGEST_DAYS = """
select
    (select max(history.as_of) from marts.score_history as history where history.as_of < publication.as_of) as day,
    (
        select max(history.as_of) from marts.score_history as history
        where
            history.as_of < (
                select max(newest.as_of) from marts.score_history as newest where newest.as_of < publication.as_of
            )
    ) as before
from marts.publication
"""

# Concerns about active tutors. The order of the counts is that of the dashboard.
CONCERNS_NOW = f"""
with raised as (
    select scores.name, scores.external_id, concerns.*
    from marts.tutor_concerns as concerns
    inner join marts.tutor_scores as scores on concerns.tutor_id = scores.tutor_id
    where scores.is_active and concerns.status = 'raised' and not concerns.superseded
),

counts as (
    select concern, count(*) as tutors from raised group by concern
),

newest as (
    select * from raised order by raised_on desc, probability desc, tutor_id, concern limit {DIGEST_CONCERNS}
)

select
    (select count(*) from marts.tutor_scores where is_active) as active,
    (select count(distinct tutor_id) from raised) as attention,
    (
        select coalesce(jsonb_agg(to_jsonb(counts) order by {in_order("counts.concern")}), '[]')
        from counts
    ) as concerns,
    (select coalesce(jsonb_agg(to_jsonb(newest)), '[]') from newest) as newest_concerns
"""

# Tutors who taught (or should have) in the month and can be written to.
SNAPSHOT_TUTORS = """
select
    tutors.tutor_id,
    tutors.email,
    count(*) as sessions,
    count(*) filter (where sessions.status = 'completed') as completed,
    count(*) filter (where sessions.is_let_down) as let_downs,
    count(*) filter (where sessions.is_tutor_reschedule) as tutor_reschedules,
    count(*) filter (where sessions.is_tutor_cancellation) as tutor_cancellations,
    count(*) filter (where sessions.is_tutor_no_show) as tutor_no_shows,
    avg(sessions.rating)::double precision as rating_mean
from marts.dim_tutors as tutors
inner join marts.fct_sessions as sessions
    on
        tutors.tutor_id = sessions.tutor_id
        and sessions.is_final
        and sessions.counted_on >= %(first)s
        and sessions.counted_on <= %(last)s
where
    tutors.is_active
    and tutors.email ~ '^[^[:space:]@<>,;"()]+@[^[:space:]@<>,;"()]+$'
    and (%(tutor)s::uuid is null or tutors.tutor_id = %(tutor)s)
    and (
        not %(untold)s
        or not exists (
            select from app.email_reports as told
            where told.topic = 'tutor_snapshot:' || tutors.tutor_id || ':' || %(month)s
        )
    )
group by tutors.tutor_id, tutors.email
order by tutors.tutor_id
"""


@dataclass(slots=True)
class Queued:
    """New rows in the outbox, by kind."""

    session_report: int = 0
    risk_alert: int = 0
    daily_digest: int = 0
    weekly_report: int = 0
    tutor_snapshot: int = 0
    appeal_reminder: int = 0

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def queue_due(settings: Settings, database: Database, *, now: datetime | None = None) -> Queued:
    """Queue all mail that is due; a second call queues nothing more. `now` is the time by which mornings count.

    Raises:
        TutorqError: a mart was being replaced at this moment; calling again helps.
    """
    local = (now or datetime.now(ZoneInfo(settings.timezone))).astimezone(ZoneInfo(settings.timezone))
    try:
        weekly.ask_for_words(database, settings, local)
        with database.connect() as connection:
            # Two at a time would both see the same crossing as new.
            connection.execute("select pg_advisory_xact_lock(%s)", [locks.MAIL_QUEUE])
            if not (connection.execute(IS_PUBLISHED).fetchone() or (False,))[0]:
                return Queued()
            return _queue(connection, settings, local)
    except psycopg.errors.UndefinedTable as error:
        raise TutorqError("the marts are being rebuilt just now; try again in a minute") from error


def _queue(connection: psycopg.Connection, settings: Settings, local: datetime) -> Queued:
    since, new = switch(connection, _wanted(settings))
    staff = settings.staff_addresses
    queued = Queued()
    queued.session_report = enqueue(connection, _session_reports(connection, settings, since, staff))
    queued.risk_alert = enqueue(connection, _risk_alerts(connection, staff, is_first=ReportKind.RISK_ALERT in new))
    queued.appeal_reminder = enqueue(connection, appeals.reminders(connection, settings, local.date()))
    if local.time() >= _begins(ReportKind.DAILY_DIGEST):
        draft = digest(connection, settings, staff, on_since=since[ReportKind.DAILY_DIGEST])
        queued.daily_digest = enqueue(connection, [draft] if draft else [])
    report = weekly.due(connection, settings, local, since[ReportKind.WEEKLY_REPORT])
    queued.weekly_report = enqueue(connection, [report] if report else [])
    if ReportKind.TUTOR_SNAPSHOT in since and _is_time_for_snapshots(local, since[ReportKind.TUTOR_SNAPSHOT]):
        queued.tutor_snapshot = enqueue(connection, snapshots(connection, local.date(), untold=True))
    return queued


def _begins(kind: ReportKind) -> time:
    schedule = KINDS[kind].schedule
    assert schedule is not None, f"{kind} has no hour"
    return schedule.begins


def _is_time_for_snapshots(local: datetime, on_since: datetime) -> bool:
    """The first days of a month, from a morning hour on; and reporting was on before the month told of was over."""
    month_begins = datetime.combine(local.date().replace(day=1), time(0), local.tzinfo)
    first_hour = datetime.combine(month_begins.date(), _begins(ReportKind.TUTOR_SNAPSHOT), local.tzinfo)
    return local >= first_hour and local.day <= SNAPSHOT_LAST_DAY and on_since < month_begins


def _wanted(settings: Settings) -> list[str]:
    wanted: list[str] = [ReportKind.RISK_ALERT, ReportKind.DAILY_DIGEST, ReportKind.WEEKLY_REPORT, ReportKind.ALERT]
    if settings.session_reports != "none":
        wanted.append(IMPORTANT)
    if settings.session_reports == "all":
        wanted.append(ALL)
    if settings.tutor_snapshots:
        wanted.append(ReportKind.TUTOR_SNAPSHOT)
    return wanted


def switch(connection: psycopg.Connection, wanted: Sequence[str]) -> tuple[dict[str, datetime], set[str]]:
    """Since when each wanted switch is on, and which are on only now; those not wanted are off and forgotten."""
    # Chats have switches of their own (notifications.py).
    connection.execute(
        "delete from app.report_switches where switch <> all(%s) and not switch ^@ 'chat:'", [list(wanted)]
    )
    new = connection.execute(
        "insert into app.report_switches (switch) select unnest(%s::text[]) on conflict do nothing returning switch",
        [list(wanted)],
    ).fetchall()
    rows = connection.execute("select switch, on_since from app.report_switches where not switch ^@ 'chat:'").fetchall()
    return dict(rows), {name for (name,) in new}


def _session_reports(
    connection: psycopg.Connection, settings: Settings, since: dict[str, datetime], staff: Sequence[str]
) -> list[Draft]:
    if settings.session_reports == "none":
        return []
    found = facts.notable_sessions(connection, since[IMPORTANT], since.get(ALL))
    drafts = [
        Draft(ReportKind.SESSION_REPORT, topic, staff, subject_of(ReportKind.SESSION_REPORT, payload), payload)
        for topic, payload in found
    ]
    return one_by_one_or_as_list(ReportKind.SESSION_REPORT, drafts, "sessions")


def _risk_alerts(connection: psycopg.Connection, staff: Sequence[str], *, is_first: bool) -> list[Draft]:
    connection.execute(FORGET_CALM)
    connection.execute(STILL_FLAGGED)
    with connection.cursor(row_factory=dict_row) as cursor:
        crossings = cursor.execute(CROSSINGS).fetchall()
    if is_first:
        return []  # who is flagged when reporting begins is on the dashboard, not news
    return one_by_one_or_as_list(ReportKind.RISK_ALERT, risk_alerts(connection, crossings, staff), "tutors")


def risk_alerts(
    connection: psycopg.Connection, crossings: Sequence[dict[str, Any]], staff: Sequence[str]
) -> list[Draft]:
    """A draft per crossing: `tutor_id`, `alerted_status`, `alerted_on`, `previous_status`."""
    known = facts.tutor_facts(connection, [crossing["tutor_id"] for crossing in crossings])
    drafts = []
    for crossing in crossings:
        payload = {**known[crossing["tutor_id"]], "previous_status": crossing["previous_status"]}
        topic = f"risk_alert:{crossing['tutor_id']}:{crossing['alerted_on']}:{crossing['alerted_status']}"
        drafts.append(Draft(ReportKind.RISK_ALERT, topic, staff, subject_of(ReportKind.RISK_ALERT, payload), payload))
    return drafts


def one_by_one_or_as_list(kind: str, drafts: Sequence[Draft], of: str) -> list[Draft]:
    """The drafts; or, if they are many, one that lists them, and the others on record as told by it."""
    if len(drafts) <= MOST_MAILS_AT_ONCE:
        return list(drafts)
    digest_of = hashlib.sha256("\n".join(sorted(draft.topic for draft in drafts)).encode()).hexdigest()[:16]
    payload = {
        of: [_for_list(draft.payload) for draft in drafts[:MOST_IN_A_LIST]],
        "total": len(drafts),
    }
    topic = f"{kind}:many:{digest_of}"
    together = Draft(kind, topic, drafts[0].recipients, subject_of(kind, payload), payload)
    told = [
        Draft(draft.kind, draft.topic, draft.recipients, draft.subject, draft.payload, told_by=topic)
        for draft in drafts
    ]
    return [together, *told]


def _for_list(payload: dict[str, Any]) -> dict[str, Any]:
    """What a line of a list needs."""
    return {
        name: payload[name]
        for name in ("tutor", "concerns", "session", "reasons", "previous_status")
        if name in payload
    }


def digest(
    connection: psycopg.Connection, settings: Settings, staff: Sequence[str], *, on_since: datetime | None
) -> Draft | None:
    """What changed on the newest recorded day; None if that is nothing. `on_since` None: whenever that day was."""
    day, before = connection.execute(DIGEST_DAYS).fetchone() or (None, None)
    zone = ZoneInfo(settings.timezone)
    if day is None or before is None or (on_since is not None and day < on_since.astimezone(zone).date()):
        return None
    topic = f"daily_digest:{day}"
    if on_since is not None and _is_told(connection, topic):
        return None
    start = datetime.combine(day, time(0), zone)
    sessions = facts.sessions_between(connection, start, datetime.combine(day + timedelta(days=1), time(0), zone))
    changes = facts.status_changes(connection, before, day)
    if not sessions and not changes:
        return None
    counts: dict[str, int] = {}
    for session in sessions:
        counts[session["reasons"][0]] = counts.get(session["reasons"][0], 0) + 1
    with connection.cursor(row_factory=dict_row) as cursor:
        now = cursor.execute(CONCERNS_NOW).fetchone() or {}
        rules = cursor.execute("select to_jsonb(publication) as rules from marts.publication").fetchone() or {}
    first_sessions, first_total = facts.first_sessions(connection, ahead=DIGEST_LOOKS_AHEAD, limit=DIGEST_SESSIONS)
    may_stop, may_stop_total = facts.may_stop(connection, limit=DIGEST_SESSIONS)
    payload = {
        "day": day.isoformat(),
        "flagged": facts.with_patterns(connection, [each for each in changes if each["change"] == "flagged"]),
        "better": [change for change in changes if change["change"] == "better"],
        "counts": counts,
        "sessions": [_for_list(session) for session in sessions[:DIGEST_SESSIONS]],
        "sessions_total": len(sessions),
        "at_risk": facts.sessions_at_risk(connection, ahead=DIGEST_LOOKS_AHEAD, limit=DIGEST_SESSIONS),
        "first_sessions": first_sessions,
        "first_sessions_total": first_total,
        "may_stop": may_stop,
        "may_stop_total": may_stop_total,
        "now": now,
        **rules,
    }
    return Draft(ReportKind.DAILY_DIGEST, topic, staff, subject_of(ReportKind.DAILY_DIGEST, payload), payload)


def _is_told(connection: psycopg.Connection, topic: str) -> bool:
    row = connection.execute("select exists (select from app.email_reports where topic = %s)", [topic]).fetchone()
    return bool(row and row[0])


def snapshots(
    connection: psycopg.Connection, today: date, tutor: UUID | None = None, *, untold: bool = False
) -> list[Draft]:
    """A draft per tutor with sessions in the month before `today` and an address; or of one tutor alone.

    `untold`: only those that are not in the outbox yet.
    """
    last = today.replace(day=1) - timedelta(days=1)
    with connection.cursor(row_factory=dict_row) as cursor:
        months = cursor.execute(
            SNAPSHOT_TUTORS,
            {
                "first": last.replace(day=1), "last": last, "month": f"{last:%Y-%m}", "tutor": tutor, "untold": untold,
            },
        ).fetchall()  # fmt: skip
    known = facts.tutor_facts(connection, [row["tutor_id"] for row in months])
    drafts = []
    for row in months:
        tutor_id, email = row.pop("tutor_id"), row.pop("email")
        payload = {**known[tutor_id], "month": f"{last:%Y-%m}", "in_month": row}
        topic = f"tutor_snapshot:{tutor_id}:{last:%Y-%m}"
        drafts.append(
            Draft(ReportKind.TUTOR_SNAPSHOT, topic, [email], subject_of(ReportKind.TUTOR_SNAPSHOT, payload), payload)
        )
    return drafts
