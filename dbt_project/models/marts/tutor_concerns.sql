{{
    config(
        materialized='incremental',
        batches=var('scores_per_batch'),
        key='concern_key',
        after_batch='select marts.note_refresh()',
        pre_hook="{{ prefer_hash_joins() }}",
        indexes=[{'columns': ['tutor_id']}, {'columns': ['concern', 'status']}],
    )
}}

-- depends_on: {{ function('note_refresh') }}

with final as (
    select * from {{ ref('int_tutor_concerns') }}
)

select * from final -- noqa: AM04
