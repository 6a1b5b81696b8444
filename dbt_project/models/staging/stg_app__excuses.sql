-- No CTEs: Postgres cannot look rows up by index in a view that has some, when it is joined.

select
    session_id,
    created_by as excused_by,
    created_at as excused_at
from {{ source('app', 'excuses') }}
