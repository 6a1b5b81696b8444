{{ config(tags=['nightly']) }}

{% set z = 1.959964 %} -- of a 95% interval

-- Tutors are what is drawn: a tutor's excuses come together, so that sessions alone would promise too much. Sums of
-- fractions are made in numeric, so that the order of rows cannot change a digit.

with platform as (
    select as_of from {{ ref('int_platform') }}
),

scores as (
    select * from {{ ref('tutor_scores') }}
),

tutors as (
    select * from {{ ref('dim_tutors') }}
),

slots as (
    select * from {{ ref('int_slots') }}
),

facts as (
    select * from {{ ref('int_session_facts') }}
    where is_final and caused_by = 'tutor'
),

excuses as (
    select * from {{ ref('stg_app__excuses') }}
),

cases as (
    select * from {{ ref('stg_app__cases') }}
),

taught as (
    select distinct on (tutor_id)
        tutor_id,
        subject
    from (
        select
            tutor_id,
            subject,
            count(*) as sessions
        from slots
        where subject is not null
        group by tutor_id, subject
    ) as counts
    order by tutor_id asc, sessions desc, subject asc
),

groups as (
    select
        tutors.tutor_id,
        cell.dimension,
        cell.level
    from tutors
    cross join platform
    left join scores on tutors.tutor_id = scores.tutor_id
    left join taught on tutors.tutor_id = taught.tutor_id
    cross join
        lateral (
            values
            ('all', 'all'),
            ('subject', taught.subject),
            (
                'tenure',
                case
                    {% for least in var('tenure_bands') | reverse %}
                        when platform.as_of - tutors.hired_at >= {{ least }} then '{{ least }}'
                    {% endfor %}
                    when platform.as_of >= tutors.hired_at then '0'
                end
            ),
            (
                'volume',
                case
                    {% for least in var('volume_bands') | reverse %}
                        when scores.sessions_90d >= {{ least }} then '{{ least }}'
                    {% endfor %}
                    when scores.sessions_90d is not null then '0'
                end
            ),
            ('time_zone', tutors.time_zone),
            (
                'age',
                case
                    {% for least in var('age_bands') | reverse %}
                        when tutors.age >= {{ least }} then '{{ least }}'
                    {% endfor %}
                    when tutors.age is not null then '0'
                end
            )
        ) as cell (dimension, level)
    where cell.level is not null
),

caused as (
    select
        facts.session_id,
        facts.tutor_id,
        facts.is_excused
    from platform
    inner join facts
        on
            facts.counted_on > platform.as_of - {{ var('fairness_days') }}
            and facts.counted_on <= platform.as_of
),

excused as (
    select
        caused.tutor_id,
        excuses.excused_by,
        exists(
            select from cases
            where
                cases.tutor_id = caused.tutor_id
                and cases.opened_at <= excuses.excused_at
                and (cases.closed_at is null or cases.closed_at > excuses.excused_at)
        ) as is_in_case
    from caused
    inner join excuses on caused.session_id = excuses.session_id
    where caused.is_excused
),

people as (
    select distinct excused_by from excused
),

-- One row per group and tutor in it: what was counted of what.
counts as (
    select
        'raised' as measure,
        groups.dimension,
        groups.level,
        null::text as person,
        scores.tutor_id,
        1::bigint as trials,
        scores.attention::integer::bigint as events,
        scores.sessions_90d as sessions,
        scores.let_downs_90d as let_downs
    from scores
    inner join groups on scores.tutor_id = groups.tutor_id
    where scores.is_active and scores.sessions_90d >= {{ var('min_sessions') }}
    union all
    select
        'excused' as measure,
        groups.dimension,
        groups.level,
        null as person,
        groups.tutor_id,
        count(*) as trials,
        count(*) filter (where caused.is_excused) as events,
        null as sessions,
        null as let_downs
    from caused
    inner join groups on caused.tutor_id = groups.tutor_id
    group by groups.dimension, groups.level, groups.tutor_id
    union all
    select
        'excused_in_case' as measure,
        'excused_by' as dimension,
        left(md5(excused_by), 12) as level,
        excused_by as person,
        tutor_id,
        count(*) as trials,
        count(*) filter (where is_in_case) as events,
        null as sessions,
        null as let_downs
    from excused
    group by excused_by, tutor_id
    union all
    select
        'excuses_given' as measure,
        'excused_by' as dimension,
        left(md5(people.excused_by), 12) as level,
        people.excused_by as person,
        excused.tutor_id,
        count(*) as trials,
        count(*) filter (where excused.excused_by = people.excused_by) as events,
        null as sessions,
        null as let_downs
    from excused
    cross join people
    group by people.excused_by, excused.tutor_id
),

