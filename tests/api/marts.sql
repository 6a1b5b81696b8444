-- The marts as their contract describes them, with made-up rows that any run makes again exactly.
-- `fixture.tutors` says how many tutors; half a year of sessions ends on 2026-01-31.

-- As dbt leaves them: they are its role's, and the API may read them.
set role tutorq_transform;

create table marts.publication (
    generation bigint not null,
    as_of date not null,
    published_at timestamptz not null,
    refreshed_at timestamptz not null,
    timezone text not null,
    risk_threshold double precision not null,
    high_risk_probability double precision not null,
    watch_probability double precision not null,
    reliability_weight double precision not null,
    attendance_weight double precision not null,
    first_session_weight double precision not null,
    rating_weight double precision not null
);
insert into marts.publication values
(7, '2026-01-31', '2026-01-31 12:00:04.512+00', '2026-01-31 12:00:04.512+00', 'UTC', 0.15, 0.8, 0.5, 0.4, 0.25, 0.2, 0.15);

-- Every seventh tutor has a UUID only, every ninth has left, every eleventh has hardly taught, the last never.
create table marts.dim_tutors as
select
    md5('tutor' || i)::uuid as tutor_id,
    case when i % 7 > 0 then 'T-' || i end as external_id,
    case
        when i % 13 > 0
            then (array['Ada', 'Björn', 'Çelik', 'Dana', 'Émile', 'Farid', 'Grace'])[1 + i % 7] || ' ' || 'Tutor ' || i
    end as name,
    case when i % 13 > 0 then 'tutor' || i || '@example.org' end as email,
    case i % 3 when 0 then array['maths', 'physics'] when 1 then array['english'] else array[]::text[] end as subjects,
    i % 9 > 0 as is_active,
    case when i % 13 > 0 then date '2024-01-01' + i % 700 end as hired_at,
    case when i % 13 > 0 then 5 + i % 20 end as capacity,
    case when i % 13 > 0 then 20 + i % 45 end::smallint as age,
    case when i % 13 > 0 then round((i % 100) / 10.0, 1) end as experience_years,
    case when i % 13 > 0 then (array['structured', 'flexible', 'interactive'])[1 + i % 3] end as teaching_style,
    case when i % 13 > 0 then 1 + i % 5 end::smallint as preferred_pace,
    case when i % 13 > 0 then 1 + i % 4 end::smallint as communication_style,
    i % 13 = 0 as is_stub,
    i
from generate_series(1, current_setting('fixture.tutors')::int) as i;

create table marts.fct_sessions as
with drawn as (
    select
        tutors.i,
        tutors.tutor_id,
        n,
        timestamptz '2026-01-31 09:00+00' - make_interval(hours => (n * 4380 / total) + tutors.i % 5) as scheduled_time,
        ('x' || md5(tutors.i || '/' || n))::bit(28)::int / 268435456.0 as chance
    from marts.dim_tutors as tutors
    cross join lateral (
        values (
            case
                when tutors.i = current_setting('fixture.tutors')::int then 0
                when tutors.i % 11 = 0 then 3
                else 20 + tutors.i % 17
            end
        )
    ) as size (total)
    cross join lateral generate_series(1, total) as n
),

outcomes as (
    select
        drawn.*,
        chance < 0.03 + 0.3 * (i % 6 = 0)::int as is_moved_by_tutor,
        chance between 0.4 and 0.44 as is_moved_by_student,
        chance between 0.5 and 0.52 as is_tutor_no_show,
        chance between 0.6 and 0.62 as is_cancelled_by_tutor,
        chance between 0.7 and 0.73 as is_excused_move
    from drawn
)

