-- How much there is to know of each day, which tells a closed day that has changed a lot since its priors were stored.

with dates as (
    select * from {{ ref('int_concern_dates') }}
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

session_days as (
    select
        counted_on,
        {% for column in var('rate_concerns') | map(attribute='trials') | unique %}
            sum({{ column }}) as {{ column }},
        {% endfor %}
        {% for column in var('rate_concerns') | map(attribute='events') | unique %}
            sum({{ column }}) as {{ column }},
        {% endfor %}
        sum(ratings) as ratings
    from tutor_days
    where
        counted_on > (select min(dates.concern_day) from dates) - {{ var('evidence_days') }}
        and counted_on <= (select max(dates.concern_day) from dates)
    group by counted_on
),

meeting_days as (
    select
        first_session_on,
        count(*) as meetings,
        count(*) filter (where not is_continued) as meetings_lost
    from pairs
    where first_session_on > (select min(dates.concern_day) from dates) - {{ var('first_session_window_days') }}
    group by first_session_on
),

counts as (
    select
        dates.concern_day,
        unit.*
    from dates
    inner join session_days
        on
            session_days.counted_on > dates.concern_day - {{ var('evidence_days') }}
            and session_days.counted_on <= dates.concern_day
    cross join
        lateral (
            values
            {% for concern in var('rate_concerns') %}
                ('{{ concern.name }}', session_days.{{ concern.trials }}, session_days.{{ concern.events }}),
            {% endfor %}
            ('low_ratings', session_days.ratings, 0)
        ) as unit (concern, trials, events)
    union all
    select
        dates.concern_day,
        'loses_new_students' as concern,
        meeting_days.meetings,
        meeting_days.meetings_lost
    from dates
    inner join meeting_days
        on
            meeting_days.first_session_on > dates.concern_day - {{ var('first_session_window_days') }}
            and meeting_days.first_session_on <= dates.concern_day - {{ var('first_session_follow_up_days') }}
),

concerns as (
    select * from (
        values
        {% for concern in var('rate_concerns') %}
            ('{{ concern.name }}'),
        {% endfor %}
        ('low_ratings'),
        ('loses_new_students')
    ) as concern (concern)
),

final as (
    select
        dates.concern_day,
        dates.is_as_of,
        concerns.concern,
        coalesce(sum(counts.trials), 0)::double precision as trials,
        coalesce(sum(counts.events), 0)::double precision as events
    from dates
    cross join concerns
    left join counts on dates.concern_day = counts.concern_day and concerns.concern = counts.concern
    group by dates.concern_day, dates.is_as_of, concerns.concern
)

select * from final
