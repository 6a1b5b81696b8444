{% set components = ['reliability', 'attendance', 'first_session', 'rating'] %}

with windows as (
    select * from {{ ref('int_tutor_windows') }}
),

first_meetings as (
    select * from {{ ref('int_tutor_first_meetings') }}
),

posteriors as (
    select * from {{ ref('int_tutor_posteriors') }}
),

priors as (
    select * from {{ ref('int_rate_priors') }}
),

rating_means as (
    select * from {{ ref('int_rating_means') }}
),

tutors as (
    select
        as_of,
        tutor_id
    from windows
    union
    select
        as_of,
        tutor_id
    from first_meetings
),

expected as (
    select
        tutors.as_of,
        tutors.tutor_id,
        posteriors.reschedule_rate_expected,
        (windows.tutor_no_shows_90d + no_show.prior_alpha)
        / (windows.sessions_90d + no_show.prior_alpha + no_show.prior_beta) as tutor_no_show_rate_expected,
        coalesce(first_meetings.first_meetings, 0) as first_meetings,
        coalesce(first_meetings.first_meetings_continued, 0) as first_meetings_continued,
        (first_meetings.first_meetings_continued + first_session.prior_alpha)
        / (first_meetings.first_meetings + first_session.prior_alpha + first_session.prior_beta)
            as first_session_rate_expected,
        coalesce(windows.ratings_90d, 0) as ratings_90d,
        (windows.rating_sum_90d / nullif(windows.ratings_90d, 0))::double precision as rating_mean_90d,
        case
            when windows.ratings_90d > 0
                then
                    (
                        windows.rating_sum_90d::double precision
                        + {{ var('rating_prior_sessions') }} * rating_means.platform_rating_mean
                    ) / (windows.ratings_90d + {{ var('rating_prior_sessions') }})
        end as rating_expected
    from tutors
    left join windows on tutors.as_of = windows.as_of and tutors.tutor_id = windows.tutor_id
    left join first_meetings on tutors.as_of = first_meetings.as_of and tutors.tutor_id = first_meetings.tutor_id
    left join posteriors on tutors.as_of = posteriors.as_of and tutors.tutor_id = posteriors.tutor_id
    left join rating_means on tutors.as_of = rating_means.as_of
    inner join priors as no_show on tutors.as_of = no_show.as_of and no_show.rate_name = 'no_show'
    inner join priors as first_session
        on tutors.as_of = first_session.as_of and first_session.rate_name = 'first_session'
),

components as (
    select
        *,
        -- not a bare least(1, …): it ignores nulls, and would turn "no data" into the worst score
        case
            when reschedule_rate_expected is not null
                then 1 - least(1, reschedule_rate_expected / {{ var('reliability_worst_rate') }})
        end as reliability_component,
        case
            when tutor_no_show_rate_expected is not null
                then 1 - least(1, tutor_no_show_rate_expected / {{ var('attendance_worst_rate') }})
        end as attendance_component,
        first_session_rate_expected as first_session_component,
        (rating_expected - 1) / 4 as rating_component
    from expected
),

final as (
    select
        *,
        100 * (
            {% for component in components %}
                {{ '+ ' if not loop.first }}coalesce({{ component }}_component * {{ var(component ~ '_weight') }}, 0)
            {% endfor %}
        ) / nullif(
            {% for component in components %}
                {{ '+ ' if not loop.first }}
                case when {{ component }}_component is null then 0 else {{ var(component ~ '_weight') }} end
            {% endfor %}, 0
        ) as quality_score
    from components
)

select * from final