select
    md5('session' || i || '/' || n)::uuid as session_id,
    case when i % 7 > 0 then 'S-' || i || '-' || n end as external_id,
    tutor_id,
    md5('student' || (i + n % 4) % 20)::uuid as student_id,
    (array['maths', 'physics', 'english', null])[1 + (i + n) % 4] as subject,
    case
        when is_moved_by_tutor or is_moved_by_student or is_excused_move then 'rescheduled'
        when is_tutor_no_show then 'no_show'
        when is_cancelled_by_tutor then 'cancelled'
        else 'completed'
    end as status,
    true as is_final,
    scheduled_time,
    scheduled_time::date as scheduled_on,
    scheduled_time - interval '6 days' as booked_at,
    scheduled_time + interval '1 hour' as completed_time,
    60 as duration_minutes,
    case when chance > 0.75 then 2 + round((chance - 0.75) * 12, 0) end as rating,
    case when is_tutor_no_show or is_cancelled_by_tutor then 'tutor' end as initiator,
    is_moved_by_tutor or is_moved_by_student or is_excused_move as has_reschedule,
    case
        when is_moved_by_tutor or is_excused_move then 'tutor' when is_moved_by_student then 'student'
    end as reschedule_initiator,
    case when is_moved_by_tutor or is_excused_move then (array['illness', 'travel', null])[1 + n % 3] end as reason_code,
    case
        when is_moved_by_tutor or is_moved_by_student or is_excused_move
            then scheduled_time - make_interval(hours => 1 + n * 7 % 60)
    end as requested_at,
    case
        when is_moved_by_tutor or is_moved_by_student or is_excused_move
            then (scheduled_time - make_interval(hours => 1 + n * 7 % 60))::date
    end as requested_on,
    case
        when is_moved_by_tutor or is_moved_by_student or is_excused_move then 1 + n * 7 % 60
    end::double precision as notice_hours,
    is_excused_move as is_excused,
    is_moved_by_tutor as is_tutor_reschedule,
    is_moved_by_tutor and 1 + n * 7 % 60 < 24 as is_short_notice,
    is_tutor_no_show,
    case
        when is_moved_by_tutor or is_moved_by_student or is_excused_move
            then least(scheduled_time::date, (scheduled_time - make_interval(hours => 1 + n * 7 % 60))::date)
        else scheduled_time::date
    end as counted_on
from outcomes
where scheduled_time::date <= '2026-01-31';

create table marts.platform_baseline as
select
    date '2026-01-31' as as_of,
    count(distinct tutor_id) as tutors,
    count(*) as sessions_90d,
    count(*) filter (where is_tutor_reschedule) as tutor_reschedules_90d,
    count(*) filter (where is_tutor_reschedule) / count(*)::double precision as reschedule_rate_90d,
    1.2::double precision as reschedule_prior_alpha,
    10.8::double precision as reschedule_prior_beta,
    count(*) filter (where is_tutor_no_show) / count(*)::double precision as tutor_no_show_rate_90d,
    1::double precision as no_show_prior_alpha,
    49::double precision as no_show_prior_beta,
    0.7::double precision as first_session_rate,
    7::double precision as first_session_prior_alpha,
    3::double precision as first_session_prior_beta,
    avg(rating)::double precision as rating_mean_90d
from marts.fct_sessions
where counted_on > date '2026-01-31' - 90;

create table marts.tutor_scores as
with windows as (
    select
        tutors.i,
        tutors.tutor_id,
        tutors.external_id,
        tutors.name,
        tutors.subjects,
        tutors.is_active,
        date '2026-01-31' as as_of,
        count(*) filter (where days_back < 7) as sessions_7d,
        count(*) filter (where days_back < 30) as sessions_30d,
        count(*) filter (where days_back < 90) as sessions_90d,
        count(*) filter (where days_back < 7 and has_reschedule) as reschedules_7d,
        count(*) filter (where days_back < 30 and has_reschedule) as reschedules_30d,
        count(*) filter (where days_back < 90 and has_reschedule) as reschedules_90d,
        count(*) filter (where days_back < 7 and is_tutor_reschedule) as tutor_reschedules_7d,
        count(*) filter (where days_back < 30 and is_tutor_reschedule) as tutor_reschedules_30d,
        count(*) filter (where days_back < 90 and is_tutor_reschedule) as tutor_reschedules_90d,
        count(*) filter (where days_back < 7 and is_tutor_no_show) as tutor_no_shows_7d,
        count(*) filter (where days_back < 30 and is_tutor_no_show) as tutor_no_shows_30d,
        count(*) filter (where days_back < 90 and is_tutor_no_show) as tutor_no_shows_90d,
        count(*) filter (where days_back < 7 and is_short_notice) as short_notice_reschedules_7d,
        count(*) filter (where days_back < 30 and is_short_notice) as short_notice_reschedules_30d,
        count(*) filter (where days_back < 90 and is_short_notice) as short_notice_reschedules_90d,
        count(distinct (requested_on, reason_code)) filter (where days_back < 90 and is_tutor_reschedule) as episodes_90d,
        count(distinct student_id) as first_meetings,
        count(distinct student_id) filter (where days_back > 60) as first_meetings_continued,
        count(rating) filter (where days_back < 90) as ratings_90d,
        avg(rating) filter (where days_back < 90)::double precision as rating_mean_90d,
        max(scheduled_time) filter (where status = 'completed') as last_session_at
    from marts.dim_tutors as tutors
    left join marts.fct_sessions as sessions on tutors.tutor_id = sessions.tutor_id
    left join lateral (values (date '2026-01-31' - sessions.counted_on)) as of_session (days_back) on true
    group by
        tutors.i, tutors.tutor_id, tutors.external_id, tutors.name, tutors.subjects, tutors.is_active
),

