{{
    config(
        materialized='incremental',
        batches=var('scores_per_batch'),
        key='concern_key',
        batch_only=['clears_on'],
        after_batch='
            select marts.keep_tutor_rows($tutors);
            select marts.keep_cases($tutors);
            select marts.note_refresh()
        ',
        post_hook='select marts.keep_cases(null)',
        gate=4,
        indexes=[{'columns': ['tutor_id']}, {'columns': ['concern', 'status']}],
    )
}}

-- Batch-only columns come last: live writers take the others as int_tutor_concerns has them (refresh_sessions).
-- Cases follow with each batch, and at the end for concerns that are gone and tutors who have left.
-- depends_on: {{ function('note_refresh') }}, {{ function('keep_cases') }}, {{ function('draw_arm') }},
-- {{ function('keep_tutor_rows') }},
-- {{ function('tell_concerns') }}, {{ ref('dim_tutors') }}

with concerns as (
    select * from {{ ref('int_tutor_concerns') }}
),

priors as (
    select * from {{ ref('int_concern_priors') }}
    where not is_closed
),

filter_states as not materialized (
    select * from {{ ref('int_filter_states') }}
    where is_as_of
),

filter_parameters as (
    select * from {{ ref('int_filter_parameters') }}
),

-- Not materialized: of those who are raised, few rows are looked up.
tutor_days as not materialized (
    select * from {{ ref('int_tutor_days') }}
),

pairs as not materialized (
    select * from {{ ref('int_pairs') }}
),

-- Which days count, and how fast they fade.
rules as (
    select * from (
        values
        {% for concern in var('rate_concerns') %}
            (
                '{{ concern.name }}',
                {{ var(concern.half_life) }}::double precision,
                0,
                {{ var('evidence_days') }},
                {{ concern.needs_days }},
                {{ var(concern.cap) }}::double precision,
                {{ var(concern.needs) }}
            ),
        {% endfor %}
        (
            'low_ratings',
            {{ var('evidence_half_life_days') }},
            0,
            {{ var('evidence_days') }},
            {{ var('evidence_days') }},
            null,
            {{ var('ratings_needed') }}
        ),
        (
            'loses_new_students',
            'infinity',
            {{ var('first_session_follow_up_days') }},
            {{ var('first_session_window_days') }},
            {{ var('first_session_window_days') }},
            'infinity',
            {{ var('first_meetings_needed') }}
        )
    ) as counted (concern, half_life_days, open_days, evidence_days, needs_days, cap, needs)
),

raised as (
    select
        concern_key,
        tutor_id,
        concern,
        as_of,
        probability,
        threshold,
        as_of - last_high_on as days_since_high,
        case concern
            when 'low_ratings' then threshold + {{ var('rating_margin') }}
            when 'loses_new_students' then threshold - {{ var('first_meeting_margin') }}
            else 0
        end as coming_mean
    from concerns
    where status = 'raised'
),

-- Lateral and with aggregates, so that each tutor's rows are read by index.
histories as (
    select
        raised.concern_key,
        history.*
    from raised
    cross join
        lateral (
            select
                array_agg(age_days order by age_days) as ages,
                array_agg(trials order by age_days) as trials,
                array_agg(total order by age_days) as totals,
                coalesce(sum(trials) filter (where age_days < {{ var('pace_days') }}), 0)
                / {{ var('pace_days') }} as pace
            from (
                select
                    age_days,
                    trials,
                    total
                from (
                    select
                        raised.as_of - tutor_days.counted_on as age_days,
                        case raised.concern
                            {% for concern in var('rate_concerns') %}
                                when '{{ concern.name }}' then tutor_days.{{ concern.trials }}::double precision
                            {% endfor %}
                            when 'getting_worse' then tutor_days.sessions
                            when 'low_ratings' then tutor_days.ratings
                        end as trials,
                        case raised.concern
                            {% for concern in var('rate_concerns') %}
                                when '{{ concern.name }}' then tutor_days.{{ concern.events }}::double precision
                            {% endfor %}
                            when 'getting_worse' then tutor_days.let_downs
                            when 'low_ratings' then tutor_days.rating_sum
                        end as total
                    from tutor_days
                    where
                        tutor_days.tutor_id = raised.tutor_id
                        and tutor_days.counted_on > raised.as_of - {{ var('evidence_days') }}
                        and tutor_days.counted_on <= raised.as_of
                ) as counts
                where trials > 0
                union all
                select
                    raised.as_of - pairs.first_session_on as age_days,
                    count(*) as trials,
                    case
                        -- Those whose days are not over will be as the platform's are.
                        when raised.as_of - pairs.first_session_on < {{ var('first_session_follow_up_days') }}
                            then count(*) * raised.coming_mean
                        else count(*) filter (where not pairs.is_continued)
                    end as total
                from pairs
                where
                    pairs.tutor_id = raised.tutor_id
                    and pairs.first_session_on > raised.as_of - {{ var('first_session_window_days') }}
                    and pairs.first_session_on <= raised.as_of
                    and raised.concern = 'loses_new_students'
                group by pairs.first_session_on
            ) as counts
        ) as history
),

clearings as (
    select
        raised.concern_key,
        clearing.clears_in
    from raised
    inner join histories on raised.concern_key = histories.concern_key
    inner join rules on raised.concern = rules.concern
    inner join priors on raised.concern = priors.concern
    cross join
        lateral {{ function('evidence_clears_in') }}(
            priors.log_masses,
            priors.log_rates,
            priors.log_complements,
            priors.rating_mean,
            priors.between_variance,
            priors.within_variance,
            raised.threshold,
            histories.ages,
            histories.trials,
            histories.totals,
            rules.half_life_days,
            rules.open_days,
            rules.evidence_days,
            rules.needs_days,
            rules.cap,
            rules.needs,
            histories.pace,
            raised.coming_mean,
            raised.days_since_high
        ) as clearing
    union all
    select
        raised.concern_key,
        {{ function('filter_clears_in') }}(
            states.state,
            raised.probability,
            raised.as_of - histories.ages[1],
            raised.as_of,
            filter_parameters.after_a_jump,
            filter_parameters.log_rates,
            filter_parameters.log_complements,
            filter_parameters.design_effect,
            histories.ages,
            histories.trials,
            histories.pace,
            {{ var('min_sessions') }},
            {{ var('rate_concerns')[0].needs_days }},
            raised.days_since_high
        ) as clears_in
    from raised
    inner join histories on raised.concern_key = histories.concern_key
    cross join filter_parameters
    cross join
        lateral (
            select filter_states.state from filter_states
            where filter_states.tutor_id = raised.tutor_id
            offset 0 -- noqa: AM09
        ) as states
    where raised.concern = 'getting_worse'
),

final as (
    select
        concerns.*,
        concerns.as_of + clearings.clears_in as clears_on
    from concerns
    left join clearings on concerns.concern_key = clearings.concern_key
)

select * from final -- noqa: AM04
