{{ config(materialized='view') }}

with events as (
    select * from {{ ref('stg_app__case_events') }}
),

-- What was logged on its own day has a time. Of an earlier day nobody knows the time: noon is least wrong.
final as (
    select
        contacts.event_id,
        contacts.case_id,
        contacts.person_id,
        contacts.channel,
        contacts.agreed_action,
        case
            when contacts.happened_on is null or contacts.happened_on = {{ reporting_date('contacts.happened_at') }}
                then contacts.happened_at
            else (contacts.happened_on + time '12:00') at time zone '{{ var("timezone") }}'
        end as contacted_at
    from events as contacts
    left join events as later on contacts.event_id = later.corrects_event_id
    where contacts.kind = 'contact' and later.event_id is null
)

select * from final