estimates as (
    select
        windows.*,
        case when sessions_90d > 0 then (tutor_reschedules_90d + 1.2) / (sessions_90d + 12.0) end::double precision
            as reschedule_rate_expected,
        case when sessions_90d > 0 then (tutor_no_shows_90d + 1) / (sessions_90d + 50.0) end::double precision
            as tutor_no_show_rate_expected,
        case when first_meetings > 0 then (first_meetings_continued + 7) / (first_meetings + 10.0) end::double precision
            as first_session_rate_expected,
        (rating_mean_90d * ratings_90d + 42) / (ratings_90d + 10) as rating_expected
    from windows
),

components as (
    select
        estimates.*,
        case when sessions_90d > 0 then greatest(0, 1 - reschedule_rate_expected / 0.3) end as reliability_component,
        case when sessions_90d > 0 then greatest(0, 1 - tutor_no_show_rate_expected / 0.1) end as attendance_component,
        first_session_rate_expected as first_session_component,
        (rating_expected - 1) / 4 as rating_component,
        least(0.999, reschedule_rate_expected ^ 2 * 25) as risk_probability
    from estimates
),

statuses as (
    select
        components.*,
        case
            when sessions_90d < 5 then 'insufficient_data'
            when risk_probability >= 0.8 then 'high_risk'
            when risk_probability >= 0.5 then 'watch'
            else 'ok'
        end as risk_status,
        case
            when sessions_90d > 0
                then 100 * (0.6 * reliability_component + 0.4 * coalesce(rating_component, attendance_component))
        end as quality_score
    from components
)

select
    tutor_id,
    external_id,
    name,
    subjects,
    is_active,
    as_of,
    sessions_7d,
    sessions_30d,
    sessions_90d,
    reschedules_7d,
    reschedules_30d,
    reschedules_90d,
    tutor_reschedules_7d,
    tutor_reschedules_30d,
    tutor_reschedules_90d,
    tutor_no_shows_7d,
    tutor_no_shows_30d,
    tutor_no_shows_90d,
    short_notice_reschedules_7d,
    short_notice_reschedules_30d,
    short_notice_reschedules_90d,
    tutor_reschedules_7d / nullif(sessions_7d, 0)::double precision as reschedule_rate_7d,
    tutor_reschedules_30d / nullif(sessions_30d, 0)::double precision as reschedule_rate_30d,
    tutor_reschedules_90d / nullif(sessions_90d, 0)::double precision as reschedule_rate_90d,
    episodes_90d,
    reschedule_rate_expected,
    reschedule_rate_expected * 0.5 as reschedule_rate_low,
    least(1, reschedule_rate_expected * 1.6) as reschedule_rate_high,
    case when sessions_90d > 0 then risk_probability end as risk_probability,
    risk_status,
    risk_status = 'high_risk' as is_high_risk,
    as_of - (i % 20) as risk_status_since,
    case when risk_status in ('watch', 'high_risk') then 1 + (risk_probability * 10)::int end as sessions_to_clear,
    tutor_no_show_rate_expected,
    first_meetings,
    first_meetings_continued,
    first_session_rate_expected,
    ratings_90d,
    rating_mean_90d,
    rating_expected,
    reliability_component,
    attendance_component,
    first_session_component,
    rating_component,
    quality_score,
    case
        when sessions_30d > 0 then tutor_reschedules_30d / sessions_30d::double precision - reschedule_rate_expected
    end as trend_30d,
    case
        when risk_status <> 'insufficient_data'
            then percent_rank() over (partition by risk_status <> 'insufficient_data' order by quality_score)
    end as peer_percentile,
    last_session_at
from statuses;

alter table marts.dim_tutors drop column i;

create table marts.tutor_weekly as
with weeks as (
    select
        tutor_id,
        date_trunc('week', counted_on::timestamp)::date as week_start,
        count(*) as sessions,
        count(*) filter (where has_reschedule) as reschedules,
        count(*) filter (where is_tutor_reschedule) as tutor_reschedules,
        count(*) filter (where is_tutor_no_show) as tutor_no_shows,
        count(*) filter (where is_short_notice) as short_notice_reschedules,
        avg(rating)::double precision as rating_mean
    from marts.fct_sessions
    group by tutor_id, date_trunc('week', counted_on::timestamp)::date
)

select
    tutor_id,
    week_start,
    sessions,
    reschedules,
    tutor_reschedules,
    tutor_no_shows,
    short_notice_reschedules,
    tutor_reschedules / sessions::double precision as reschedule_rate,
    (sum(tutor_reschedules) over of_week / sum(sessions) over of_week)::double precision as platform_reschedule_rate,
    rating_mean
from weeks
window of_week as (partition by week_start);

