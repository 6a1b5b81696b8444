{{
    config(
        materialized='table',
        tags=['matching'],
        indexes=[{'columns': ['tutor_id', 'known_before'], 'unique': true}],
        post_hook="analyze {{ this }}",
    )
}}

-- Windows count open days, which are all but those of a break of the whole platform: nobody stops in the holidays.
-- A break is noticed by the week up to the day and the 12 weeks before it, so no day knows of later ones.

{% set prior = var('rating_prior_sessions') %}
{% set prior_sum = prior * var('rating_fallback_mean') %}
{% set silent, window = var('attrition_silent_days'), var('attrition_days') %}

-- Of who is asked about now, the eve is the last day that is over: the roll-over comes when today has only begun, and
-- without its sessions all would look a day more silent than those who are learnt from.
with as_of as (
    select
        as_of,
        least(as_of, {{ reporting_date('now()') }} - 1) as last_day
    from {{ ref('int_as_of') }}
),

-- Postgres would keep a copy of all its columns for the two that read it.
facts as not materialized (
    select * from {{ ref('int_session_facts') }}
),

tutors as (
    select * from {{ ref('stg_raw__tutors') }}
),

-- Of each session, only what is needed: this is the copy that is read again and again.
sessions as materialized (
    select
        facts.tutor_id,
        facts.student_id,
        facts.scheduled_on,
        facts.status = 'completed' or (facts.status = 'no_show' and facts.initiator = 'student') as is_held,
        facts.rating,
        case when facts.is_let_down then {{ let_down_known_on('facts') }} end as let_down_known_on
    from facts
    cross join as_of
    where facts.scheduled_on <= as_of.as_of and facts.status <> 'scheduled'
),

-- Sessions in which the tutor was there.
held as not materialized (
    select
        tutor_id,
        student_id,
        scheduled_on as held_on,
        rating
    from sessions
    where is_held
),

held_days as (
    select
        held_on,
        count(*) as sessions
    from held
    group by held_on
),

beginning as (
    select min(held_on) as held_on from held_days
),

calendar as (
    select
        each_day.calendar_day::date as calendar_day,
        coalesce(held_days.sessions, 0) as sessions
    from as_of
    cross join beginning
    cross join
        lateral generate_series(
            beginning.held_on::timestamp, as_of.as_of::timestamp, interval '1 day'
        ) as each_day (calendar_day)
    left join held_days on each_day.calendar_day::date = held_days.held_on
),

judged as (
    select
        calendar_day,
        sessions,
        coalesce(
            sum(sessions) over (order by calendar_day rows between 6 preceding and current row)
            >= {{ var('break_share') }} * 7
            * avg(sessions) over (order by calendar_day rows between 90 preceding and 7 preceding),
            true
        ) as is_open
    from calendar
),

-- The number of a closed day is that of the last open one.
numbered as (
    select
        calendar_day,
        sessions,
        is_open,
        (sum(is_open::integer) over (order by calendar_day))::integer as open_day
    from judged
),

open_days as (
    select
        calendar_day,
        is_open,
        open_day,
        coalesce(lead(is_open) over (order by calendar_day), true) as is_next_open,
        sum(sessions) over (order by open_day range between 27 preceding and current row) as platform_sessions,
        sum(sessions) over (order by open_day range between 55 preceding and 28 preceding) as platform_sessions_before
    from numbered
),

-- The days whose eve is looked at, spread over all weekdays, and the day after the last one. The outcome is known when
-- it is over.
asked_days as (
    select
        eve.calendar_day + 1 as known_before,
        eve.open_day,
        eve.calendar_day = as_of.last_day as is_latest,
        ln((coalesce(eve.platform_sessions, 0) + 1) / (coalesce(eve.platform_sessions_before, 0) + 1))::double precision
            as platform_change,
        the_end.calendar_day + 1 as outcome_on
    from open_days as eve
    cross join as_of
    left join open_days as the_end
        on eve.open_day + {{ window }} = the_end.open_day and the_end.is_open and the_end.calendar_day < as_of.as_of
    where
        eve.calendar_day = as_of.last_day
        or (
            {{ day_number('eve.calendar_day') }} % {{ var('attrition_step_days') }} = 0
            and eve.is_next_open
            and eve.calendar_day < as_of.last_day
            and eve.open_day >= 56
            and eve.calendar_day >= as_of.as_of - {{ var('attrition_training_days') }}
        )
),

