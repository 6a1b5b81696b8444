{{
    config(
        materialized='table',
        tags=['matching'],
        indexes=[{'columns': ['tutor_id', 'known_before'], 'unique': true}],
        post_hook="analyze {{ this }}",
    )
}}

-- Windows as of the day before: 90 days of sessions, 365 days of first meetings, all ratings.

with as_of as (
    select * from {{ ref('int_as_of') }}
),

sessions as (
    select * from {{ ref('int_session_facts') }}
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

session_days as (
    select
        tutor_id,
        scheduled_on,
        count(*) as sessions,
        count(*) filter (where is_tutor_no_show) as tutor_no_shows,
        count(rating) as ratings,
        coalesce(sum(rating), 0) as rating_sum
    from sessions
    where status <> 'scheduled'
    group by tutor_id, scheduled_on
),

-- What became known of a tutor, each on its day.
entries as (
    select
        session_days.tutor_id,
        session_days.scheduled_on as known_before,
        counted.what,
        counted.amount
    from session_days
    cross join
        lateral (
            values
            ('sessions', session_days.sessions::numeric),
            ('tutor_no_shows', session_days.tutor_no_shows),
            ('ratings', session_days.ratings),
            ('rating_sum', session_days.rating_sum)
        ) as counted (what, amount)
    where counted.amount > 0

    union all

    -- By themselves, for a session may be called off after the event: until then nobody knew.
    select
        sessions.tutor_id,
        {{ known_on('sessions') }} as known_before,
        'tutor_reschedules' as what,
        1 as amount
    from sessions
    where sessions.status <> 'scheduled' and sessions.is_tutor_reschedule

    union all

    select
        sessions.tutor_id,
        {{ let_down_known_on('sessions') }} as known_before,
        'let_downs' as what,
        1 as amount
    from sessions
    where sessions.status <> 'scheduled' and sessions.is_let_down

    union all

    -- A continuation is known as soon as it is seen; that there was none, once the 30 days are over.
    select
        tutor_id,
        case
            when is_continued then next_session_on else first_session_on + {{ var('first_session_follow_up_days') }}
        end as known_before,
        case when is_continued then 'continued' else 'lost' end as what,
        1 as amount
    from pairs

    union all

    -- Days on which sessions were booked that a model learns from, and tomorrow: nothing happened, but somebody asks.
    select distinct
        sessions.tutor_id,
        {{ booked_on('sessions') }} as known_before,
        'asked' as what,
        0 as amount
    from sessions
    inner join as_of on sessions.scheduled_on > as_of.as_of - {{ var('session_training_days') }}

    union all

    select distinct
        pairs.tutor_id,
        {{ booked_on('sessions') }} as known_before,
        'asked' as what,
        0 as amount
    from pairs
    inner join sessions on pairs.first_session_id = sessions.session_id

    union all

    select distinct
        sessions.tutor_id,
        as_of.as_of + 1 as known_before,
        'asked' as what,
        0 as amount
    from sessions
    cross join as_of
),

{% set counts = [
    'sessions', 'let_downs', 'tutor_reschedules', 'tutor_no_shows', 'ratings', 'rating_sum', 'continued', 'lost',
] %}

days as (
    select
        tutor_id,
        known_before,
        {% for name in counts %}
            coalesce(sum(amount) filter (where what = '{{ name }}'), 0) as {{ name }},
        {% endfor %}
        bool_or(what = 'asked') as is_asked
    from entries
    group by tutor_id, known_before
),

histories as (
    select
        tutor_id,
        known_before,
        {% for name in counts[:6] %}
            coalesce(sum({{ name }}) over last_90_days, 0) as {{ name }},
        {% endfor %}
        coalesce(sum(continued) over last_year, 0) as continued,
        coalesce(sum(lost) over last_year, 0) as lost,
        coalesce(sum(ratings) over earlier, 0) as all_ratings,
        coalesce(sum(rating_sum) over earlier, 0) as all_rating_sum,
        is_asked
    from days
    window
        last_90_days as (
            partition by tutor_id order by {{ day_number('known_before') }}
            range between 90 preceding and 1 preceding
        ),
        last_year as (
            partition by tutor_id order by {{ day_number('known_before') }}
            range between {{ var("first_session_window_days") | int }} preceding and 1 preceding
        ),
        earlier as (
            partition by tutor_id order by {{ day_number('known_before') }}
            range between unbounded preceding and 1 preceding
        )
),

final as (
    select
        tutor_id,
        known_before,
        sessions::bigint as tutor_sessions_90d,
        {{ shrunk_rate('let_downs', 'sessions', var('let_down_fallback_prior')) }} as tutor_let_down_rate,
        {{ shrunk_rate('tutor_reschedules', 'sessions', var('let_down_fallback_prior')) }} as tutor_reschedule_rate,
        {{ shrunk_rate('tutor_no_shows', 'sessions', var('no_show_fallback_prior')) }} as tutor_no_show_rate,
        {{ shrunk_rate('continued', 'continued + lost', var('first_session_fallback_prior')) }}
            as tutor_continuation_rate,
        (rating_sum + {{ var('rating_prior_sessions') }} * {{ var('rating_fallback_mean') }})::double precision
        / (ratings + {{ var('rating_prior_sessions') }})::double precision as tutor_rating,
        (all_rating_sum + {{ var('rating_prior_sessions') }} * {{ var('rating_fallback_mean') }})::double precision
        / (all_ratings + {{ var('rating_prior_sessions') }})::double precision as tutor_rating_all_time
    from histories
    where is_asked
)

select * from final
