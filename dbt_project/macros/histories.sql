{#
    What was known of a person before each day in `asked` (tutor_id or student_id, known_before), as CTEs from the CTEs
    `sessions` (int_session_facts) and `pairs`; the last one is `final`. With `since` (SQL of a day, before all windows),
    all that happened until then is added up on it.
#}

{# The day that an entry counts on. #}
{% macro not_before(day, since) -%}
    {{ 'greatest(' ~ day ~ ', ' ~ since ~ ')' if since else day }}
{%- endmacro %}


{# Windows as of the day before: 90 days of sessions, 365 days of first meetings, all ratings. #}
{% macro tutor_histories(since=none) %}
session_days as (
    select
        tutor_id,
        {{ not_before('scheduled_on', since) }} as known_before,
        count(*) as sessions,
        count(*) filter (where is_tutor_no_show) as tutor_no_shows,
        count(rating) as ratings,
        coalesce(sum(rating), 0) as rating_sum
    from sessions
    where status <> 'scheduled'
    group by tutor_id, {{ not_before('scheduled_on', since) }}
),

-- What became known of a tutor, each on its day.
entries as (
    select
        session_days.tutor_id,
        session_days.known_before,
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
        {{ not_before(known_on('sessions'), since) }} as known_before,
        'tutor_reschedules' as what,
        1 as amount
    from sessions
    where sessions.status <> 'scheduled' and sessions.is_tutor_reschedule

    union all

    select
        sessions.tutor_id,
        {{ not_before(let_down_known_on('sessions'), since) }} as known_before,
        'let_downs' as what,
        1 as amount
    from sessions
    where sessions.status <> 'scheduled' and sessions.is_let_down

    union all

    -- A continuation is known as soon as it is seen; that there was none, once the 30 days are over.
    select
        pairs.tutor_id,
        {{ not_before('outcome.known_before', since) }} as known_before,
        case when pairs.is_continued then 'continued' else 'lost' end as what,
        1 as amount
    from pairs
    cross join lateral (select {{ outcome_known_on('pairs') }} as known_before) as outcome

    union all

    -- Nothing happened, but somebody asks.
    select
        tutor_id,
        known_before,
        'asked' as what,
        0 as amount
    from asked
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
{% endmacro %}


{# All that happened before the day. #}
{% macro student_histories(since=none) %}
session_days as (
    select
        student_id,
        {{ not_before('scheduled_on', since) }} as known_before,
        count(*) filter (where status = 'completed') as completed,
        count(rating) as ratings,
        coalesce(sum(rating), 0) as rating_sum
    from sessions
    where status <> 'scheduled'
    group by student_id, {{ not_before('scheduled_on', since) }}
),

-- What became known of a student, each on its day.
entries as (
    select
        student_id,
        {{ not_before('first_session_on', since) }} as known_before,
        'first_meetings' as what,
        1::numeric as amount
    from pairs

    union all

    -- A continuation is known as soon as it is seen; that there was none, once the 30 days are over.
    select
        pairs.student_id,
        {{ not_before('outcome.known_before', since) }} as known_before,
        case when pairs.is_continued then 'continued' else 'lost' end as what,
        1 as amount
    from pairs
    cross join lateral (select {{ outcome_known_on('pairs') }} as known_before) as outcome

    union all

    select
        session_days.student_id,
        session_days.known_before,
        counted.what,
        counted.amount
    from session_days
    cross join
        lateral (
            values
            ('completed', session_days.completed::numeric),
            ('ratings', session_days.ratings),
            ('rating_sum', session_days.rating_sum)
        ) as counted (what, amount)
    where counted.amount > 0

    union all

    -- Nothing happened, but somebody asks.
    select
        student_id,
        known_before,
        'asked' as what,
        0 as amount
    from asked
),

{% set counts = ['first_meetings', 'continued', 'lost', 'completed', 'ratings', 'rating_sum'] %}

days as (
    select
        student_id,
        known_before,
        {% for name in counts %}
            coalesce(sum(amount) filter (where what = '{{ name }}'), 0) as {{ name }},
        {% endfor %}
        bool_or(what = 'asked') as is_asked
    from entries
    group by student_id, known_before
),

histories as (
    select
        student_id,
        known_before,
        {% for name in counts %}
            coalesce(sum({{ name }}) over earlier, 0) as {{ name }},
        {% endfor %}
        is_asked
    from days
    window
        earlier as (
            partition by student_id order by {{ day_number('known_before') }}
            range between unbounded preceding and 1 preceding
        )
),

final as (
    select
        student_id,
        known_before,
        first_meetings::bigint as student_first_meetings,
        (first_meetings - continued - lost)::bigint as student_pending_meetings,
        {{ shrunk_rate('continued', 'continued + lost', var('first_session_fallback_prior')) }}
            as student_continuation_rate,
        (completed + {{ var('sessions_per_pair_prior')[0] }})::double precision
        / (first_meetings + {{ var('sessions_per_pair_prior')[1] }})::double precision as student_sessions_per_pair,
        (rating_sum + {{ var('rating_prior_sessions') }} * {{ var('rating_fallback_mean') }})::double precision
        / (ratings + {{ var('rating_prior_sessions') }})::double precision as student_rating_given
    from histories
    where is_asked
)
{% endmacro %}


{# Since when is known whether a pair went on: a continuation as soon as it is seen, a loss once the 30 days are over. #}
{% macro outcome_known_on(pair) -%}
    case
        when {{ pair }}.is_continued then {{ pair }}.next_session_on
        else {{ pair }}.first_session_on + {{ var('first_session_follow_up_days') }}
    end
{%- endmacro %}