-- A tutor is in one group of a dimension, but may be excused by several people. In a window: joined to these rows
-- again, of which Postgres expects one, each would be compared with each (151 s for 5,000 tutors).
beside_all as (
    select
        *,
        sum(trials) over tutors as tutor_trials,
        sum(events) over tutors as tutor_events
    from counts
    window tutors as (partition by measure, dimension, tutor_id)
),

of_tutors as (
    select
        measure,
        dimension,
        tutor_id,
        sum(trials) as trials,
        sum(events) as events
    from counts
    group by measure, dimension, tutor_id
),

shares as (
    select
        measure,
        dimension,
        count(*) as tutors,
        sum(trials) as trials,
        sum(events) as events,
        sum(events) / sum(trials) as share
    from of_tutors
    group by measure, dimension
),

-- What a tutor has beyond the share of all.
excess as (
    select
        of_tutors.measure,
        of_tutors.dimension,
        of_tutors.tutor_id,
        of_tutors.trials,
        of_tutors.events - of_tutors.trials * shares.share as excess
    from of_tutors
    inner join shares on of_tutors.measure = shares.measure and of_tutors.dimension = shares.dimension
),

totals as (
    select
        shares.measure,
        shares.dimension,
        shares.tutors,
        shares.trials,
        shares.events,
        shares.share,
        sum(excess.excess * excess.excess) as squares,
        greatest(
            1,
            sum(excess.excess * excess.excess) / nullif(shares.trials * shares.share * (1 - shares.share), 0)
        ) as design_effect
    from shares
    inner join excess on shares.measure = excess.measure and shares.dimension = excess.dimension
    group by shares.measure, shares.dimension, shares.tutors, shares.trials, shares.events, shares.share
),

summed as (
    select
        counts.measure,
        counts.dimension,
        counts.level,
        counts.person,
        count(*) as tutors,
        count(*) filter (where counts.trials = counts.tutor_trials) as tutors_of_this_alone,
        sum(counts.trials) as trials,
        sum(counts.events) as events,
        sum(counts.sessions) as sessions,
        sum(counts.let_downs) as let_downs,
        sum((counts.events - counts.trials * totals.share) ^ 2) as squares,
        sum(
            (counts.events - counts.trials * totals.share)
            * (counts.tutor_events - counts.tutor_trials * totals.share)
        ) as products,
        -- For the group's own spread about its own share, once that is known.
        sum(counts.events ^ 2) as events_squared,
        sum(counts.events * counts.trials) as events_times_trials,
        sum(counts.trials ^ 2) as trials_squared
    from beside_all as counts
    inner join totals on counts.measure = totals.measure and counts.dimension = totals.dimension
    group by counts.measure, counts.dimension, counts.level, counts.person
),

compared as (
    select
        summed.*,
        totals.design_effect,
        totals.tutors - summed.tutors_of_this_alone as other_tutors,
        totals.trials - summed.trials as other_trials,
        totals.events - summed.events as other_events,
        summed.events / summed.trials as share,
        summed.tutors < {{ var('fairness_least_tutors') }} as is_too_few,
        (summed.trials * totals.share)::double precision as events_expected,
        -- Of the score test: by the spread between tutors, and at least that of single draws times the design effect.
        greatest(
            (
                summed.squares
                - 2 * summed.products * summed.trials / totals.trials
                + totals.squares * (summed.trials / totals.trials) ^ 2
            ),
            (
                totals.design_effect * summed.trials * totals.share * (1 - totals.share)
                * (totals.trials - summed.trials) / nullif(totals.trials - 1, 0)
            )
        )::double precision as variance,
        sum(summed.sessions) over dimensions as sessions_in_all,
        sum(summed.let_downs) over dimensions as let_downs_in_all
    from summed
    inner join totals on summed.measure = totals.measure and summed.dimension = totals.dimension
    window dimensions as (partition by summed.measure, summed.dimension)
),

