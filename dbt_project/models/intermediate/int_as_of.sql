{{ config(materialized='incremental') }}

-- A table that knows its statistics: with the default guess of 2,550 days here instead of one, plans take minutes at
-- 10 million sessions.
-- depends_on: {{ ref('int_tutor_days') }}, {{ ref('int_session_facts') }}

with final as (
    {% if var('as_of') == 'latest' %}
        -- Of lessons that students have called off, the day may be still to come. Sorted and cut off, so that the index
        -- is read from its end until the first day that will do.
        select
            coalesce(
                (
                    select tutor_days.counted_on
                    from {{ ref('int_tutor_days') }} as tutor_days
                    where
                        exists (
                            select from {{ ref('int_session_facts') }} as facts
                            where
                                facts.tutor_id = tutor_days.tutor_id
                                and facts.counted_on = tutor_days.counted_on
                                and facts.counted_on = least(facts.scheduled_on, facts.requested_on, facts.cancelled_on)
                                and facts.is_final
                        )
                    order by tutor_days.counted_on desc
                    limit 1
                ),
                {{ reporting_date('now()') }}
            ) as as_of
    {% elif var('as_of') == 'now' %}
        select {{ reporting_date('now()') }} as as_of
    {% else %}
        select '{{ var("as_of") }}'::date as as_of
    {% endif %}
)

select * from final
