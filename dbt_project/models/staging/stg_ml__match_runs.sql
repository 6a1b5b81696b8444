{{ config(tags=['matching']) }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    run_id,
    model_version,
    predicted_at,
    medium_from,
    high_from
from {{ source('ml', 'match_runs') }}
