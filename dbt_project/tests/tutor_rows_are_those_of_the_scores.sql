{{ config(tags=['thorough'], meta={'dagster': {'ref': {'name': 'tutor_scores'}}}) }}

-- Each tutor with a score has the row that lists show, and it says what the scores and concerns say.

with known as (
    select
        tutor_id,
        max(probability) filter (where concern = 'unreliable') as unreliable_probability,
        max(probability) filter (where concern = 'getting_worse') as getting_worse_probability,
        max(probability) filter (where concern = 'no_shows') as no_shows_probability,
        max(probability) filter (where concern = 'late_starts') as late_starts_probability,
        max(probability) filter (where concern = 'loses_new_students') as loses_new_students_probability,
        max(probability) filter (where concern = 'low_ratings') as low_ratings_probability
    from {{ ref('tutor_concerns') }}
    group by tutor_id
),

shown as (
    select
        scores.*,
        known.unreliable_probability,
        known.getting_worse_probability,
        known.no_shows_probability,
        known.late_starts_probability,
        known.loses_new_students_probability,
        known.low_ratings_probability
    from {{ ref('tutor_scores') }} as scores
    left join known on scores.tutor_id = known.tutor_id
)

select
    shown.tutor_id as scored_tutor_id,
    kept.tutor_id as kept_tutor_id
from shown
full join intermediate.tutor_rows as kept on shown.tutor_id = kept.tutor_id
where left(row_to_json(shown)::text, -1) is distinct from kept.row_json