-- No window of the first of them reaches back to this day, so that all days up to it may count as one.
long_ago as (
    select min(open_day) - 90 as open_day from asked_days
),

days as (
    select
        sessions.tutor_id,
        greatest(open_days.open_day, long_ago.open_day) as open_day,
        min(sessions.scheduled_on) filter (where sessions.is_held) as first_held_on,
        count(*) filter (where sessions.is_held) as sessions,
        count(*) filter (where sessions.is_held and open_days.is_open) as open_sessions,
        count(sessions.rating) filter (where sessions.is_held) as ratings,
        coalesce(sum(sessions.rating) filter (where sessions.is_held), 0) as rating_sum,
        count(*) as trials
    from sessions
    inner join open_days on sessions.scheduled_on = open_days.calendar_day
    cross join long_ago
    group by sessions.tutor_id, greatest(open_days.open_day, long_ago.open_day)
),

let_downs as (
    select
        sessions.tutor_id,
        open_days.open_day,
        count(*) as let_downs
    from sessions
    inner join open_days on sessions.let_down_known_on = open_days.calendar_day
    inner join long_ago on open_days.open_day > long_ago.open_day
    group by sessions.tutor_id, open_days.open_day
),

-- A student is the tutor's from a first session on until there was none for so many days.
meetings as (
    select
        held.tutor_id,
        held.student_id,
        open_days.open_day,
        lag(open_days.open_day) over of_pair as earlier,
        lead(open_days.open_day) over of_pair as later
    from held
    inner join open_days on held.held_on = open_days.calendar_day
    window of_pair as (partition by held.tutor_id, held.student_id order by open_days.open_day)
),

-- Of several meetings on a day only the first can begin a stretch, and only the last can end one.
turns as (
    select
        tutor_id,
        open_day,
        earlier is null as is_new,
        coalesce(open_day - earlier > {{ var('active_pair_days') }}, true) as begins,
        coalesce(later - open_day > {{ var('active_pair_days') }}, true) as ends
    from meetings
    -- The others are in the midst of a stretch.
    where
        (open_day - earlier <= {{ var('active_pair_days') }} and later - open_day <= {{ var('active_pair_days') }})
        is not true
),

student_changes as (
    select
        tutor_id,
        open_day,
        is_new::integer as new_ones,
        1 as begun,
        0 as lost
    from turns
    where begins
    union all
    select
        tutor_id,
        open_day + {{ var('active_pair_days') }} as open_day,
        0 as new_ones,
        0 as begun,
        1 as lost
    from turns
    where ends
),

-- What a tutor has room for is the most students at a time so far: the capacity that is stored is today's, and often
-- taken from those who have stopped, so it would give them away.
student_counts as (
    select
        tutor_id,
        open_day,
        sum(new_ones) as new_ones,
        sum(lost) as lost,
        sum(begun - lost) as gained,
        sum(sum(begun - lost)) over (partition by tutor_id order by open_day) as active_students
    from student_changes
    group by tutor_id, open_day
),

students as (
    select
        student_counts.tutor_id,
        greatest(student_counts.open_day, long_ago.open_day) as open_day,
        sum(student_counts.new_ones) as new_ones,
        sum(student_counts.lost) as lost,
        sum(student_counts.gained) as gained,
        max(student_counts.active_students) as most_students
    from student_counts
    cross join long_ago
    group by student_counts.tutor_id, greatest(student_counts.open_day, long_ago.open_day)
),

spans as (
    select
        tutor_id,
        min(first_held_on) as first_day,
        min(open_day) as first_open_day,
        max(open_day) as last_open_day
    from days
    where sessions > 0
    group by tutor_id
),

asked as (
    select
        spans.tutor_id,
        asked_days.known_before,
        asked_days.open_day
    from spans
    inner join asked_days
        on spans.first_open_day <= asked_days.open_day and spans.last_open_day > asked_days.open_day - 28
),

-- As of now only: what was planned on an earlier day cannot be told from what has become of it since.
planned as (
    select
        facts.tutor_id,
        count(*) as sessions
    from facts
    cross join as_of
    where
        facts.status = 'scheduled'
        and facts.scheduled_on > as_of.last_day
        and facts.scheduled_on <= as_of.last_day + 14
    group by facts.tutor_id
),

{% set known = {
    'days': ['sessions', 'open_sessions', 'ratings', 'rating_sum', 'trials'],
    'let_downs': ['let_downs'],
    'students': ['new_ones', 'lost', 'gained', 'most_students'],
} %}

