{% set bounds = var('dayparts') %}
{% set slot = local_time('coalesce(original_time, scheduled_time)') %}

-- The slot of a session is the one that was promised: before the tutor's first move, or else the first move. A lesson
-- with several students is one session of its tutor, as in int_tutor_days.

with platform as (
    select as_of from {{ ref('int_platform') }}
),

facts as (
    select * from {{ ref('int_session_facts') }}
    where is_final
),

pairs as (
    select * from {{ ref('int_pairs') }}
),

in_window as (
    select
        facts.*,
        platform.as_of
    from platform
    inner join facts
        on
            facts.counted_on > platform.as_of - {{ var('pattern_days') }}
            and facts.counted_on <= platform.as_of
),

counted as (
    select
        *,
        true as is_counted
    from in_window
    where lesson_id is null
    union all
    select
        *,
        row_number() over (
            partition by tutor_id, counted_on, lesson_id
            order by is_let_down desc, status <> 'completed' asc, session_id asc
        ) = 1 as is_counted
    from in_window
    where lesson_id is not null
),

placed as (
    select
        counted.session_id,
        counted.tutor_id,
        counted.as_of,
        counted.counted_on,
        counted.subject,
        counted.is_let_down,
        extract(isodow from {{ slot }})::integer as weekday,
        extract(hour from {{ slot }})::integer as hour,
        coalesce(counted.scheduled_on <= pairs.first_session_on, true) as is_first
    from counted
    left join pairs on counted.tutor_id = pairs.tutor_id and counted.student_id = pairs.student_id
    where counted.is_counted
),

final as (
    select
        session_id,
        tutor_id,
        as_of,
        counted_on,
        subject,
        is_let_down,
        weekday,
        hour,
        case
            {% for bound in bounds[1:] %}
                when hour < {{ bound }} then '{{ bounds[loop.index0] }}-{{ bound }}'
            {% endfor %}
            else '{{ bounds[-1] }}-24'
        end as daypart,
        is_first
    from placed
)

select * from final