tested as (
    select
        measure,
        dimension,
        level,
        least(
            1,
            2 * {{ function('normal_cdf') }}(-greatest(0, abs(events - events_expected) - 0.5) / sqrt(variance))
        ) as p_value
    from compared
    where
        measure <> 'excuses_given'
        and not is_too_few
        and other_tutors >= {{ var('fairness_least_tutors') }}
        and other_trials > 0
        and events + other_events > 0
        and events + other_events < trials + other_trials
),

-- Benjamini and Hochberg (JRSS B 57, 1995), over all that is compared.
ranked as (
    select
        *,
        p_value * count(*) over () / count(*) over (order by p_value) as false_share_so_far
    from tested
),

adjusted as (
    select
        *,
        least(1, min(false_share_so_far) over (order by p_value desc)) as q_value
    from ranked
),

-- Wilson's interval (JASA 22, 1927) of as many draws as the group's sessions are worth.
intervals as (
    select
        *,
        (
            trials / greatest(
                design_effect,
                (events_squared - 2 * share * events_times_trials + share ^ 2 * trials_squared)
                / nullif(trials * share * (1 - share), 0)
            )
        )::double precision as draws
    from compared
),

final as (
    select
        intervals.measure || ' ' || intervals.dimension || ' ' || intervals.level as group_key,
        platform.as_of,
        intervals.measure,
        intervals.dimension,
        intervals.level,
        intervals.person,
        intervals.tutors,
        intervals.trials::bigint as trials,
        intervals.is_too_few,
        case when not intervals.is_too_few then intervals.events::bigint end as events,
        case when not intervals.is_too_few then intervals.share::double precision end as share,
        case when not intervals.is_too_few then greatest(0, wilson.middle - wilson.reach) end as low,
        case when not intervals.is_too_few then least(1, wilson.middle + wilson.reach) end as high,
        intervals.other_tutors,
        intervals.other_trials::bigint as other_trials,
        case when adjusted.p_value is not null then intervals.other_events::bigint end as other_events,
        case
            when adjusted.p_value is not null
                then (intervals.other_events / intervals.other_trials)::double precision
        end as other_share,
        case
            when not intervals.is_too_few
                then (intervals.let_downs / nullif(intervals.sessions, 0))::double precision
        end as let_down_rate,
        case
            when adjusted.p_value is not null
                then (
                    (intervals.let_downs_in_all - intervals.let_downs)
                    / nullif(intervals.sessions_in_all - intervals.sessions, 0)
                )::double precision
        end as other_let_down_rate,
        adjusted.p_value,
        adjusted.q_value,
        coalesce(adjusted.q_value <= {{ var('pattern_false_share') }}, false) as is_difference
    from intervals
    cross join platform
    left join adjusted
        on
            intervals.measure = adjusted.measure
            and intervals.dimension = adjusted.dimension
            and intervals.level = adjusted.level
    cross join
        lateral (
            select
                greatest(intervals.draws, 1) as n,
                intervals.share::double precision as p
        ) as of_draws
    cross join
        lateral (
            select
                (of_draws.p + {{ z }} ^ 2 / (2 * of_draws.n)) / (1 + {{ z }} ^ 2 / of_draws.n) as middle,
                {{ z }} * sqrt(of_draws.p * (1 - of_draws.p) / of_draws.n + {{ z }} ^ 2 / (4 * of_draws.n ^ 2))
                / (1 + {{ z }} ^ 2 / of_draws.n) as reach
        ) as wilson
)

select * from final
