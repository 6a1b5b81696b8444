{{ config(tags=['thorough'], meta={'dagster': {'ref': {'name': 'int_tutor_days'}}}) }}

-- The incremental counts of the last 90 days are what the sessions themselves add up to.

with as_of as (
    select * from {{ ref('int_as_of') }}
),

-- Of a lesson with several students one session is counted: the one that tells most (int_tutor_days).
sessions as (
    select
        facts.*,
        facts.lesson_id is null
        or row_number() over (
            partition by facts.tutor_id, facts.counted_on, facts.lesson_id
            order by facts.is_let_down desc, facts.status <> 'completed' asc, facts.session_id asc
        ) = 1 as is_counted
    from {{ ref('int_session_facts') }} as facts
    inner join as_of on facts.counted_on > as_of.as_of - 90 and facts.counted_on <= as_of.as_of
    where facts.is_final
),

expected as (
    select
        tutor_id,
        counted_on,
        {% for metric in var('metrics') %}
            count(*) filter (where is_counted and ({{ metric.condition }})) as {{ metric.name }},
        {% endfor %}
        count(rating) as ratings,
        coalesce(sum(rating), 0) as rating_sum
    from sessions
    group by tutor_id, counted_on
),

actual as (
    select
        tutor_days.tutor_id,
        tutor_days.counted_on,
        {% for metric in var('metrics') %}
            tutor_days.{{ metric.name }},
        {% endfor %}
        tutor_days.ratings,
        tutor_days.rating_sum
    from {{ ref('int_tutor_days') }} as tutor_days
    inner join as_of on tutor_days.counted_on > as_of.as_of - 90 and tutor_days.counted_on <= as_of.as_of
),

missing as (
    select * from expected
    except
    select * from actual
),

surplus as (
    select * from actual
    except
    select * from expected
)

select
    'missing' as what,
    missing.tutor_id,
    missing.counted_on
from missing
union all
select
    'surplus' as what,
    surplus.tutor_id,
    surplus.counted_on
from surplus