create table marts.platform_weekly as
select
    date_trunc('week', counted_on::timestamp)::date as week_start,
    count(*) as sessions,
    count(*) filter (where has_reschedule) as reschedules,
    count(*) filter (where is_tutor_reschedule) as tutor_reschedules,
    count(*) filter (where is_tutor_no_show) as tutor_no_shows,
    count(*) filter (where is_tutor_reschedule) / count(*)::double precision as reschedule_rate,
    count(*) filter (where is_tutor_no_show) / count(*)::double precision as tutor_no_show_rate,
    avg(rating)::double precision as rating_mean
from marts.fct_sessions
group by 1;

-- The day before as_of, all flagged tutors were only watched.
create table marts.score_history as
select
    tutor_id,
    as_of - days_ago as as_of,
    sessions_90d,
    tutor_reschedules_90d,
    reschedule_rate_90d,
    reschedule_rate_expected,
    reschedule_rate_low,
    reschedule_rate_high,
    risk_probability,
    case when days_ago > 0 and risk_status = 'high_risk' then 'watch' else risk_status end as risk_status,
    quality_score,
    least(risk_status_since, as_of - days_ago) as risk_status_since
from marts.tutor_scores
cross join generate_series(0, 29) as days_ago;

create unique index on marts.tutor_scores (tutor_id);
create unique index on marts.dim_tutors (tutor_id);
create index on marts.fct_sessions (tutor_id, counted_on);
create unique index on marts.tutor_weekly (tutor_id, week_start);
create unique index on marts.score_history (tutor_id, as_of);
create index on marts.score_history (as_of);

-- Matching looks at people and predictions as they are now. Histories are made up from the id.
create view marts.match_students as
select
    student_id,
    external_id,
    name,
    age,
    subjects,
    preferred_teaching_style,
    preferred_pace,
    communication_style,
    urgency_level,
    is_stub,
    not is_stub and learning_goals is distinct from 'gone' as is_active,
    (get_byte(uuid_send(student_id), 0) % 4)::bigint as student_first_meetings,
    0.5 + get_byte(uuid_send(student_id), 1) / 512.0::double precision as student_continuation_rate,
    date '2026-01-30' - get_byte(uuid_send(student_id), 2) as last_session_on
from raw.students;

create view marts.match_tutors as
select
    tutor_id,
    external_id,
    name,
    subjects,
    is_active and not is_stub as is_active,
    capacity,
    age,
    experience_years::double precision as experience_years,
    teaching_style,
    preferred_pace,
    communication_style,
    (get_byte(uuid_send(tutor_id), 0) % 60)::bigint as tutor_sessions_90d,
    get_byte(uuid_send(tutor_id), 1) / 1024.0::double precision as tutor_reschedule_rate,
    get_byte(uuid_send(tutor_id), 2) / 4096.0::double precision as tutor_no_show_rate,
    0.5 + get_byte(uuid_send(tutor_id), 3) / 512.0::double precision as tutor_continuation_rate,
    3.5 + get_byte(uuid_send(tutor_id), 4) / 256.0::double precision as tutor_rating,
    2::bigint as active_students,
    capacity - least(capacity, 2) as free_capacity
from raw.tutors;

create view marts.match_predictions as
select
    bucket,
    student_id,
    tutor_id,
    churn_probability,
    risk_level,
    compatibility_score,
    pace_mismatch,
    style_mismatch,
    communication_mismatch,
    age_mismatch,
    model_version,
    predicted_at
from ml.match_predictions;

create view marts.upcoming_sessions as
select
    sessions.session_id,
    sessions.external_id,
    sessions.tutor_id,
    sessions.student_id,
    sessions.subject,
    sessions.scheduled_time,
    sessions.scheduled_time::date as scheduled_on,
    extract(epoch from sessions.scheduled_time - sessions.booked_at)::double precision / 3600 as lead_hours,
    extract(hour from sessions.scheduled_time)::smallint as hour,
    extract(isodow from sessions.scheduled_time)::smallint as weekday,
    sessions.duration_minutes,
    0.1::double precision as tutor_reschedule_rate,
    0.02::double precision as tutor_no_show_rate,
    20::bigint as tutor_sessions_90d,
    3::bigint as pair_sessions_before,
    0::bigint as pair_tutor_reschedules_before,
    5::bigint as student_sessions_before,
    false as is_first_meeting,
    predictions.tutor_disruption_probability,
    predictions.risk_level,
    predictions.model_version,
    predictions.predicted_at
from raw.sessions
left join ml.session_predictions as predictions on sessions.session_id = predictions.session_id
where sessions.status = 'scheduled';

grant select on all tables in schema marts to tutorq_api;
reset role;
