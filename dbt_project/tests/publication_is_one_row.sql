-- Readers take the generation from the one row of publication; none or two would break them.

select count(*) as publications
from {{ ref('publication') }}
having count(*) <> 1
