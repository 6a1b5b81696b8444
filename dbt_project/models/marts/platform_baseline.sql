-- The reference may be set with tutor_scores.
-- depends_on: {{ ref('tutor_scores') }}

with as_of as (
    select as_of from {{ ref('int_platform') }}
),

reference as (
    select * from {{ ref('int_score_reference') }}
),

tutor_days as (
    select * from {{ ref('int_tutor_days') }}
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

priors as (
    select
        concern_day,
        max(prior_alpha) filter (where concern = 'unreliable') as let_down_prior_alpha,
        max(prior_beta) filter (where concern = 'unreliable') as let_down_prior_beta,
        max(prior_alpha) filter (where concern = 'no_shows') as no_show_prior_alpha,
        max(prior_beta) filter (where concern = 'no_shows') as no_show_prior_beta,
        -- The concern is about those who do not continue.
        max(prior_beta) filter (where concern = 'loses_new_students') as first_session_prior_alpha,
        max(prior_alpha) filter (where concern = 'loses_new_students') as first_session_prior_beta
    from {{ ref('int_concern_priors') }}
    group by concern_day
),

-- Of quality_score: how much of its sum is one standard deviation of the component.
slopes as (
    select
        component.*,
        coalesce(
            component.sign * sqrt(component.weight) / nullif(sqrt(reference.covariance[5 * component.place - 4]), 0), 0
        ) as slope
    from reference
    cross join
        lateral (
            values
            (1, 'reliability', -1, {{ var('reliability_weight') }}::double precision),
            (2, 'attendance', -1, {{ var('attendance_weight') }}),
            (3, 'first_session', -1, {{ var('first_session_weight') }}),
            (4, 'rating', 1, {{ var('rating_weight') }})
        ) as component (place, name, sign, weight)
),

variances as (
    select
        one.name,
        sum(one.slope * another.slope * reference.covariance[4 * (one.place - 1) + another.place]) as variance
    from reference
    cross join slopes as one
    cross join slopes as another
    group by one.name
),

shares as (
    select
        {% for component in ['reliability', 'attendance', 'first_session', 'rating'] %}
            sum(variance) filter (where name = '{{ component }}') / nullif(sum(variance), 0) as {{ component }}_share,
        {% endfor %}
        sum(variance) as variance
    from variances
),

final as (
    select
        as_of.as_of,
        counts.tutors,
        counts.sessions as sessions_90d,
        counts.let_downs as let_downs_90d,
        counts.let_downs::double precision / nullif(counts.sessions, 0) as let_down_rate_90d,
        priors.let_down_prior_alpha,
        priors.let_down_prior_beta,
        counts.tutor_no_shows::double precision / nullif(counts.sessions, 0) as tutor_no_show_rate_90d,
        priors.no_show_prior_alpha,
        priors.no_show_prior_beta,
        meetings.continued::double precision / nullif(meetings.meetings, 0) as first_session_rate,
        priors.first_session_prior_alpha,
        priors.first_session_prior_beta,
        counts.rating_mean as rating_mean_90d,
        shares.reliability_share,
        shares.attendance_share,
        shares.first_session_share,
        shares.rating_share
    from as_of
    inner join priors on as_of.as_of = priors.concern_day
    cross join shares
    cross join
        lateral (
            select
                count(distinct tutor_days.tutor_id) as tutors,
                coalesce(sum(sessions), 0)::bigint as sessions,
                coalesce(sum(let_downs), 0)::bigint as let_downs,
                coalesce(sum(tutor_no_shows), 0)::bigint as tutor_no_shows,
                (sum(tutor_days.rating_sum) / nullif(sum(tutor_days.ratings), 0))::double precision as rating_mean
            from tutor_days
            where tutor_days.counted_on > as_of.as_of - 90 and tutor_days.counted_on <= as_of.as_of
        ) as counts
    cross join lateral (
        select
            count(*) as meetings,
            count(*) filter (where pairs.is_continued) as continued
        from pairs
        where
            pairs.first_session_on > as_of.as_of - {{ var('first_session_window_days') }}
            and pairs.first_session_on <= as_of.as_of - {{ var('first_session_follow_up_days') }}
    ) as meetings
)

select * from final
