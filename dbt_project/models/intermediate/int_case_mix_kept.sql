-- As the last night has left it; empty before the first one. The table is filled by int_case_mix.
-- depends_on: {{ ref('int_case_mix') }}

select
    tutor_id,
    expected
from intermediate.case_mix
