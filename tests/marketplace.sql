-- A marketplace of 40 tutors and half a year of sessions up to 2026-01-31, the same rows each time. dbt builds its marts.

-- Every seventh tutor has a UUID only, every ninth has left, every eleventh has hardly taught, the last never, and of
-- every thirteenth nothing is known but sessions.
insert into raw.tutors (
    tutor_id, external_id, name, email, subjects, is_active, hired_at, capacity, age, experience_years, teaching_style,
    preferred_pace, communication_style, is_stub
)
select
    md5('tutor' || i)::uuid,
    case when i % 7 > 0 then 'T-' || i end,
    case
        when i % 13 > 0
            then (array['Ada', 'Björn', 'Çelik', 'Dana', 'Émile', 'Farid', 'Grace'])[1 + i % 7] || ' ' || 'Tutor ' || i
    end,
    case when i % 13 > 0 then 'tutor' || i || '@example.org' end,
    case i % 3 when 0 then array['maths', 'physics'] when 1 then array['english'] else array[]::text[] end,
    i % 9 > 0,
    case when i % 13 > 0 then date '2024-01-01' + i % 700 end,
    case when i % 13 > 0 then 5 + i % 20 end,
    case when i % 13 > 0 then 20 + i % 45 end,
    case when i % 13 > 0 then round((i % 100) / 10.0, 1) end,
    case when i % 13 > 0 then (array['structured', 'flexible', 'interactive'])[1 + i % 3] end,
    case when i % 13 > 0 then 1 + i % 5 end,
    case when i % 13 > 0 then 1 + i % 4 end,
    i % 13 = 0
from generate_series(1, 40) as i;

insert into raw.students (student_id, name)
select md5('student' || i)::uuid, 'Student ' || i from generate_series(0, 19) as i;

-- Every sixth tutor moves a third of all sessions, every tenth half as many.
create temporary table drawn as
select
    i,
    n,
    md5('session' || i || '/' || n)::uuid as session_id,
    timestamptz '2026-01-31 09:00+00' - make_interval(hours => n * 4380 / total + i % 5) as scheduled_time,
    case
        when chance < 0.03 + 0.3 * (i % 6 = 0)::int + 0.15 * (i % 10 = 5)::int then 'moved by tutor'
        when chance between 0.4 and 0.44 then 'moved by student'
        when chance between 0.5 and 0.52 then 'tutor did not come'
        when chance between 0.6 and 0.62 then 'cancelled by tutor'
        when chance between 0.7 and 0.73 then 'excused move'
        else 'held'
    end as outcome,
    case when chance > 0.75 then 2 + round((chance - 0.75) * 12, 0) end as rating
from generate_series(1, 40) as i
cross join lateral (values (case when i = 40 then 0 when i % 11 = 0 then 3 else 20 + i % 17 end)) as size (total)
cross join lateral generate_series(1, total) as n
cross join lateral (values (('x' || md5(i || '/' || n))::bit(28)::int / 268435456.0)) as draw (chance);

insert into raw.sessions (
    session_id, external_id, tutor_id, student_id, subject, status, initiator, scheduled_time, booked_at,
    completed_time, duration_minutes, rating
)
select
    session_id,
    case when i % 7 > 0 then 'S-' || i || '-' || n end,
    md5('tutor' || i)::uuid,
    md5('student' || (i + n % 4) % 20)::uuid,
    (array['maths', 'physics', 'english', null])[1 + (i + n) % 4],
    case
        when outcome like '%move%' then 'rescheduled'
        when outcome = 'tutor did not come' then 'no_show'
        when outcome = 'cancelled by tutor' then 'cancelled'
        else 'completed'
    end,
    case when outcome in ('tutor did not come', 'cancelled by tutor') then 'tutor' end,
    scheduled_time,
    scheduled_time - interval '6 days',
    scheduled_time + interval '1 hour',
    60,
    rating
from drawn;

insert into raw.reschedules (session_id, initiator, reason_code, requested_at)
select
    session_id,
    case when outcome = 'moved by student' then 'student' else 'tutor' end,
    case when outcome <> 'moved by student' then (array['illness', 'travel', null])[1 + n % 3] end,
    scheduled_time - make_interval(hours => 1 + n * 7 % 60)
from drawn
where outcome like '%move%';

insert into app.excuses (session_id, reason, created_by)
select session_id, 'ill', 'test' from drawn where outcome = 'excused move';

drop table drawn;
