{{
    config(
        materialized='table',
        tags=['matching'],
        indexes=[{'columns': ['student_id', 'known_before'], 'unique': true}],
        post_hook="analyze {{ this }}",
    )
}}

with as_of as (
    select * from {{ ref('int_as_of') }}
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

sessions as (
    select * from {{ ref('int_session_facts') }}
),

session_days as (
    select
        student_id,
        scheduled_on,
        count(*) filter (where status = 'completed') as completed,
        count(rating) as ratings,
        coalesce(sum(rating), 0) as rating_sum
    from sessions
    where status <> 'scheduled'
    group by student_id, scheduled_on
),

-- What became known of a student, each on its day.
entries as (
    select
        student_id,
        first_session_on as known_before,
        'first_meetings' as what,
        1::numeric as amount
    from pairs

    union all

    -- A continuation is known as soon as it is seen; that there was none, once the 30 days are over.
    select
        student_id,
        case
            when is_continued then next_session_on else first_session_on + {{ var('first_session_follow_up_days') }}
        end as known_before,
        case when is_continued then 'continued' else 'lost' end as what,
        1 as amount
    from pairs

    union all

    select
        session_days.student_id,
        session_days.scheduled_on as known_before,
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

    -- Days on which first sessions were booked, and tomorrow: nothing happened, but somebody asks.
    select
        pairs.student_id,
        {{ booked_on('sessions') }} as known_before,
        'asked' as what,
        0 as amount
    from pairs
    inner join sessions on pairs.first_session_id = sessions.session_id

    union all

    select distinct
        pairs.student_id,
        as_of.as_of + 1 as known_before,
        'asked' as what,
        0 as amount
    from pairs
    cross join as_of
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

select * from final
