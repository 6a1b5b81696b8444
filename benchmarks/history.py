"""A made-up past, written by Postgres itself: a million sessions in about ten seconds."""

import datetime as dt

import psycopg

AS_OF = dt.date(2026, 6, 30)
TUTORS = 5_000

# Every tutor has a rate of their own; most are near 4%, one in ten is near 25%.
PEOPLE = """
insert into raw.tutors (tutor_id, external_id, name, subjects)
select md5('tutor ' || i)::uuid, 'T-' || i, 'Tutor ' || i, array[(array['maths', 'physics', 'latin'])[1 + i % 3]]
from generate_series(0, {tutors} - 1) as i;
insert into raw.students (student_id, external_id, name)
select md5('student ' || i)::uuid, 'S-' || i, 'Student ' || i from generate_series(0, {students} - 1) as i;
"""

# A student has about 20 sessions within two months, nearly all of them with one tutor.
SESSIONS = """
select setseed(0.42);
insert into raw.sessions (
    session_id, tutor_id, student_id, scheduled_time, status, subject, booked_at, duration_minutes, rating, initiator,
    updated_at
)
select
    md5('session ' || i)::uuid,
    md5('tutor ' || tutor)::uuid,
    md5('student ' || student)::uuid,
    starts,
    case
        when fate < rate then 'rescheduled'
        when fate < rate + 0.02 then 'no_show'
        when fate < rate + 0.05 then 'cancelled'
        else 'completed'
    end,
    'maths',
    starts - interval '5 days',
    60,
    case when fate > 0.5 and fate < 0.8 then round((3 + 2 * random())::numeric, 1) end,
    case when fate >= rate and fate < rate + 0.03 then 'tutor' end,
    starts
from (
    select
        i,
        student,
        mod(student * 7 + case when random() < 0.1 then 1 else 0 end, {tutors}) as tutor,
        timestamptz '{as_of} 20:00+00' - make_interval(secs => 86400.0 * ({sessions} - i) / {per_day}) as starts,
        random() as fate
    from (
        select i, (i + floor(random() * {per_day} * 60))::bigint / 20 as student
        from generate_series(1, {sessions}) as i
    ) as numbered
) as drawn
cross join lateral (select case when mod(tutor, 10) = 0 then 0.25 else 0.04 end as rate) as tutor_rate;

insert into raw.reschedules (session_id, initiator, reason_code, requested_at, original_time, updated_at)
select
    session_id,
    case when random() < 0.98 then 'tutor' else 'student' end,
    (array['illness', 'clash', 'travel'])[1 + floor(random() * 3)::int],
    scheduled_time - random() * interval '3 days',
    scheduled_time,
    updated_at
from raw.sessions
where status = 'rescheduled';
"""

# Half of the changes are new sessions, half are sessions of the last 20 days whose outcome is corrected.
CHANGES = """
insert into raw.sessions (session_id, tutor_id, student_id, scheduled_time, status, rating, updated_at)
select
    gen_random_uuid(), tutor_id, student_id, timestamptz '{as_of} 21:00+00', 'completed', 4, now()
from raw.sessions
where scheduled_time > timestamptz '{as_of} 20:00+00' - interval '20 days'
order by random()
limit {new};

with chosen as (
    select session_id from raw.sessions
    where scheduled_time between timestamptz '{as_of} 20:00+00' - interval '20 days' and timestamptz '{as_of} 20:00+00'
    order by random()
    limit {corrected}
)
update raw.sessions as sessions
set
    status = case when sessions.status = 'completed' then 'no_show' else 'completed' end,
    initiator = case when sessions.status = 'completed' then 'tutor' end,
    updated_at = now()
from chosen
where sessions.session_id = chosen.session_id;
"""


def write(connection: psycopg.Connection, *, sessions: int, per_day: int, tutors: int = TUTORS) -> None:
    """Fill the empty schema `raw` with `sessions` sessions that end on AS_OF, `per_day` of them a day.

    The change log stays empty, because what follows is a first build, which reads everything.
    """
    students = (sessions + per_day * 60) // 20 + 1
    connection.execute("set session_replication_role = replica")
    connection.execute(PEOPLE.format(tutors=tutors, students=students).encode())
    script = SESSIONS.format(tutors=tutors, sessions=sessions, per_day=per_day, as_of=AS_OF)
    connection.execute(script.encode())
    connection.commit()
    connection.autocommit = True
    connection.execute("reset session_replication_role")
    connection.execute("vacuum analyze")
    connection.autocommit = False


def change(connection: psycopg.Connection, rows: int) -> None:
    """Change `rows` recent sessions as any writer would: the triggers note them."""
    script = CHANGES.format(as_of=AS_OF, new=rows // 2, corrected=rows - rows // 2)
    connection.execute(script.encode())
