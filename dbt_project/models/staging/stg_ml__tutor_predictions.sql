{{ config(tags=['matching']) }}

-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    tutor_id,
    stop_probability,
    factors,
    model_version,
    as_of,
    predicted_at
from {{ source('ml', 'tutor_predictions') }}
