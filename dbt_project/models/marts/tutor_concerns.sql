{{
    config(
        materialized='incremental',
        batches=var('scores_per_batch'),
        key='concern_key',
        batch_only=['clears_on'],
        after_batch='select marts.keep_cases(null); select marts.note_refresh()',
        post_hook='select marts.keep_cases(null)',
        gate=4,
        indexes=[{'columns': ['tutor_id']}, {'columns': ['concern', 'status']}],
    )
}}

-- Batch-only columns come last: live writers take the others as int_tutor_concerns has them.
-- Cases follow with each batch, and at the end for tutors who have left.
-- depends_on: {{ function('note_refresh') }}, {{ function('keep_cases') }}, {{ function('draw_arm') }},
-- {{ ref('dim_tutors') }}

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

half_lives as (
    select
        half_life,
        array_agg({{ function('evidence_weight') }}(age_days, half_life) / power(2, 40) order by age_days) as weights
    from unnest(array[{{ var('evidence_half_life_days') }}, {{ var('no_show_half_life_days') }}]) as half_life
    cross join generate_series(0, {{ var('evidence_days') - 1 }}) as age_days
    group by half_life
),

rules as (
    {% for concern in var('rate_concerns') %}
        select
            '{{ concern.name }}' as concern,
            weights,
            {{ var(concern.cap) }} as cap,
            {{ var(concern.needs) }} as needs,
            array_fill(1::double precision, array[{{ concern.needs_days }}]) as needs_weights
        from half_lives
        where half_life = {{ var(concern.half_life) }}
        union all
    {% endfor %}
    select
        'low_ratings' as concern,
        weights,
        null as cap,
        {{ var('ratings_needed') }} as needs,
        array_fill(1::double precision, array[{{ var('evidence_days') }}]) as needs_weights
    from half_lives
    where half_life = {{ var('evidence_half_life_days') }}
    union all
    select
        'loses_new_students' as concern,
        window_of_meetings as weights,
        'infinity'::double precision as cap,
        {{ var('first_meetings_needed') }} as needs,
        window_of_meetings as needs_weights
    from (
        select
            array_fill(0::double precision, array[{{ var('first_session_follow_up_days') }}])
            || array_fill(
                1::double precision,
                array[{{ var('first_session_window_days') - var('first_session_follow_up_days') }}]
            ) as window_of_meetings
    ) as meetings
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
                    raised.as_of - tutor_days.counted_on as age_days,
                    unit.trials,
                    unit.total
                from tutor_days
                cross join
                    lateral (
                        values
                        {% for concern in var('rate_concerns') %}
                            (
                                '{{ concern.name }}',
                                tutor_days.{{ concern.trials }}::double precision,
                                tutor_days.{{ concern.events }}::double precision
                            ),
                        {% endfor %}
                        ('getting_worse', tutor_days.sessions, tutor_days.let_downs),
                        ('low_ratings', tutor_days.ratings, tutor_days.rating_sum)
                    ) as unit (concern, trials, total)
                where
                    tutor_days.tutor_id = raised.tutor_id
                    and tutor_days.counted_on > raised.as_of - {{ var('evidence_days') }}
                    and tutor_days.counted_on <= raised.as_of
                    and unit.concern = raised.concern
                    and unit.trials > 0
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
        {{ function('evidence_clears_in') }}(
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
            rules.weights,
            rules.cap,
            histories.pace,
            raised.coming_mean,
            rules.needs,
            rules.needs_weights,
            raised.days_since_high
        ) as clears_in
    from raised
    inner join histories on raised.concern_key = histories.concern_key
    inner join rules on raised.concern = rules.concern
    inner join priors on raised.concern = priors.concern
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