-- What became known of a tutor, each on its day, and the days that are asked about.
together as (
    {% for source in known.keys() | list + ['asked'] %}
        select
            tutor_id,
            {% for name in known.values() | sum(start=[]) %}
                {{ name if name in known.get(source, []) else 0 }} as {{ name }},
            {% endfor %}
            {{ 'known_before' if source == 'asked' else 'null::date' }} as known_before,
            open_day
        from {{ source }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

histories as (
    select
        tutor_id,
        open_day,
        known_before,
        coalesce(sum(sessions) over last_28_days, 0) as sessions_28d,
        coalesce(sum(sessions) over before_that, 0) as sessions_before,
        coalesce(sum(open_sessions) over at_the_end, 0) as sessions_at_the_end,
        max(open_day) filter (where sessions > 0) over earlier as last_held,
        coalesce(sum(ratings) over last_90_days, 0) as ratings,
        coalesce(sum(rating_sum) over last_90_days, 0) as rating_sum,
        coalesce(sum(ratings) over earlier, 0) as all_ratings,
        coalesce(sum(rating_sum) over earlier, 0) as all_rating_sum,
        coalesce(sum(trials) over last_90_days, 0) as trials,
        coalesce(sum(let_downs) over last_90_days, 0) as let_downs,
        coalesce(sum(new_ones) over last_56_days, 0) as new_students,
        coalesce(sum(lost) over last_56_days, 0) as lost_students,
        coalesce(sum(gained) over earlier, 0) as active_students,
        max(most_students) over earlier as most_students
    from together
    window
        last_28_days as (
            partition by tutor_id order by open_day range between 27 preceding and current row
        ),
        before_that as (
            partition by tutor_id order by open_day range between 55 preceding and 28 preceding
        ),
        last_56_days as (
            partition by tutor_id order by open_day range between 55 preceding and current row
        ),
        last_90_days as (
            partition by tutor_id order by open_day range between 89 preceding and current row
        ),
        earlier as (
            partition by tutor_id order by open_day range between unbounded preceding and current row
        ),
        at_the_end as (
            partition by tutor_id order by open_day
            range between {{ window - silent + 1 }} following and {{ window }} following
        )
),

final as (
    select
        histories.tutor_id,
        histories.known_before,
        asked_days.is_latest,
        histories.sessions_28d::bigint as sessions_28d,
        histories.sessions_before::bigint as sessions_28d_before,
        ln((histories.sessions_28d + 1) / (histories.sessions_before + 1))::double precision
        - asked_days.platform_change as sessions_change,
        (histories.open_day - histories.last_held)::integer as days_since_session,
        case when asked_days.is_latest then coalesce(planned.sessions, 0) end as planned_sessions_14d,
        histories.active_students::bigint as active_students,
        (1 - histories.active_students / nullif(histories.most_students, 0))::double precision as below_peak_share,
        histories.new_students::bigint as new_students_56d,
        (histories.lost_students / nullif(histories.active_students + histories.lost_students, 0))::double precision
            as lost_share_56d,
        {{ shrunk_rate('histories.let_downs', 'histories.trials', var('let_down_fallback_prior')) }} as let_down_rate,
        ratings.of_90_days as rating,
        ratings.of_90_days - ratings.of_all_time as rating_change,
        (histories.known_before - least(tutors.hired_at, spans.first_day))::integer as tenure_days,
        asked_days.outcome_on,
        case when asked_days.outcome_on is not null then histories.sessions_at_the_end = 0 end as has_stopped
    from histories
    inner join asked_days on histories.known_before = asked_days.known_before
    inner join spans on histories.tutor_id = spans.tutor_id
    left join planned on histories.tutor_id = planned.tutor_id
    left join tutors on histories.tutor_id = tutors.tutor_id
    cross join
        lateral (
            select
                (histories.rating_sum + {{ prior_sum }}) / (histories.ratings + {{ prior }}) as of_90_days,
                (histories.all_rating_sum + {{ prior_sum }}) / (histories.all_ratings + {{ prior }}) as of_all_time
        ) as estimates
    cross join
        lateral (
            select
                estimates.of_90_days::double precision as of_90_days,
                estimates.of_all_time::double precision as of_all_time
        ) as ratings
    where
        histories.sessions_28d > 0
        and histories.sessions_28d + histories.sessions_before >= {{ var('attrition_least_sessions') }}
)

select * from final
