{{ config(materialized='view') }}

with cases as (
    select * from {{ ref('stg_app__cases') }}
),

people as (
    select * from {{ ref('stg_app__people') }}
),

flags as (
    select * from {{ ref('tutor_flags') }}
),

as_of as (
    select * from {{ ref('int_as_of') }}
),

contacts as (
    select
        case_id,
        count(*) as contacts,
        min(contacted_at) as first_contact_at,
        (array_agg(agreed_action order by contacted_at desc, event_id desc))[1] as last_action
    from {{ ref('int_case_contacts') }}
    group by case_id
),

later as (
    select
        cases.case_id,
        moments.days,
        bool_or(flags.tutor_id is not null) as is_raised
    from cases
    cross join (values (30), (90)) as moments (days)
    cross join as_of
    left join flags
        on
            cases.tutor_id = flags.tutor_id
            and flags.concern = any(cases.concerns)
            and flags.raised_on <= cases.opened_on + moments.days
            and (flags.cleared_on is null or flags.cleared_on > cases.opened_on + moments.days)
    where cases.opened_on + moments.days <= as_of.as_of and cases.reason is distinct from 'left'
    group by cases.case_id, moments.days
),

final as (
    select
        cases.case_id,
        cases.tutor_id,
        cases.state,
        cases.is_open,
        cases.reason,
        cases.owner_id,
        people.person_name as owner_name,
        cases.priority,
        cases.concerns,
        cases.raised_concerns,
        cases.opened_on,
        cases.opened_at,
        cases.opened_by,
        cases.arm,
        cases.due_on,
        cases.snoozed_until,
        cases.suggested_at,
        cases.reopened_at,
        cases.closed_at,
        coalesce(contacts.contacts, 0) as contacts,
        contacts.first_contact_at,
        -- Whoever had spoken with the tutor before the case was opened did not wait.
        case
            when contacts.first_contact_at is not null
                then greatest(0, extract(epoch from contacts.first_contact_at - cases.opened_at) / 86400)
        end::double precision as days_to_contact,
        contacts.last_action,
        after_30.is_raised as is_raised_after_30_days,
        after_90.is_raised as is_raised_after_90_days
    from cases
    left join people on cases.owner_id = people.person_id
    left join contacts on cases.case_id = contacts.case_id
    left join later as after_30 on cases.case_id = after_30.case_id and after_30.days = 30
    left join later as after_90 on cases.case_id = after_90.case_id and after_90.days = 90
)

select * from final
