{{ config(tags=['matching']) }}

-- Not materialized: the rows of one tutor are looked up by index (int_pair_histories).
with pairs as not materialized (
    select * from {{ ref('int_pairs') }}
),

sessions as not materialized (
    select * from {{ ref('int_session_facts') }}
),

-- The days on which first sessions were booked.
asked as (
    select distinct
        pairs.tutor_id,
        {{ booked_on('sessions') }} as known_before
    from pairs
    inner join sessions on pairs.first_session_id = sessions.session_id
),

{{ tutor_histories() }}

select * from final
