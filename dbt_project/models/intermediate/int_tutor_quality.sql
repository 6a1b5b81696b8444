{% set components = ['reliability', 'attendance', 'first_session', 'rating'] %}

with scoring_days as (
    select * from {{ ref('int_scoring_days') }}
),

tutors as (
    select * from {{ ref('dim_tutors') }}
),

posteriors as (
    select * from {{ ref('int_tutor_posteriors') }}
),

first_meetings as (
    select * from {{ ref('int_tutor_first_meetings') }}
),

platform as (
    select * from {{ ref('int_platform') }}
),

expected as (
    select
        scoring_days.as_of,
        tutors.tutor_id,
        {% for days in [7, 30, 90] %}
            {% for metric in var('metrics') %}
                posteriors.{{ metric.name }}_{{ days }}d,
            {% endfor %}
        {% endfor %}
        posteriors.sessions_previous_30d,
        posteriors.let_downs_previous_30d,
        posteriors.episodes_90d,
        posteriors.a,
        posteriors.b,
        posteriors.let_down_rate_expected,
        posteriors.let_down_rate_low,
        posteriors.let_down_rate_high,
        posteriors.risk_probability,
        posteriors.risk_status,
        posteriors.is_flagged,
        (posteriors.tutor_no_shows_90d + platform.no_show_prior_alpha)
        / (posteriors.sessions_90d + platform.no_show_prior_alpha + platform.no_show_prior_beta)
            as tutor_no_show_rate_expected,
        coalesce(first_meetings.first_meetings, 0) as first_meetings,
        coalesce(first_meetings.first_meetings_continued, 0) as first_meetings_continued,
        (first_meetings.first_meetings_continued + platform.first_session_prior_alpha)
        / (first_meetings.first_meetings + platform.first_session_prior_alpha + platform.first_session_prior_beta)
            as first_session_rate_expected,
        coalesce(posteriors.ratings_90d, 0) as ratings_90d,
        (posteriors.rating_sum_90d / nullif(posteriors.ratings_90d, 0))::double precision as rating_mean_90d,
        case
            when posteriors.ratings_90d > 0
                then
                    (
                        posteriors.rating_sum_90d::double precision
                        + {{ var('rating_prior_sessions') }} * platform.platform_rating_mean
                    ) / (posteriors.ratings_90d + {{ var('rating_prior_sessions') }})
        end as rating_expected
    from scoring_days
    inner join platform on scoring_days.as_of = platform.as_of
    cross join tutors
    left join posteriors on scoring_days.as_of = posteriors.as_of and tutors.tutor_id = posteriors.tutor_id
    left join first_meetings
        on scoring_days.as_of = first_meetings.as_of and tutors.tutor_id = first_meetings.tutor_id
),

components as (
    select
        *,
        -- not a bare least(1, …): it ignores nulls, and would turn "no data" into the worst score
        case
            when let_down_rate_expected is not null
                then 1 - least(1, let_down_rate_expected / {{ var('reliability_worst_rate') }})
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
